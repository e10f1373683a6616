"""What the slice needs from outside: storage of its records, of customers, and the evidence hook."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.evidence.model import CaptureContext, Document, Promise
from lianzheng.suitability.customers import CustomerRecord

__all__ = ["CustomerSink", "CustomerStore", "EvidenceHook", "SuitabilityStore"]


class CustomerSink(Protocol):
    """Where a source's records go."""

    async def replace_customers(self, dataset: str, records: Sequence[CustomerRecord], digest: bytes) -> None:
        """The data set holds exactly ``records`` afterwards, in one transaction; on an error it is unchanged.

        ``digest`` is the SHA-256 of the source. Raises ``ConflictError`` ``customer_duplicate``.
        """


class CustomerStore(CustomerSink, Protocol):
    """A sink that can be read."""

    async def datasets(self) -> list[str]:
        """Names of all data sets that were loaded, offered to the alliance or not, in order."""

    async def customer(self, dataset: str, idnorm: bytes) -> CustomerRecord:
        """The customer of this identity. Raises ``NotFoundError`` ``customer_unknown``."""

    async def customers(self, dataset: str) -> list[CustomerRecord]:
        """All customers, in the order of their identities."""


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
