"""What the slice needs from outside: durable storage and a way to send one kind of transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from lianzheng.encoding.model import Record
from lianzheng.evidence.model import AnchorPayload, EvidenceRecord, LeafPair, Promise
from lianzheng.ledger.ports import Receipt

__all__ = ["AnchorSender", "Batch", "CaseEnd", "EvidenceRepository", "NewRecord", "PlacedRecord", "StoredRecord"]


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A record with everything that its acknowledgement promises to keep."""

    record: EvidenceRecord
    seq: int
    """Position in its case, from 0."""
    salt: bytes
    leaves: LeafPair
    promise: Promise


class NewRecord(NamedTuple):
    """A record on its way into the store, as the exact bytes that are kept: ``record`` and ``promise`` canonical."""

    case_id: str
    seq: int
    record: bytes
    salt: bytes
    leaf_sha256: bytes
    leaf_sm3: bytes
    promise: bytes


class CaseEnd(NamedTuple):
    """The last record of a case: its place and both leaves."""

    seq: int
    leaf_sha256: bytes
    leaf_sm3: bytes


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch from the moment its payload is fixed. ``log_index`` and block are None until it is anchored."""

    number: int
    payload: AnchorPayload
    log_index: int | None = None
    height: int | None = None
    time_ms: int | None = None
    final: bool = False

    @property
    def state(self) -> str:
        """``batched``, ``anchored`` or ``final`` (EV-3)."""
        if self.log_index is None:
            return "batched"
        return "final" if self.final else "anchored"


@dataclass(frozen=True, slots=True)
class PlacedRecord:
    """A stored record and its batch; None while it is only received."""

    stored: StoredRecord
    batch: Batch | None
    index: int | None

    @property
    def state(self) -> str:
        """``received``, ``batched``, ``anchored`` or ``final`` (EV-3)."""
        return "received" if self.batch is None else self.batch.state


class EvidenceRepository(Protocol):
    """Each method is one transaction; a method that has returned survives a power cut."""

    async def add(self, records: Sequence[NewRecord], documents: Mapping[bytes, bytes]) -> None:
        """Store records and the bytes of their documents by SHA-256; a document that is there already is kept once.

        Raises ``ConflictError`` ``case_order_conflict`` where a place in a case is taken.
        """

    async def case_ends(self, case_ids: Sequence[str]) -> dict[str, CaseEnd]:
        """The last record of each case that has one."""

    async def case(self, case_id: str) -> tuple[PlacedRecord, ...]:
        """All records of a case in order; empty if there is none."""

    async def find(self, leaf_sha256: bytes) -> PlacedRecord | None:
        """The record with this leaf, or None."""

    async def cases(self) -> tuple[str, ...]:
        """All case ids, oldest first."""

    async def document(self, sha256: bytes) -> bytes | None:
        """The bytes of a document, or None."""

    async def unbatched(self, limit: int) -> tuple[tuple[int, LeafPair], ...]:
        """Row number and leaves of received records in no batch, oldest first."""

    async def open_batch(self) -> Batch | None:
        """The batch that is not anchored; at most one exists."""

    async def create_batch(self, payload: AnchorPayload, rows: Sequence[int]) -> Batch:
        """Fix a batch of these rows, in this order."""

    async def replace_payload(self, number: int, payload: AnchorPayload) -> None:
        """Change what an unanchored batch will post."""

    async def mark_anchored(self, number: int, log_index: int, height: int, time_ms: int) -> None:
        """The anchor stands in this block."""

    async def mark_final(self, number: int) -> None:
        """A signed head of this node's ledger proves the anchor."""

    async def unfinal(self) -> tuple[Batch, ...]:
        """Batches that are anchored and not final, oldest first."""

    async def batch_leaves(self, number: int) -> tuple[LeafPair, ...]:
        """The leaves of a batch by index."""


class AnchorSender(Protocol):
    """``ledger.sender.TransactionSender`` as this slice uses it."""

    async def send(self, kind: str, payload: Record) -> Receipt:
        """Send and wait until final; raises ``RefusedError`` with the result's code where it is not ``ok``."""
