"""What compute needs from outside: the member's rows, its epochs, the durable count of uses, and a way to the ledger.

Every method that changes something is one transaction: it has happened durably when the call returns, or not at all.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

from lianzheng.compute.tasks.model import TaskCounts
from lianzheng.compute.views.model import EpochCommit
from lianzheng.encoding.model import Record
from lianzheng.ledger.ports import Receipt

__all__ = [
    "AccessBook",
    "Ask",
    "AskStore",
    "DatasetLoad",
    "DatasetStore",
    "EpochStatus",
    "EpochStore",
    "KnownUse",
    "LedgerSender",
    "LocalEpoch",
    "PersonRow",
    "ReceiptStore",
    "StoredPerson",
    "TableCache",
    "TaskUses",
    "UseClaim",
    "UseStore",
]


class LedgerSender(Protocol):
    """``ledger.sender.TransactionSender`` as the slice sees it."""

    async def send(self, kind: str, payload: Record, ordered: bool = False) -> Receipt:
        """Order a transaction of this member; raises ``RefusedError`` with the result's code if it is not ``ok``."""


@dataclass(frozen=True, slots=True)
class PersonRow:
    """One person of a source: ``idnorm`` (ID-1) and amounts by indicator, in the registry's units."""

    idnorm: bytes = field(repr=False)
    amounts: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class StoredPerson:
    """A row as kept: the identity element U, compressed, computed once when the row was loaded."""

    idnorm: bytes = field(repr=False)
    element: bytes = field(repr=False)
    amounts: Mapping[str, int] = field(repr=False)


@dataclass(frozen=True, slots=True)
class DatasetLoad:
    """A finished load; ``snapshot`` names it in this database."""

    dataset: str
    snapshot: int
    as_of: str
    people: int
    loaded_ms: int
    digest: bytes | None = None
    """SHA-256 of the source's bytes."""
    skipped: int = 0
    """Bad rows of the source that the operator agreed to leave out."""


class DatasetStore(Protocol):
    """Rows of this member's datasets. Readers see the last finished load, whole."""

    async def begin_load(self, dataset: str, as_of: str, digest: bytes | None = None, skipped: int = 0) -> int:
        """A new snapshot, invisible until :meth:`finish_load`."""

    async def elements(self, idnorms: Sequence[bytes]) -> dict[bytes, bytes]:
        """Elements already computed, by idnorm."""

    async def add_people(self, snapshot: int, people: Sequence[StoredPerson]) -> None:
        """Add rows to a snapshot that is being loaded. Raises ``ConflictError`` ``person_duplicate``."""

    async def finish_load(self, snapshot: int, now_ms: int) -> DatasetLoad:
        """Readers see this snapshot from now on, with all that other slices keep under it: one switch for all.

        The one before is invisible from the same moment on; :meth:`purge` deletes it.
        """

    async def abandon_load(self, snapshot: int) -> None:
        """The snapshot and its rows are gone."""

    async def abandon_unfinished(self) -> None:
        """At start, before any load begins: what a crash left half-loaded or undeleted is gone."""

    async def purge(self) -> None:
        """Loads that were replaced are deleted, in steps short enough for the gate to count in between."""

    async def current(self, dataset: str) -> DatasetLoad | None:
        """The load that readers see."""

    def people(self, dataset: str) -> AsyncIterator[list[StoredPerson]]:
        """All rows of the current snapshot in one consistent read, in chunks."""

    async def person(self, dataset: str, idnorm: bytes) -> StoredPerson | None:
        """One row, for this member's own use."""


EpochStatus = Literal["built", "committed", "published", "ended", "erased"]


@dataclass(frozen=True, slots=True)
class LocalEpoch:
    """An epoch of this member's own view; the key itself rests in the key store under ``key_name``."""

    commit: EpochCommit
    snapshot: int
    key_name: str
    status: EpochStatus
    answers: int
    """Answers given under this key (GATE-0)."""


class EpochStore(Protocol):
    """This member's own epochs and their tables."""

    async def add(self, epoch: LocalEpoch, table: bytes) -> None:
        """Keep a built epoch. Raises ``ConflictError`` ``epoch_exists``."""

    async def set_status(self, view: str, epoch: int, status: EpochStatus) -> None:
        """Raises ``NotFoundError`` ``epoch_unknown``. ``erased`` also deletes the table."""

    async def drop(self, view: str, epoch: int) -> None:
        """Forget an epoch that the ledger refused."""

    async def get(self, view: str, epoch: int) -> LocalEpoch | None: ...

    async def all(self) -> list[LocalEpoch]:
        """By view and number."""

    async def table(self, view: str, epoch: int) -> bytes | None:
        """Wire form of the table; None where it is unknown or erased."""

    async def end_open(self) -> list[tuple[str, int]]:
        """Every epoch not yet ended or erased is ended (GATE-8, after a restore); returns which were."""


@dataclass(frozen=True, slots=True)
class UseClaim:
    """One request that has passed the gates before GATE-8; ``uses`` are its (view, epoch), distinct."""

    task: bytes
    cid: bytes
    uses: tuple[tuple[str, int], ...]
    max_uses: int
    """Of the terms: distinct (cid, view, epoch) over all tasks."""
    quota: int
    """Of the task: counted (cid, view, epoch) at this provider (B28)."""
    request_hash: bytes
    request: bytes
    """Canonical bytes of the signed request."""
    time_ms: int


