"""GATE-2: an approved, unexpired, unexhausted contract covers requester, function and views."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from compute_kit import DAY_MS
from gate_kit import ALPHA, BETA, DELTA, EXPERIENCE, GAMMA, MANY, WEALTH, GateNet
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.tasks.model import TaskCancel, TaskClose, TaskRefuse, task_key


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


async def test_no_such_task(net: GateNet) -> None:
    await net.deny("task_unknown", await net.granted(), task=b"\7" * 32)


async def test_a_cancelled_task(net: GateNet) -> None:
    issued = await net.granted()
    await net.sender(ALPHA).send("task.cancel", TaskCancel(task=net.task))
    await net.deny("task_ended", issued)


async def test_a_closed_task(net: GateNet) -> None:
    issued = await net.granted()
    await net.reports.report(net.task)
    await net.sender(ALPHA).send("task.close", TaskClose(task=net.task))
    await net.deny("task_ended", issued)


@pytest.mark.parametrize("late_ms", [0, 1])
async def test_an_expired_task(net: GateNet, late_ms: int) -> None:
    issued = await net.granted()
    expires_ms = net.clock.now_ms() + DAY_MS
    task = await net.propose(expires_ms=expires_ms)
    net.clock.advance(DAY_MS - 1)
    await net.ask(issued, task=task)
    net.clock.advance(1 + late_ms)
    await net.deny("task_expired", issued, task=task)


async def test_a_task_expired_in_block_time_alone(net: GateNet) -> None:
    issued = await net.granted()
    task = await net.propose(expires_ms=net.clock.now_ms() + DAY_MS)
    net.clock.advance(DAY_MS)
    await net.propose()  # a block of that time
    net.clock.advance(-DAY_MS)
    await net.deny("task_expired", issued, task=task)


async def test_a_task_that_nobody_approved(net: GateNet) -> None:
    await net.deny("task_not_approved", await net.granted(), task=await net.propose(approve=False))


async def test_a_task_that_this_provider_refused(net: GateNet) -> None:
    task = await net.propose(approve=False)
    await net.sender(BETA).send("task.refuse", TaskRefuse(task=task, reason="purpose"))
    await net.deny("task_not_approved", await net.granted(), task=task)


async def test_another_requesters_task(net: GateNet) -> None:
    await net.deny("task_requester_mismatch", await net.granted(), task=await net.propose(DELTA))


async def test_a_task_for_another_function(net: GateNet) -> None:
    issued = await net.granted()
    contract = dict((net.ledger.get(task_key(net.task)) or {})["contract"])
    net.ledger.put(task_key(net.task), contract=contract | {"function": "intersection"})
    await net.deny("task_function_mismatch", issued)


async def test_a_view_that_the_task_does_not_cover(net: GateNet) -> None:
    task = await net.propose(views=[WEALTH])
    await net.deny("view_not_in_task", await net.granted(), (WEALTH, EXPERIENCE), task=task)


async def test_a_view_of_another_provider_of_the_task(net: GateNet) -> None:
    """The contract covers GAMMA's view, but GAMMA answers for it."""
    theirs = "gamma-clients/wealth/bands"
    gamma = DatasetService(net.datasets, net.sender(GAMMA), net.clock)
    await gamma.publish(net.offer(dataset="gamma-clients", views=[theirs]))
    task = await net.propose(views=sorted((WEALTH, theirs)), providers=sorted((BETA.did, GAMMA.did)))
    await net.deny("view_not_in_task", await net.granted(views=tuple(sorted((WEALTH, theirs)))), (theirs,), task=task)


async def test_an_exhausted_task(net: GateNet) -> None:
    first, second = await net.granted(net.people[1]), await net.granted(net.people[2])
    task = await net.propose(quota=2)
    await net.ask(first, (WEALTH,), task=task)
    await net.deny("task_exhausted", second, (WEALTH, EXPERIENCE), task=task)
    await net.ask(second, (WEALTH,), task=task)
    await net.deny("task_exhausted", first, (MANY,), task=task)
    await net.ask(first, (WEALTH,), task=task)  # counted before: it costs nothing (B28)
