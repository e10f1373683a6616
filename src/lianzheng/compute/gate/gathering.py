"""Single requests that wait at the same time have their curve work done together (EQ-1).

While works of one kind are under way, further ones of that kind gather here and go on together: the busier a node is,
the nearer single requests come to the cost of a batch, and on an idle one nothing waits for company.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

from lianzheng.compute.gate.model import Evaluation
from lianzheng.compute.gate.ports import GateWorkers
from lianzheng.compute.gate.work import Element, EvaluationWork, TokenWork
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.limits import GATE_BATCH_MAX

__all__ = ["GatheringWorkers"]

_Work = TypeVar("_Work")
_Result = TypeVar("_Result")


class GatheringWorkers:
    """``ports.GateWorkers`` in front of others: each caller gets what it would get alone.

    A flawed token is named by the search of EQ-1 and refuses itself; what it costs the others is that search. A
    caller that is cancelled leaves the works of the others as they are.
    """

    def __init__(self, workers: GateWorkers) -> None:
        self.lanes = workers.lanes
        self._verify = _Gathering(workers.verify, workers.lanes)
        self._evaluate = _Gathering(workers.evaluate, workers.lanes)

    async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
        return await self._verify.take(works)

    async def evaluate(self, works: Sequence[EvaluationWork]) -> list[Evaluation]:
        return await self._evaluate.take(works)


class _Gathering(Generic[_Work, _Result]):
    """One kind of work; up to ``lanes`` groups of it are under way at once."""

    def __init__(self, run: Callable[[Sequence[_Work]], Awaitable[list[_Result]]], lanes: int) -> None:
        self._run = run
        self._free = lanes
        self._waiting: list[tuple[Sequence[_Work], asyncio.Future[list[_Result]]]] = []
        self._lanes: set[asyncio.Task[None]] = set()

    async def take(self, works: Sequence[_Work]) -> list[_Result]:
        """The results of ``works`` in order; raises what the run raised that held them."""
        future: asyncio.Future[list[_Result]] = asyncio.get_running_loop().create_future()
        self._waiting.append((works, future))
        if self._free:
            self._free -= 1
            lane = asyncio.create_task(self._serve(), name="gate-gathering")
            self._lanes.add(lane)
            lane.add_done_callback(self._lanes.discard)
        return await future

    async def _serve(self) -> None:
        try:
            while self._waiting:
                await self._serve_group(self._next_group())
        finally:
            self._free += 1

    def _next_group(self) -> list[tuple[Sequence[_Work], asyncio.Future[list[_Result]]]]:
        """Who waits, oldest first, up to ``GATE_BATCH_MAX`` works; works of one caller are not parted here."""
        count, total = 0, 0
        for works, _ in self._waiting:
            total += len(works)
            if count and total > GATE_BATCH_MAX:
                break
            count += 1
        group, self._waiting = self._waiting[:count], self._waiting[count:]
        return group

    async def _serve_group(self, group: list[tuple[Sequence[_Work], asyncio.Future[list[_Result]]]]) -> None:
        try:
            results = await self._run([work for works, _ in group for work in works])
            start = 0
            for works, future in group:
                if not future.done():
                    future.set_result(results[start : start + len(works)])
                start += len(works)
        except LianzhengError as error:
            _fail(group, error)
        finally:  # unforeseen: its own words stay in this task, and nobody waits for ever
            _fail(
                group, UnavailableError("gate_workers_lost", "The node could not do this work.", next_step="Ask again.")
            )


def _fail(group: Sequence[tuple[object, asyncio.Future[list[_Result]]]], error: LianzhengError) -> None:
    for _, future in group:
        if not future.done():
            future.set_exception(error)
