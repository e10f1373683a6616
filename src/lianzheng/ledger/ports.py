"""The port between the node and whatever orders its transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject, JsonValue
from lianzheng.ledger.context import StateView
from lianzheng.ledger.transaction import Transaction

__all__ = ["Application", "EngineStatus", "LedgerEngine", "LogProof", "Receipt", "TxResult"]


@dataclass(frozen=True, slots=True)
class TxResult:
    """``code`` is ``ok`` or a reason code; ``data`` is part of the results' root (B7)."""

    code: str
    data: JsonValue = None

    @property
    def ok(self) -> bool:
        return self.code == "ok"


@dataclass(frozen=True, slots=True)
class Receipt:
    """Final: the block at ``height`` holds the transaction at ``index`` and is durable."""

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
    def state(self) -> StateView: ...

    @property
    def height(self) -> int: ...

    def app_hash(self) -> bytes: ...

    def execute_block(self, height: int, time_ms: int, transactions: list[bytes]) -> list[TxResult]:
        """Apply a block to the state. Never raises on any transaction bytes (LED-4)."""


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

    def assert_fresh(self) -> None:
        """Raise ``UnavailableError`` ``ledger_stale`` unless the head is fresh (GATE-4)."""

    def now_block_ms(self) -> int:
        """Block time of this node's head."""

    async def prove_log(self, index: int) -> LogProof:
        """Proof of one entry under the newest head. Raises ``NotFoundError`` ``log_entry_unknown``."""

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as they come: ``{"height", "index", "kind", "sender", "code", ...}``."""