@dataclass(frozen=True, slots=True)
class TaskUses:
    """What a provider reports about one task (GATE-10)."""

    counts: TaskCounts
    cids: tuple[bytes, ...]
    """Each once, ascending."""


class UseStore(Protocol):
    """The provider's durable count (GATE-1 nonces, GATE-2 quota, GATE-8 uses, GATE-10 receipts)."""

    async def claim_nonce(self, requester: str, nonce: bytes, request_hash: bytes, time_ms: int) -> None:
        """The nonce belongs to this request from now on. Raises ``RefusedError`` ``nonce_reused`` (GATE-1)."""

    async def forget_nonces(self, before_ms: int) -> None:
        """Nonces of requests older than the skew allows."""

    async def stored_answer(self, request_hash: bytes, request: bytes) -> bytes | None:
        """The answer to exactly these request bytes (GATE-8); raises ``nonce_reused`` for others of one hash."""

    async def check_quota(self, claim: UseClaim) -> None:
        """Raises ``RefusedError`` ``task_exhausted`` if the claim does not fit the quota now (GATE-2)."""

    async def check_uses(self, claim: UseClaim) -> None:
        """Raises ``RefusedError`` ``uses_exhausted`` if the claim does not fit max_uses now (GATE-8)."""

    async def count(self, claim: UseClaim, answer: bytes) -> bytes:
        """Count the claim whole and keep request and answer, or refuse it whole; returns the answer to send.

        Two requests at once are counted one after the other. The same request bytes get the answer stored first. A
        (cid, view, epoch) counted before costs no use; under another task it costs that task's quota.
        Raises ``RefusedError``: ``task_exhausted`` (GATE-2), ``uses_exhausted`` (GATE-8), ``epoch_not_open``,
        ``view_key_exhausted`` (GATE-0), ``nonce_reused``.
        """

    async def task_salt(self, task: bytes) -> bytes:
        """This provider's salt of the task, drawn when first asked for (B26)."""

    async def task_uses(self, task: bytes) -> TaskUses:
        """Counts and cids so far."""

    async def receipts(self, task: bytes) -> list[tuple[bytes, bytes]]:
        """Request and answer bytes under the task, in the order given."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request of this member at a provider's gate, as it is sent: the provider may have counted it."""

    request_hash: bytes
    provider: str
    task: bytes
    cid: bytes
    call: bytes = field(repr=False)
    """Canonical bytes of the ``GateCall``."""
    time_ms: int
    """Of the request: after the skew that GATE-1 allows it is refused even as a repeat."""
    until_ms: int
    """End of the last epoch asked for: until then the provider keeps its answer (GATE-8)."""


class AskStore(Protocol):
    """The requester's questions from before they are sent until their receipt is kept (GATE-8, GATE-10)."""

    async def keep(self, asks: Sequence[Ask]) -> None:
        """They are about to be sent; keeping one again changes nothing."""

    async def open_for(self, task: bytes, cid: bytes) -> list[Ask]:
        """Questions under a task and a consent of which nobody knows whether they were counted, oldest first."""

    async def open(self) -> list[Ask]:
        """All of these, oldest first."""

    async def close(self, request_hash: bytes, code: str) -> None:
        """It gets no answer any more, for this reason; the request stays, because it may have been counted."""

    async def drop(self, request_hash: bytes) -> None:
        """It was surely not counted."""

    async def forget(self, before_ms: int) -> None:
        """Questions whose epochs ended before."""


class ReceiptStore(Protocol):
    """The requester's side of usage receipts (GATE-10)."""

    async def save_receipt(
        self, task: bytes, provider: str, cid: bytes, request_hash: bytes, receipt: bytes, time_ms: int
    ) -> None:
        """Keep the canonical bytes of a ``UsageReceipt``; its :class:`Ask` is over. Saving it again changes nothing."""

    async def receipts(self, task: bytes, provider: str) -> list[tuple[bytes, bytes]]:
        """cid and receipt bytes, in the order kept."""

    async def remember_task_salt(self, task: bytes, provider: str, salt: bytes) -> None:
        """The salt of the provider's first answer. Raises ``VerificationError`` ``task_salt_changed`` (B26)."""

    async def task_salt(self, task: bytes, provider: str) -> bytes | None: ...


@dataclass(frozen=True, slots=True, repr=False)
class KnownUse:
    """A use as one side keeps it: a provider request and answer, a requester (``request`` None) the whole receipt."""

    request: bytes | None
    proof: bytes
    bands: Mapping[str, int] | None
    """What the requester has read; None at a provider, and where nothing was read."""


class AccessBook(Protocol):
    """Uses by consent, for the person who gave it (GATE-10); oldest first."""

    async def given(self, cid: bytes, skip: int, limit: int) -> list[KnownUse]:
        """Uses that this member's gate has answered."""

    async def had(self, cid: bytes, skip: int, limit: int) -> list[KnownUse]:
        """Uses that other members' gates have answered to this member."""

    async def keep_bands(self, request_hash: bytes, bands: Mapping[str, int]) -> None:
        """What a use has brought, by indicator; read again, it is replaced."""


class TableCache(Protocol):
    """Tables of other members, downloaded once an epoch and verified before they are kept (PIR-2)."""

    async def get(self, view: str, epoch: int) -> bytes | None: ...

    async def put(self, view: str, epoch: int, table: bytes, until_ms: int) -> None: ...

    async def forget(self, before_ms: int) -> None:
        """Tables of epochs that ended before."""


Rows = Iterable[PersonRow]
"""Rows of a source; iterating may raise, and then nothing is loaded."""
