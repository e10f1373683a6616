"""The port of the transaction index: what people look up in the chain by other things than a height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject

__all__ = ["BlockLine", "Place", "TransactionFilter", "TransactionIndex"]


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a transaction stands; pages are cut by it."""

    height: int
    index: int


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Each given field narrows the search; ``kind`` ending in ``.`` stands for all kinds of a slice."""

    kind: str | None = None
    sender: str | None = None
    code: str | None = None
    from_ms: int | None = None
    to_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BlockLine:
    """A block that holds transactions, in a list."""

    height: int
    time_ms: int
    transactions: int
    refused: int


class TransactionIndex(Protocol):
    """Rebuilt from the engine's events whenever it is behind or gone: nothing stands here alone."""

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    @property
    def height(self) -> int:
        """All blocks up to this one are indexed."""

    async def add(self, height: int, events: Sequence[JsonObject]) -> None:
        """Take ``events`` of the engine, again if they are known; all up to and with ``height`` are there."""

    async def get(self, tx_id: bytes) -> JsonObject | None:
        """The engine's event of a transaction, or None."""

    async def search(
        self, wanted: TransactionFilter, before: Place | None, limit: int
    ) -> tuple[list[JsonObject], Place | None]:
        """Events, newest first, from just before a place; and the place that the next page begins before."""

    async def blocks(self, before: int | None, limit: int) -> list[BlockLine]:
        """Blocks with transactions, newest first, below height ``before``."""
