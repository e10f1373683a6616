"""What the slice needs from outside: storage of its records, of customers, and the evidence hook."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.evidence.model import CaptureContext, Document, Promise
from lianzheng.suitability.customers import CustomerRecord

__all__ = ["CustomerSink", "CustomerStore", "EvidenceHook", "SuitabilityStore"]


class CustomerSink(Protocol):
    """Where a source's records go."""

    async def add_customers(self, snapshot: int, customers: Sequence[tuple[str, CustomerRecord]]) -> None:
        """Customers, each with its reference, under a load whose people stand there; visible once it is finished.

        Raises ``ConflictError`` ``customer_duplicate``.
        """


class CustomerStore(CustomerSink, Protocol):
    """A sink that can be read."""

    async def datasets(self) -> list[str]:
        """Names of all data sets that are loaded, offered to the alliance or not, in order."""

    async def customer(self, dataset: str, idnorm: bytes) -> CustomerRecord:
        """The customer of this identity. Raises ``NotFoundError`` ``customer_unknown``."""

    async def customer_named(self, reference: str) -> CustomerRecord | None:
        """The customer of this reference; of several data sets the first by name."""

    async def name_customers(self, reference_of: Callable[[bytes], str]) -> None:
        """At start: customers that an upgrade left without a reference have one, made from their idnorm."""


class SuitabilityStore(Protocol):
    """Records of assessments and procedures; written once, never changed, kept 20 years."""

    async def append(self, kind: str, case_id: str, subject: str, time_ms: int, record: JsonObject) -> int:
        """Durable when this returns; gives the number of the record, from 1."""

    async def of_subject(self, kind: str, subject: str) -> list[JsonObject]:
        """``{kind, case_id, time_ms, record}`` of one kind about one subject (a local reference), oldest first."""

    async def of_case(self, case_id: str) -> list[JsonObject]:
        """All entries of a case in the same form, oldest first."""


class EvidenceHook(Protocol):
    """Puts an act on record (EV-1); ``evidence.service.EvidenceService`` is one."""

    async def record(
        self, case_id: str, scene: str, operator_role: str, context: CaptureContext, documents: Sequence[Document]
    ) -> Promise:
        """Returns once the record is durable and promised (EV-3)."""
