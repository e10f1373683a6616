"""A table of one view, built in finished chunks that a crash or a cancel leaves standing (GATE-0, PIR-1, B20).

Order of steps, each durable before the next::

    key in the key store -> build without chunks -> chunk after chunk -> (the service) epoch in the database -> no build

A build that is met again is carried on if it is of the load, the number and the software at hand; otherwise key and
chunks are erased and another key is drawn.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable
from typing import Literal

from lianzheng import __version__
from lianzheng.compute.ports import DatasetLoad
from lianzheng.compute.protocols.hidden_query.entries import EntryContext
from lianzheng.compute.views.build import BuiltTable, ChunkWork, records_of, table_of
from lianzheng.compute.views.ports import BuildStore, EpochBuild
from lianzheng.compute.views.workers import BuildWorkers
from lianzheng.crypto.hazmat.bls12381 import G1, random_scalar
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import ConflictError, NotFoundError

__all__ = ["KEY_PREFIX", "EpochBuilder", "Report"]

KEY_PREFIX = "view-key/"
_CHUNK = 2_000
"""People of one chunk: a quarter of a second of one core, which is what a crash costs at most for each."""
Report = Callable[[int, int], None]
"""Told how many people are finished, of how many."""


def _silent(done: int, total: int) -> None:
    """Nobody wants to know."""


class EpochBuilder:
    """Tables under construction, at most one a view; the caller sees to it that a view is built once at a time."""

    def __init__(self, builds: BuildStore, keystore: KeyStore, chain_id: str, provider: str) -> None:
        self._builds = builds
        self._keystore = keystore
        self._chain_id = chain_id
        self._provider = provider
        self._turn = asyncio.Lock()

    async def table(
        self,
        view: str,
        number: int,
        load: DatasetLoad,
        retrieval: Literal["pir", "table"],
        report: Report | None = None,
    ) -> tuple[EpochBuild, int, BuiltTable]:
        """The build with its key and table. The build stands until :meth:`finished` or :meth:`discard`.

        Cancelled, it keeps its finished chunks. Raises ``UnavailableError`` ``build_workers_lost``.
        """
        report = report or _silent
        async with self._turn:  # every core works on one build
            while True:
                build, key = await self._begun(view, number, load)
                async with BuildWorkers(load.people) as workers:
                    await self._fill(build, key, load, workers, report)
                    chunks = await self._builds.chunks(view)
                    try:
                        return build, key, await workers.result(workers.begin(table_of, chunks, retrieval))
                    except ConflictError:  # two people's tags are equal (B20)
                        await self.discard(build)

    def context(self, build: EpochBuild) -> EntryContext:
        """What the entries of a build are bound to."""
        return EntryContext(self._chain_id, self._provider, build.view, build.epoch, build.salt)

    async def names(self) -> list[str]:
        """Names of the keys of builds."""
        return [build.key_name for build in await self._builds.all()]

    async def unfinished(self) -> list[EpochBuild]:
        """All builds."""
        return await self._builds.all()

    async def finished(self, build: EpochBuild) -> None:
        """Its epoch is kept, and with it the key."""
        await self._builds.drop(build.view)

    async def discard(self, build: EpochBuild) -> None:
        """Key and chunks are gone."""
        await asyncio.to_thread(self._keystore.erase, build.key_name)
        await self._builds.drop(build.view)

    async def _begun(self, view: str, number: int, load: DatasetLoad) -> tuple[EpochBuild, int]:
        found = await self._builds.get(view)
        if found is not None:
            basis = (found.epoch, found.snapshot, found.loaded_ms, found.software)
            if basis == (number, load.snapshot, load.loaded_ms, __version__):
                try:
                    return found, await asyncio.to_thread(self._keystore.get_scalar, found.key_name)
                except NotFoundError:  # a database beside another key store
                    pass
            await self.discard(found)
        key = random_scalar()
        name = KEY_PREFIX + b64u_encode((G1.generator() * key).to_bytes())
        await asyncio.to_thread(self._keystore.put_scalar, name, key)
        salt = secrets.token_bytes(32)
        build = EpochBuild(view, number, load.snapshot, load.loaded_ms, __version__, name, salt)
        await self._builds.begin(build)
        return build, key

    async def _fill(
        self, build: EpochBuild, key: int, load: DatasetLoad, workers: BuildWorkers, report: Report
    ) -> None:
        read, done = await self._builds.position(build.view)
        report(done, load.people)
        ahead: deque[tuple[int, int, asyncio.Future[bytes]]] = deque()
        context, more = self.context(build), done < load.people
        while more or ahead:
            if more and len(ahead) < workers.ahead:
                rows = await self._builds.rows(build.snapshot, read, _CHUNK)
                more = len(rows) == _CHUNK
                if rows:
                    read = rows[-1].person
                    work = ChunkWork(key, context, [(row.element, row.amounts) for row in rows])
                    ahead.append((read, len(rows), workers.begin(records_of, work)))
                continue
            last, people, records = ahead.popleft()
            await self._builds.add_chunk(build.view, last, people, await workers.result(records))
            done += people
            report(done, load.people)
