"""What a follower needs of other nodes; served by the peer transport."""

from __future__ import annotations

from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.statement import HeadStatement

__all__ = ["SequencerLink", "SnapshotLink", "StatementLink"]


class StatementLink(Protocol):
    """Any member's node, asked how far it is (GATE-4)."""

    @property
    def did(self) -> str:
        """The member asked."""

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """Its signed answer. Raises ``UnavailableError``."""


class SnapshotLink(Protocol):
    """A node that hands out its newest checkpoint; each call raises ``UnavailableError`` when it fails."""

    async def snapshot(self) -> bytes | None:
        """The description of its newest one (``checkpoints.Checkpoint``), or None where there is none yet."""

    async def snapshot_chunk(self, height: int, index: int) -> bytes:
        """One chunk of it. Raises ``NotFoundError`` ``snapshot_unknown`` where it made room for a newer one."""


class SequencerLink(Protocol):
    """The sequencer's peer API as a follower uses it; each call raises ``UnavailableError`` when it fails."""

    async def submit(self, transaction: bytes) -> JsonObject:
        """Order a transaction; JSON of its receipt (``ledger.receipt``)."""

    async def blocks(self, from_height: int, limit: int) -> list[bytes]:
        """Canonical blocks from a height on, at most ``limit``; empty where there is none yet."""

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """The sequencer's signed answer to ``nonce``."""
