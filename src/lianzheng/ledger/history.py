"""What checkpoints need of an engine and of a store: earlier heights, and memory of what was signed (EV-6, B33)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Protocol

from pydantic import Field

from lianzheng.encoding.model import Bytes32, Natural, Record, Seq
from lianzheng.ledger.checkpoint import Checkpoint, checkpoint_of
from lianzheng.ledger.cometbft import parse_head
from lianzheng.limits import SIGNER_CHANGES_MAX

__all__ = ["CheckpointStore", "KeptCheckpoint", "LedgerHistory", "Standing"]


class Standing(Record):
    """What every proof under one head stands on: parts of its application hash, head, changes of signers."""

    schema_version: Annotated[int, Field(ge=1, le=2**16)]
    log_root: Bytes32
    log_size: Natural
    state_root: Bytes32
    head: dict[str, Any]
    head_chain: Annotated[tuple[dict[str, Any], ...], Seq, Field(max_length=SIGNER_CHANGES_MAX)]

    def checkpoint(self, chain_id: str) -> Checkpoint:
        """The checkpoint of this head (B33)."""
        return checkpoint_of(chain_id, parse_head(self.head), self.log_size, self.log_root)


@dataclass(frozen=True, slots=True)
class KeptCheckpoint:
    """A collected note, with what a bundle under it needs of its height."""

    height: int
    note: str
    standing: Standing
    made_ms: int


class LedgerHistory(Protocol):
    """Earlier states of the evidence log, by this node's own replay."""

    async def standing(self, log_size: int = 0) -> Standing:
        """Of the newest head over a log of at least ``log_size`` entries; waits a moment for a head that carries them.

        Raises ``NotFoundError`` ``head_unknown`` where no block stands yet, ``log_entry_unknown`` where the log is
        shorter, ``height_not_provable``.
        """

    async def checkpoint(self, height: int) -> Checkpoint:
        """What this node itself has at ``height``, after waiting a moment for blocks that are on their way.

        Raises ``NotFoundError`` ``height_not_reached``, or ``height_not_provable`` where the engine cannot go back.
        """

    def log_root(self, size: int) -> bytes:
        """Root over the first entries. Raises ``NotFoundError`` ``log_entry_unknown``."""

    def log_entry(self, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """An entry and its path in the log of ``size`` entries. Raises ``NotFoundError`` ``log_entry_unknown``."""


class CheckpointStore(Protocol):
    """Durable when a call returns."""

    async def last_signed(self) -> str | None:
        """The text of the greatest height that this node signed, or None."""

    async def remember(self, height: int, text: str) -> str:
        """The text that this node signs at ``height``: the first one that was remembered, for ever."""

    async def keep(self, kept: KeptCheckpoint) -> None:
        """Keep a collected note; a later one of the same height takes its place."""

    async def get(self, height: int | None = None) -> KeptCheckpoint | None:
        """The note of a height, or the newest."""

    async def page(self, before: int | None, limit: int) -> tuple[tuple[int, str, int], ...]:
        """Height, note and time of collection, newest first, below a height."""
