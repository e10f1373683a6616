"""Works that wait at the same time go together, and everybody gets what is theirs (EQ-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from consent_kit import CHAIN, Maker
from lianzheng.compute.gate.gathering import GatheringWorkers
from lianzheng.compute.gate.model import Evaluation
from lianzheng.compute.gate.work import Element, EvaluationWork, TokenWork
from lianzheng.compute.gate.workers import LocalGateWorkers
from lianzheng.crypto.hazmat.bls12381 import scalar_to_bytes
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.limits import GATE_BATCH_MAX

MAKER = Maker()
KEY = MAKER.key.public().to_bytes()
WORKS = [TokenWork(MAKER.token()[0], KEY) for _ in range(6)]
BAD = 3
WORKS[BAD] = WORKS[BAD]._replace(token=WORKS[BAD].token.model_copy(update={"z": scalar_to_bytes(7)}))


class Held(LocalGateWorkers):
    """Real workers whose first group waits for a word; notes how many works came together."""

    def __init__(self) -> None:
        super().__init__(CHAIN)
        self.go = asyncio.Event()
        self.groups: list[int] = []
        self.fail: Callable[[], None] = lambda: None

    async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
        self.groups.append(len(works))
        await self.go.wait()
        self.fail()
        return await super().verify(works)

    async def evaluate(self, works: Sequence[EvaluationWork]) -> list[Evaluation]:
        return await super().evaluate(works)


async def waiting(workers: GatheringWorkers, works: Sequence[Sequence[TokenWork]]) -> list[asyncio.Task[list[Element]]]:
    """The first part alone under way, the others waiting."""
    tasks = []
    for part in works:
        tasks.append(asyncio.create_task(workers.verify(part)))
        for _ in range(3):
            await asyncio.sleep(0)
    return tasks


async def test_what_waits_goes_together_and_a_flawed_token_refuses_itself() -> None:
    held = Held()
    tasks = await waiting(GatheringWorkers(held), [[work] for work in WORKS])
    held.go.set()
    outcomes = [(await task)[0] for task in tasks]
    assert held.groups == [1, len(WORKS) - 1]
    assert [at for at, outcome in enumerate(outcomes) if isinstance(outcome, LianzhengError)] == [BAD]
    assert [one.code for one in outcomes if isinstance(one, LianzhengError)] == ["token_holder_signature_invalid"]
    assert [outcome for outcome in outcomes if isinstance(outcome, bytes)] == [
        work.token.b for at, work in enumerate(WORKS) if at != BAD
    ]


async def test_parts_of_several_works_come_back_whole() -> None:
    held = Held()
    tasks = await waiting(GatheringWorkers(held), [WORKS[:1], WORKS[:2], [], WORKS[1:3]])
    held.go.set()
    assert [await task for task in tasks] == [
        [work.token.b for work in part] for part in (WORKS[:1], WORKS[:2], [], WORKS[1:3])
    ]
    assert held.groups == [1, 4]


async def test_a_group_has_a_bound() -> None:
    held = Held()
    full = [WORKS[0]] * (GATE_BATCH_MAX - 1)
    tasks = await waiting(GatheringWorkers(held), [WORKS[:1], full, WORKS[:1], WORKS[:1]])
    held.go.set()
    await asyncio.gather(*tasks)
    assert held.groups == [1, GATE_BATCH_MAX, 1]


async def test_a_cancelled_caller_leaves_the_others_their_results() -> None:
    held = Held()
    tasks = await waiting(GatheringWorkers(held), [[work] for work in WORKS[:3]])
    tasks[0].cancel()
    tasks[1].cancel()
    held.go.set()
    assert await tasks[2] == [WORKS[2].token.b]


async def test_what_fails_fails_for_those_who_were_in_it_and_the_next_go_on() -> None:
    held = Held()

    def lose() -> None:
        raise UnavailableError("gate_workers_lost", "A worker of this node ended unexpectedly.")

    workers = GatheringWorkers(held)
    held.fail = lose
    held.go.set()
    with pytest.raises(LianzhengError, match="gate_workers_lost"):
        await workers.verify(WORKS[:1])
    held.fail = lambda: None
    assert await workers.verify(WORKS[:1]) == [WORKS[0].token.b]
