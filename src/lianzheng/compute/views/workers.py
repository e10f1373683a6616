"""Where the curve work of a build is done: on a thread while it is little, on every core once it is much."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from types import TracebackType
from typing import Any, Self, TypeVar

from lianzheng.compute.processes import begin_worker
from lianzheng.errors import UnavailableError

__all__ = ["BuildWorkers"]

_LOCAL_MAX = 5_000
"""People whose entries take less time, at 0.2 ms each, than starting processes."""
_NICE = 5
"""A build waits for nobody's answer; the gate's requesters do."""
T = TypeVar("T")


class BuildWorkers:
    """Workers of one build, spawned for it and ended with it; a view key reaches them in memory only.

    Processes, not threads: single multiplications get slower on threads, and sorting a table in this process would
    stop its event loop.
    """

    def __init__(self, people: int) -> None:
        """``people``: how many are to be worked on."""
        self._count = 1 if people <= _LOCAL_MAX else os.cpu_count() or 1
        self._pool: ProcessPoolExecutor | None = None
        if people > _LOCAL_MAX:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(
                self._count, mp_context=context, initializer=begin_worker, initargs=(_NICE,)
            )

    @property
    def ahead(self) -> int:
        """Works that keep every worker busy while another is stored."""
        return self._count if self._pool is None else 2 * self._count + 1

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await asyncio.shield(asyncio.to_thread(self._pool.shutdown, True, cancel_futures=True))

    def begin(self, work: Callable[..., T], *arguments: Any) -> asyncio.Future[T]:
        """``work`` under way; the caller need not wait before it begins the next."""
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)

    async def result(self, future: asyncio.Future[T]) -> T:
        """Its result. Raises ``UnavailableError`` ``build_workers_lost`` if a worker died."""
        try:
            return await future
        except BrokenProcessPool as error:
            raise UnavailableError(
                "build_workers_lost",
                "A worker of this node ended unexpectedly.",
                next_step="Open the epoch again: what was finished is kept.",
            ) from error
