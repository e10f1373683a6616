"""What a follower needs of other nodes; served by the peer transport."""

from __future__ import annotations

from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.statement import HeadStatement

__all__ = ["SequencerLink", "StatementLink"]


class StatementLink(Protocol):
    """Any member's node, asked how far it is (GATE-4)."""

    @property
    def did(self) -> str:
        """The member asked."""

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """Its signed answer. Raises ``UnavailableError``."""


class SequencerLink(Protocol):
    """The sequencer's peer API as a follower uses it; each call raises ``UnavailableError`` when it fails."""

    async def submit(self, transaction: bytes) -> JsonObject:
        """Order a transaction; JSON of its receipt (``ledger.receipt``)."""

    async def blocks(self, from_height: int, limit: int) -> list[bytes]:
        """Canonical blocks from a height on, at most ``limit``; empty where there is none yet."""

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """The sequencer's signed answer to ``nonce``."""
