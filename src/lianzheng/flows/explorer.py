"""Keeps the transaction index with the chain, and waits with those who follow it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Protocol

from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.index import TransactionIndex

__all__ = ["EventSource", "Explorer"]

_WAITING_MAX = 2000
"""Events read ahead of the index."""


class EventSource(Protocol):
    """What the explorer needs of an engine."""

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as blocks come; ends when the engine stops."""


class Explorer:
    """The chain for people: pages of transactions, and a stream of new ones."""

    def __init__(self, index: TransactionIndex, engine: EventSource) -> None:
        self.index = index
        self._engine = engine

    async def run(self) -> None:
        """Index what has come, then what comes, each time all that is waiting; ends with the engine.

        An event says nothing of its block's others. So a block counts as indexed when a later one begins, and after a
        restart the last one is indexed again, which changes nothing.
        """
        await self.index.open()
        waiting: asyncio.Queue[JsonObject | None] = asyncio.Queue(_WAITING_MAX)
        reader = asyncio.create_task(self._read(waiting), name="explorer-reader")
        try:
            while True:
                events = [await waiting.get()]
                while not waiting.empty():
                    events.append(waiting.get_nowait())
                found = [event for event in events if event is not None]
                if found:
                    await self.index.add(found[-1]["height"] - 1, found)
                if len(found) < len(events):
                    return await reader
        finally:
            reader.cancel()

    async def _read(self, waiting: asyncio.Queue[JsonObject | None]) -> None:
        try:
            async for event in self._engine.events(self.index.height + 1):
                await waiting.put(event)
        finally:
            with suppress(asyncio.QueueFull):  # whoever is behind sees the end when it has caught up
                waiting.put_nowait(None)

    def stream(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, for a subscriber; ends with the engine."""
        return self._engine.events(from_height)
