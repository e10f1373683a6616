"""Every connection between two members goes through here: each direction can be cut, slowed, made to stumble.

A direction that is cut swallows nothing: bytes wait, as TCP's do behind a lost route, and go on after healing. What
is lost on the way shows as TCP shows it: later, and everything behind it too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

__all__ = ["Wires"]

_CHUNK = 64 * 1024
_CHUNKS_WAITING = 256
_RESEND_S = 0.3
"""After how long TCP sends again what was lost, about."""
Chunks = asyncio.Queue[tuple[float, bytes]]


@dataclass
class _Way:
    """From one member to another."""

    flowing: asyncio.Event = field(default_factory=asyncio.Event)
    delay_s: tuple[float, float] = (0.0, 0.0)
    loss: float = 0.0


class Wires:
    """Forwarders on loopback, one for each member that connects and each that is connected to."""

    way_around = False
    """Members must not tell each other where they listen: they would go past the forwarders."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._ways: dict[tuple[str, str], _Way] = {}
        self._servers: list[asyncio.Server] = []
        self._open: dict[asyncio.Task[None], frozenset[str]] = {}

    def open(self) -> None:
        """Nothing to be made beforehand."""

    def host(self, name: str) -> str:
        """Address at which a member listens."""
        return "127.0.0.1"

    def prefix(self, name: str) -> list[str]:
        """What a member's command begins with."""
        return []

    async def door(self, name: str, port: int) -> str:
        """Where we reach what a member has on its loopback."""
        return f"127.0.0.1:{port}"

    async def lay(self, source: str, target: str, port: int) -> str:
        """Where ``source`` reaches what ``target`` has at ``port``."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            if task is None:
                return
            self._open[task] = frozenset((source, target))
            try:
                await self._carry(source, target, port, reader, writer)
            except (OSError, asyncio.CancelledError):
                return
            finally:
                self._open.pop(task, None)
                writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def cut(self, source: str, target: str) -> None:
        """Nothing arrives in this direction any more."""
        self._way(source, target).flowing.clear()

    def part(self, *groups: Iterable[str]) -> None:
        """Nothing goes between members of two groups, in neither direction."""
        sides = [frozenset(group) for group in groups]
        for here in sides:
            for there in sides:
                if here is not there:
                    for source in here:
                        for target in there:
                            self.cut(source, target)

    def slow(self, delay_s: tuple[float, float], loss: float) -> None:
        """Every direction between members takes this long, and loses so many chunks."""
        for way in self._ways.values():
            way.delay_s, way.loss = delay_s, loss

    def drop(self, member: str, other: str) -> None:
        """The connections between two end at once; new ones may come."""
        for task, ends in list(self._open.items()):
            if ends == {member, other}:
                task.cancel()

    def heal(self) -> None:
        """As before every fault."""
        for way in self._ways.values():
            way.delay_s, way.loss = (0.0, 0.0), 0.0
            way.flowing.set()

    async def close(self) -> None:
        """No forwarder and no connection is left."""
        for server in self._servers:
            server.close()
        for task in list(self._open):
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _way(self, source: str, target: str) -> _Way:
        way = self._ways.get((source, target))
        if way is None:
            way = self._ways[source, target] = _Way()
            way.flowing.set()
        return way

    async def _carry(
        self, source: str, target: str, port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await self._way(source, target).flowing.wait()  # no handshake over a lost route
        await self._way(target, source).flowing.wait()
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", port)
        forth: Chunks = asyncio.Queue(_CHUNKS_WAITING)
        back: Chunks = asyncio.Queue(_CHUNKS_WAITING)
        jobs = [
            asyncio.ensure_future(one)
            for one in (
                self._take(reader, forth, self._way(source, target)),
                self._give(forth, there_writer, self._way(source, target)),
                self._take(there_reader, back, self._way(target, source)),
                self._give(back, writer, self._way(target, source)),
            )
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            there_writer.close()

    async def _take(self, reader: asyncio.StreamReader, chunks: Chunks, way: _Way) -> None:
        loop, due = asyncio.get_running_loop(), 0.0
        while data := await reader.read(_CHUNK):
            lost = _RESEND_S if way.loss and self._rng.random() < way.loss else 0.0
            due = max(due, loop.time() + self._rng.uniform(*way.delay_s) + lost)
            await chunks.put((due, data))
        await chunks.put((due, b""))
        await asyncio.Event().wait()  # what waits is given first

    async def _give(self, chunks: Chunks, writer: asyncio.StreamWriter, way: _Way) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due, data = await chunks.get()
            while loop.time() < due:
                await asyncio.sleep(due - loop.time())
            await way.flowing.wait()
            if not data:
                return
            writer.write(data)
            await writer.drain()
