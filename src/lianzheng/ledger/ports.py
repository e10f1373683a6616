"""The port between the node and whatever orders its transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject, JsonValue
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.context import StateView
from lianzheng.ledger.delta import Delta
from lianzheng.ledger.history import LedgerHistory
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.proofs import StatePath
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest
from lianzheng.ledger.transaction import Transaction

__all__ = [
    "Application",
    "ConsistencyProof",
    "EngineStatus",
    "LedgerEngine",
    "LogProof",
    "Receipt",
    "Roots",
    "StateProof",
    "TxOrigin",
    "TxResult",
]


@dataclass(frozen=True, slots=True)
class TxOrigin:
    """Which act a result is of; known once the bytes have the right form."""

    tx_id: bytes
    kind: str
    sender: str


@dataclass(frozen=True, slots=True)
class TxResult:
    """``code`` is ``ok`` or a reason code; ``data`` is part of the results' root (B7)."""

    code: str
    data: JsonValue = None
    final: bool = True
    """Whether this transaction can never stand again (it stood, or its nonce is spent); no part of any root."""
    events: tuple[JsonObject, ...] = ()
    """The rule's events; no part of any root."""
    origin: TxOrigin | None = None

    @property
    def ok(self) -> bool:
        return self.code == "ok"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Final: the block at ``height`` holds the transaction at ``index`` and is durable.

    Height 0 stands for "refused at the door": no block holds it, and nothing was changed or spent (LED-4).
    """

    tx_id: bytes
    height: int
    index: int
    time_ms: int
    result: TxResult


@dataclass(frozen=True, slots=True)
class Roots:
    """The parts of the application hash after one committed block (LED-5, B29)."""

    height: int
    schema: int
    log_root: bytes
    log_size: int
    state_root: bytes

    @property
    def app_hash(self) -> bytes:
        """Their hash."""
        return app_hash(self.schema, self.log_root, self.log_size, self.state_root)


@dataclass(frozen=True, slots=True, kw_only=True)
class _UnderHead:
    """What every proof stands on: the parts of an application hash and the head that carries it."""

    log_size: int
    log_root: bytes
    state_root: bytes
    schema: int
    head: JsonObject
    """What signs the application hash, as JSON: of the embedded engine a ``ledger.block.SignedHead``."""
    head_chain: tuple[JsonObject, ...] = ()
    """One signed head per change of signers since genesis; empty if there was none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LogProof(_UnderHead):
    """Inclusion of one evidence-log entry under the application hash of one signed head (EV-4, B29)."""

    entry: bytes
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsistencyProof(_UnderHead):
    """That the evidence log of ``old_size`` entries is a prefix of the present one (RFC 9162 §2.1.4)."""

    old_size: int
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class StateProof(_UnderHead):
    """What the state held at one key, or that it held nothing there, under one head (LED-6; from schema 2 on)."""

    key: str
    value: JsonObject | None
    """None: the proof is one of exclusion."""
    path: StatePath


@dataclass(frozen=True, slots=True)
class EngineStatus:
    """For people and monitors."""

    engine: str
    chain_id: str
    height: int
    head_hash: bytes
    app_hash: bytes
    time_ms: int
    role: str
    """``sequencer`` or ``validator`` where this node orders, else ``follower``."""
    lag: int
    stopped: str | None
    """Reason code of a stop such as ``state_diverged`` or ``ledger_forked``; None while running."""
    warnings: tuple[str, ...] = ()


