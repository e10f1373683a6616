"""GATE-0 and GATE-8: open epochs only; each (cid, view, epoch) counted once, durably, whole or not at all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import update

from gate_kit import ALPHA, CHAIN, EXPERIENCE, MANY, VIEWS, WEALTH, GateNet
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.gate import UseRepository
from lianzheng.adapters.storage.tables.compute import view_epoch
from lianzheng.compute.gate.model import GateAnswer, GateCall, ViewEpoch
from lianzheng.compute.gate.work import Element, TokenWork
from lianzheng.compute.gate.workers import LocalGateWorkers
from lianzheng.consent.model import ConsentRevoke
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.limits import REQUEST_SKEW_MS, VIEW_ANSWERS_MAX


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


async def outcomes(net: GateNet, *calls: GateCall) -> list[str]:
    """All at once; answered or the code of the refusal, sorted."""
    raised = await asyncio.gather(
        *(net.gate.answer(ALPHA.did, call.to_bytes()) for call in calls), return_exceptions=True
    )
    return sorted(
        answer.code if isinstance(answer, LianzhengError) else "answered" if isinstance(answer, bytes) else repr(answer)
        for answer in raised
    )


# --- GATE-0 ------------------------------------------------------------------------------------------------------


async def test_a_view_twice_in_one_request(net: GateNet) -> None:
    await net.deny("view_repeated", await net.granted(), (WEALTH, WEALTH))


@pytest.mark.parametrize("epoch", [0, 2])
async def test_an_epoch_that_nobody_committed_to(net: GateNet, epoch: int) -> None:
    await net.deny("epoch_unknown", await net.granted(), (ViewEpoch(view=WEALTH, epoch=epoch),))


async def test_an_epoch_that_is_committed_and_not_published(net: GateNet) -> None:
    """The table must be bound and downloadable before anybody asks."""
    issued = await net.granted()
    net.fail("epoch.publish")
    with pytest.raises(UnavailableError):
        await net.views.open_epoch(WEALTH, net.until_ms)
    await net.deny("epoch_not_published", issued, (ViewEpoch(view=WEALTH, epoch=2),))


async def test_an_epoch_answers_until_its_end(net: GateNet) -> None:
    issued = await net.granted()
    net.clock.advance(net.until_ms - 1 - net.clock.now_ms())
    await net.ask(issued, (WEALTH,))
    net.clock.advance(1)
    await net.deny("epoch_not_open", issued, (EXPERIENCE,))


async def test_a_stored_answer_ends_with_its_epoch(net: GateNet) -> None:
    issued = await net.granted()
    net.clock.advance(net.until_ms - 1 - net.clock.now_ms())
    request = net.request(issued)
    await net.send(request, issued.token)
    net.clock.advance(1)
    await net.refused("epoch_not_open", request, issued.token)


async def test_an_epoch_that_ended_at_this_node_alone(net: GateNet) -> None:
    """After a restore from backup every open epoch is ended: the counts before the backup are gone."""
    issued = await net.granted()
    await net.views.end_all()
    await net.refused("view_key_missing", net.request(issued), issued.token, evaluates=True)


async def test_the_last_answer_under_one_key(net: GateNet) -> None:
    issued = await net.granted()
    async with net.database.begin() as connection:
        await connection.execute(update(view_epoch).values(answers=VIEW_ANSWERS_MAX - 1))
    await net.ask(issued)
    await net.refused("view_key_exhausted", net.request(issued), issued.token, evaluates=True)


# --- GATE-8 ------------------------------------------------------------------------------------------------------


async def test_a_used_up_consent(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    await net.ask(issued, (WEALTH,))
    await net.deny("uses_exhausted", issued, (EXPERIENCE,))


async def test_a_request_is_refused_whole(net: GateNet) -> None:
    issued = await net.granted(max_uses=2)
    await net.deny("uses_exhausted", issued, VIEWS)
    await net.ask(issued, (WEALTH, EXPERIENCE))
    await net.deny("uses_exhausted", issued, (WEALTH, MANY))


async def test_a_use_is_a_view_in_an_epoch(net: GateNet) -> None:
    issued = await net.granted(max_uses=2)
    await net.views.open_epoch(WEALTH, net.until_ms)
    second = ViewEpoch(view=WEALTH, epoch=2)
    await net.ask(issued, (WEALTH, second))
    await net.deny("uses_exhausted", issued, (EXPERIENCE,))
    await net.ask(issued, (second,))


async def test_the_same_bytes_get_the_same_bytes_and_cost_nothing(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    request = net.request(issued)
    first = await net.send(request, issued.token)
    counted = await net.counts()
    net.clock.advance(1000)
    assert await net.send(request, issued.token) == first
    assert await net.counts() == counted


async def test_another_request_for_a_counted_use_gets_a_new_proof_of_the_same_point(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    first, second = await net.ask(issued), await net.ask(issued)
    assert first.evaluations[0].w == second.evaluations[0].w
    assert first.evaluations[0].proof != second.evaluations[0].proof
    counts = await net.counts()
    assert (counts.uses, counts.task_uses, counts.receipts) == (1, 1, 2)


async def test_a_repeat_passes_every_other_gate_again(net: GateNet) -> None:
    issued = await net.granted()
    request = net.request(issued)
    await net.send(request, issued.token)
    await net.sender(ALPHA).send("consent.revoke", ConsentRevoke(cid=issued.cid), ordered=True)
    await net.refused("consent_revoked", request, issued.token)
    await net.deny("consent_revoked", issued)


async def test_a_withdrawal_that_arrives_while_a_repeat_is_checked(net: GateNet) -> None:
    """The stored answer leaves under the same last look at the consent as a new one."""
    issued = await net.granted()
    request = net.request(issued)
    await net.send(request, issued.token)

    class Slow(LocalGateWorkers):
        async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
            done = await super().verify(works)
            transaction = issued.transaction("consent.revoke", {}, net.clock.now_ms())
            await net.refusals.add_refusal(issued.cid, transaction.to_bytes(), net.clock.now_ms())
            return done

    net.gate._workers = Slow(CHAIN)
    await net.refused("consent_revoked", request, issued.token, alone=True)


async def test_a_repeat_too_late(net: GateNet) -> None:
    issued = await net.granted()
    request = net.request(issued)
    await net.send(request, issued.token)
    net.clock.advance(REQUEST_SKEW_MS + 1)
    await net.refused("request_time_skew", request, issued.token)


async def test_one_consent_twice_at_the_same_time(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    calls = [GateCall(request=net.request(issued, (view,)), token=issued.token.to_bytes()) for view in VIEWS]
    assert await outcomes(net, *calls) == ["answered", "uses_exhausted", "uses_exhausted"]
    counts = await net.counts()
    assert (counts.uses, counts.answers) == (1, 1)


async def test_one_consent_at_the_same_time_under_two_tasks(net: GateNet) -> None:
    issued, other = await net.granted(max_uses=1), await net.propose()
    calls = [
        GateCall(request=net.request(issued, (view,), task=task), token=issued.token.to_bytes())
        for view, task in ((WEALTH, net.task), (MANY, other))
    ]
    assert await outcomes(net, *calls) == ["answered", "uses_exhausted"]


async def test_the_same_bytes_at_the_same_time_get_one_answer(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    raw = GateCall(request=net.request(issued), token=issued.token.to_bytes()).to_bytes()
    answers = await asyncio.gather(*(net.gate.answer(ALPHA.did, raw) for _ in range(4)))
    assert len(set(answers)) == 1
    counts = await net.counts()
    assert (counts.receipts, counts.uses, counts.answers) == (1, 1, 1)


async def test_the_last_of_a_quota_at_the_same_time(net: GateNet) -> None:
    issued = [net.issue(person) for person in net.people[:4]]
    await net.grant(*issued)
    task = await net.propose(quota=1)
    calls = [GateCall(request=net.request(one, task=task), token=one.token.to_bytes()) for one in issued]
    assert await outcomes(net, *calls) == ["answered", "task_exhausted", "task_exhausted", "task_exhausted"]


async def test_a_counted_use_under_another_task_costs_that_tasks_quota_and_no_use(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    first = await net.ask(issued)
    other = await net.propose(quota=1)
    second = await net.ask(issued, task=other)
    assert first.evaluations[0].w == second.evaluations[0].w
    assert first.task_salt != second.task_salt
    counts = await net.counts()
    assert (counts.uses, counts.task_uses) == (1, 2)
    await net.deny("task_exhausted", await net.granted(net.people[2]), task=other)


async def test_a_used_up_consent_under_another_task(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    await net.ask(issued)
    await net.deny("uses_exhausted", issued, (MANY,), task=await net.propose())


async def test_counts_outlive_the_node(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    request = net.request(issued)
    first = await net.send(request, issued.token)
    await net.database.close()
    net.database = Database(sqlite_url(net.folder / "beta.db"))
    await net.database.open()
    net.uses = UseRepository(net.database)
    net.gate = net.make_gate(net.ledger)
    assert await net.send(request, issued.token) == first
    with pytest.raises(LianzhengError, match="uses_exhausted"):
        await net.ask(issued, (MANY,))


async def test_an_answer_says_what_was_counted(net: GateNet) -> None:
    issued = await net.granted()
    answer = await net.ask(issued, (WEALTH, MANY))
    assert [(item.view, item.epoch) for item in answer.evaluations] == [(WEALTH, 1), (MANY, 1)]
    assert isinstance(answer, GateAnswer)
    assert (await net.counts()).uses == 2
