"""Where the curve work of requests is done: in this process, or on worker processes of this node.

Processes, not threads: single multiplications get slower on threads. Workers are spawned, receive view keys in
memory only, keep nothing that a batch depends on, and end with their node, however it ends.
"""

from __future__ import annotations

import asyncio
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import pairwise
from typing import TypeVar

from lianzheng.compute.gate.model import Evaluation
from lianzheng.compute.gate.work import Element, EvaluationWork, TokenWork, evaluate_all, verify_all
from lianzheng.compute.processes import begin_worker
from lianzheng.errors import UnavailableError
from lianzheng.limits import GATE_CHUNK_MIN, GATE_WORKERS_MAX

__all__ = ["LocalGateWorkers", "ProcessGateWorkers"]

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")


class LocalGateWorkers:
    """``ports.GateWorkers`` on a thread of this process: one batch at a time, and the event loop goes on."""

    lanes = 1

    def __init__(self, chain_id: str) -> None:
        self._chain_id = chain_id
        self._turn = asyncio.Lock()

    async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
        async with self._turn:
            return await asyncio.to_thread(verify_all, works, self._chain_id)

    async def evaluate(self, works: Sequence[EvaluationWork]) -> list[Evaluation]:
        async with self._turn:
            return await asyncio.to_thread(evaluate_all, works)

    def close(self) -> None:
        """Nothing to end."""


class ProcessGateWorkers:
    """``ports.GateWorkers`` on ``count`` spawned processes.

    A batch is cut into as many equal parts as there are workers. At most two parts a worker are under way, the others
    wait their turn here. If a worker dies, what was under way fails with ``gate_workers_lost`` and the next call
    begins with new ones.
    """

    def __init__(self, chain_id: str, count: int) -> None:
        """Nothing is started before the first call. ``count`` is bounded to [1, ``GATE_WORKERS_MAX``]."""
        self._chain_id = chain_id
        self._count = max(1, min(count, GATE_WORKERS_MAX))
        self.lanes = self._count
        self._turns = asyncio.Semaphore(2 * self._count)
        self._pool: ProcessPoolExecutor | None = None

    async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
        return await self._spread(partial(verify_all, chain_id=self._chain_id), works)

    async def evaluate(self, works: Sequence[EvaluationWork]) -> list[Evaluation]:
        return await self._spread(evaluate_all, works)

    def close(self) -> None:
        """End the workers; what they have begun they finish, what waits is dropped."""
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)
            self._pool = None

    async def _spread(self, run: Callable[[Sequence[_Work]], list[_Result]], works: Sequence[_Work]) -> list[_Result]:
        parts = _cut(works, self._count)
        results = await asyncio.gather(*(self._part(run, part) for part in parts))
        return [result for part in results for result in part]

    async def _part(self, run: Callable[[Sequence[_Work]], list[_Result]], part: Sequence[_Work]) -> list[_Result]:
        async with self._turns:
            pool = self._started()
            try:
                return await asyncio.get_running_loop().run_in_executor(pool, run, part)
            except BrokenProcessPool as error:
                if self._pool is pool:
                    self._pool = None
                    pool.shutdown(wait=False, cancel_futures=True)
                raise UnavailableError(
                    "gate_workers_lost", "A worker of this node ended unexpectedly.", next_step="Ask again."
                ) from error

    def _started(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = multiprocessing.get_context("spawn")
            self._pool = ProcessPoolExecutor(self._count, mp_context=context, initializer=begin_worker)
        return self._pool


def _cut(works: Sequence[_Work], count: int) -> list[Sequence[_Work]]:
    """Up to ``count`` parts of nearly one size, none below ``GATE_CHUNK_MIN`` where that can be helped."""
    parts = max(1, min(count, len(works) // GATE_CHUNK_MIN))
    bounds = [len(works) * at // parts for at in range(parts + 1)]
    return [works[start:stop] for start, stop in pairwise(bounds) if start < stop]