class Application(Protocol):
    """The replicated state machine as an engine sees it; implemented in ``contracts.machine``."""

    @property
    def state(self) -> StateView:
        """The working state: what the next transaction will see."""

    @property
    def committed_state(self) -> StateView:
        """State as of the last :meth:`commit`."""

    @property
    def height(self) -> int: ...

    @property
    def schema(self) -> int:
        """Version of the rules and of the state tree (LED-7)."""

    @property
    def entries(self) -> int:
        """Number of state entries."""

    @property
    def log(self) -> MerkleTree:
        """The evidence log (LED-6)."""

    def log_entry(self, index: int) -> bytes:
        """One entry of the evidence log."""

    def app_hash(self) -> bytes:
        """Of the working state: what the block in flight commits to."""

    def roots(self, height: int | None = None) -> Roots:
        """After the last committed block, or one of the last ``PROVABLE_HEIGHTS``.

        Raises ``NotFoundError`` ``height_not_provable``.
        """

    def state_path(self, key: str, height: int | None = None) -> tuple[JsonObject | None, StatePath]:
        """Value (None where there is none) and path under ``roots(height).state_root``.

        Raises ``NotFoundError`` ``height_not_provable``; ``RefusedError`` ``schema_without_proofs`` under schema 1.
        """

    def reset(self) -> None:
        """As at genesis: for an engine that rebuilds everything from its blocks."""

    def delta(self) -> Delta:
        """All that the block in flight changes: writes and log entries, for :meth:`apply_delta` (LED-9)."""

    def apply_delta(self, delta: Delta) -> None:
        """As executing the block again, without its transactions; the caller compares the application hash."""

    def snapshot(self) -> Snapshot:
        """The committed state and log, fixed at once; its chunks may be made later, in any thread (LED-8)."""

    def restore(
        self,
        manifest: SnapshotManifest,
        chunks: Iterable[bytes],
        accept: Callable[[StateView], None] | None = None,
    ) -> None:
        """Take over a snapshot in place of everything here; nothing changes if it is refused, by ``accept`` too.

        The caller has compared ``manifest.app_hash`` with one that it trusts. Raises ``VerificationError``
        ``snapshot_foreign``, ``snapshot_chunk_invalid`` (naming the chunk), ``snapshot_root_mismatch``;
        ``FormatError`` ``snapshot_invalid``.
        """

    def check(self, transaction: bytes, time_ms: int) -> TxResult:
        """Cheap look before ordering: refuses what no block could accept now; changes nothing."""

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[TxResult]:
        """Apply a block to the working state. Never raises on any transaction bytes (LED-4)."""

    def commit(self) -> None:
        """The block in flight is durable: make the working state the committed one."""


class LedgerEngine(Protocol):
    """``submit`` returns when the result is final; reads see the committed state of this node's head."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def submit(self, tx: Transaction) -> Receipt:
        """Order ``tx`` and wait for its block. A refusal is a ``Receipt`` whose result code says why.

        Raises ``UnavailableError`` ``ledger_unavailable`` or ``ledger_stopped``.
        """

    @property
    def state(self) -> StateView: ...

    def status(self) -> EngineStatus: ...

    async def catch_up(self) -> None:
        """Wait a moment for blocks that are known to exist and are not applied here yet; then go on either way."""

    def assert_fresh(self) -> None:
        """Raise ``UnavailableError`` ``ledger_stale`` unless the head is fresh (GATE-4)."""

    def now_block_ms(self) -> int:
        """Block time of this node's head."""

    async def prove_log(self, index: int, height: int | None = None) -> LogProof:
        """Proof of one entry under the newest head, or one of the last ``PROVABLE_HEIGHTS``.

        Raises ``NotFoundError`` ``log_entry_unknown``, ``height_not_provable``.
        """

    async def prove_consistency(self, old_size: int, height: int | None = None) -> ConsistencyProof:
        """Proof that the log only grew since it had ``old_size`` entries; errors as :meth:`prove_log`."""

    async def prove_state(self, key: str, height: int | None = None) -> StateProof:
        """Proof of the value at ``key``, or of its absence.

        Raises ``NotFoundError`` ``height_not_provable``; ``RefusedError`` ``schema_without_proofs``.
        """

    @property
    def history(self) -> LedgerHistory:
        """Earlier heights, for checkpoints (B33)."""

    def snapshot(self) -> Snapshot:
        """The state at this node's head (LED-8)."""

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as they come: ``{"height", "index", "kind", "sender", "code", ...}``."""
