"""The port between the node and whatever orders its transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject, JsonValue
from lianzheng.ledger.context import StateView
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.transaction import Transaction

__all__ = ["Application", "EngineStatus", "LedgerEngine", "LogProof", "Receipt", "TxOrigin", "TxResult"]


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
class LogProof:
    """Inclusion of one evidence-log entry under the application hash of one signed head (EV-4, B29)."""

    entry: bytes
    index: int
    log_size: int
    log_root: bytes
    state_root: bytes
    schema: int
    path: tuple[bytes, ...]
    head: JsonObject
    """Signed head as JSON (``ledger.block.SignedHead``)."""
    head_chain: tuple[JsonObject, ...] = ()
    """One signed head per change of signers since genesis; empty if there was none."""


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
    """``sequencer`` or ``follower``."""
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
    def log(self) -> MerkleTree:
        """The evidence log (LED-6)."""

    def log_entry(self, index: int) -> bytes:
        """One entry of the evidence log."""

    def state_root(self) -> bytes: ...

    def app_hash(self) -> bytes: ...

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

    async def prove_log(self, index: int) -> LogProof:
        """Proof of one entry under the newest head. Raises ``NotFoundError`` ``log_entry_unknown``."""

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as they come: ``{"height", "index", "kind", "sender", "code", ...}``."""
