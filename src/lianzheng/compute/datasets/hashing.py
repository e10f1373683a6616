"""Identity elements of a whole source: on a thread while they are few, on every core once they are many (ID-2)."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from types import TracebackType
from typing import Self

from lianzheng.identity.idnorm import identity_element

__all__ = ["ElementWorkers", "elements_of"]

_LOCAL_MAX = 5_000
"""Elements that take less time, at 80 µs each, than starting processes."""


def elements_of(idnorms: Sequence[bytes]) -> list[bytes]:
    """``U`` of each, compressed."""
    return [identity_element(idnorm).to_bytes() for idnorm in idnorms]


class ElementWorkers:
    """Workers of one load, ended with it. One multiplication gets slower on threads, so they are processes."""

    def __init__(self) -> None:
        self._asked = 0
        self._pool: ProcessPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pool, self._pool = self._pool, None
        if pool is not None:
            await asyncio.shield(asyncio.to_thread(pool.shutdown, True, cancel_futures=True))

    def begin(self, idnorms: Sequence[bytes]) -> asyncio.Future[list[bytes]]:
        """Elements of these, in the order given; the caller need not wait before it asks for the next."""
        self._asked += len(idnorms)
        if self._asked > _LOCAL_MAX and self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(os.cpu_count() or 1, mp_context=context, initializer=_begin)
        loop = asyncio.get_running_loop()
        return loop.run_in_executor(self._pool, elements_of, idnorms)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the node's; the node ends its workers
