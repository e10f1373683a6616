"""Batches at the gate: every call passes, is counted and is refused by itself (EQ-1, GATE-6..10)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from gate_kit import ALPHA, CHAIN, EXPERIENCE, GAMMA, VIEWS, WEALTH, GateNet, Issued
from lianzheng.compute.gate.model import (
    Evaluation,
    GateAnswer,
    GateAnswered,
    GateBatch,
    GateBatchAnswer,
    GateCall,
    GateRequest,
    ViewEpoch,
)
from lianzheng.compute.gate.requester import Opened, Use
from lianzheng.compute.gate.work import Element, EvaluationWork, TokenWork
from lianzheng.compute.gate.workers import LocalGateWorkers
from lianzheng.consent.model import ConsentRevoke
from lianzheng.crypto.hazmat.bls12381 import scalar_to_bytes
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, LianzhengError, NotFoundError, UnavailableError, VerificationError
from lianzheng.limits import GATE_BATCH_MAX

EPOCH = (ViewEpoch(view=WEALTH, epoch=1),)


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


def call(request: GateRequest, issued: Issued) -> bytes:
    return GateCall(request=request, token=issued.token.to_bytes()).to_bytes()


def codes(outcomes: Sequence[object]) -> list[str]:
    return [outcome.code if isinstance(outcome, LianzhengError) else "ok" for outcome in outcomes]


async def granted(net: GateNet, count: int) -> list[Issued]:
    issued = [net.issue(net.people[at % len(net.people)]) for at in range(count)]
    assert await net.grant(*issued) == ["ok"] * count
    return issued


async def test_a_batch_opens_what_single_requests_open(net: GateNet) -> None:
    issued = await granted(net, 20)
    views = tuple(ViewEpoch(view=view, epoch=1) for view in VIEWS)
    opened = await net.client.ask_many(net.task, [Use(one.token.to_bytes(), one.r, views) for one in issued])
    assert codes(opened) == ["ok"] * 20
    counts = await net.counts()
    assert (counts.receipts, counts.uses, counts.answers) == (20, 60, 60)
    for one, mine in zip(issued[:3], opened, strict=False):
        alone = await net.client.ask(net.task, one.token.to_bytes(), one.r, views)
        assert isinstance(mine, Opened)
        assert mine.elements == alone.elements
        assert mine.receipt != alone.receipt
    assert (await net.counts()).uses == 60


async def test_flawed_calls_among_honest_ones(net: GateNet) -> None:
    issued = await granted(net, 6)
    other, foreign = net.issue(), net.issue(issuer=ALPHA)
    assert await net.grant(other, foreign) == ["ok", "ok"]
    withdrawn, stranger = issued[4], net.issue()
    await net.act(withdrawn, "consent.revoke", revocation(withdrawn))
    spoilt = net.issue()
    token = spoilt.token.model_copy(update={"z": scalar_to_bytes(7)})
    spoilt = Issued(token, spoilt.r, spoilt.seed)
    assert await net.grant(spoilt) == ["ok"]
    swapped = net.issue()
    token = swapped.token.model_copy(update={"sigma_i": other.token.sigma_i})
    swapped = Issued(token, swapped.r, swapped.seed)
    assert await net.grant(swapped) == ["ok"]
    raws = [
        call(net.request(issued[0]), issued[0]),
        b"{}",
        call(net.request(issued[1], task=bytes(32)), issued[1]),
        call(net.request(spoilt), spoilt),
        call(net.request(issued[2]), issued[2]),
        call(net.request(swapped), swapped),
        call(net.request(withdrawn), withdrawn),
        call(net.request(stranger), stranger),
        call(net.request(foreign), foreign),
        call(net.request(issued[3], (ViewEpoch(view=WEALTH, epoch=2),)), issued[3]),
        call(net.request(issued[5]), issued[5]),
    ]
    before = await net.counts()
    outcomes = await net.gate.answer_many(ALPHA.did, raws)
    assert codes(outcomes) == [
        "ok",
        "field_invalid",
        "task_unknown",
        "token_holder_signature_invalid",
        "ok",
        "token_issuer_signature_invalid",
        "consent_revoked",
        "consent_unknown",
        "token_issuer_group_forbidden",
        "epoch_unknown",
        "ok",
    ]
    after = await net.counts()
    assert (after.receipts, after.uses, after.evaluations) == (before.receipts + 3, before.uses + 3, 3)
    assert [line.outcome for line in net.log.lines()] == [
        "answered" if c == "ok" else c for c in codes(outcomes) if c != "field_invalid"
    ]


def revocation(issued: Issued) -> JsonObject:
    grant = issued.grant(ALPHA)
    return ConsentRevoke(rk=grant.rk, not_after=grant.not_after, h=grant.h).to_json()


async def test_the_same_bytes_twice_in_one_batch_cost_one_use(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    raw = call(net.request(issued), issued)
    first, second = await net.gate.answer_many(ALPHA.did, [raw, raw])
    assert first == second
    assert await net.gate.answer(ALPHA.did, raw) == first
    assert await net.gate.answer_many(ALPHA.did, [raw]) == [first]
    assert (await net.counts()).receipts == 1


async def test_the_last_use_goes_once(net: GateNet) -> None:
    issued = await net.granted(max_uses=1)
    raws = [call(net.request(issued, (view,)), issued) for view in VIEWS]
    assert sorted(codes(await net.gate.answer_many(ALPHA.did, raws))) == ["ok", "uses_exhausted", "uses_exhausted"]
    assert (await net.counts()).uses == 1


async def test_a_quota_is_not_overdrawn_by_batches_side_by_side(net: GateNet) -> None:
    issued = await granted(net, 8)
    task = await net.propose(quota=3)
    raws = [call(net.request(one, task=task), one) for one in issued]
    both = await asyncio.gather(*(net.gate.answer_many(ALPHA.did, raws[at : at + 4]) for at in (0, 4)))
    assert sorted(codes(both[0] + both[1])) == ["ok"] * 3 + ["task_exhausted"] * 5
    assert (await net.counts()).task_uses == 3


async def test_a_withdrawal_while_the_batch_is_at_work_wins(net: GateNet) -> None:
    issued = await granted(net, 2)

    class Slow(LocalGateWorkers):
        async def evaluate(self, works: Sequence[EvaluationWork]) -> list[Evaluation]:
            done = await super().evaluate(works)
            await net.act(issued[0], "consent.revoke", revocation(issued[0]))
            return done

    net.gate._workers = Slow(CHAIN)
    raws = [call(net.request(one), one) for one in issued]
    assert codes(await net.gate.answer_many(ALPHA.did, raws)) == ["consent_revoked", "ok"]
    assert (await net.counts()).receipts == 1


async def test_lost_workers_refuse_the_open_calls_and_count_nothing(net: GateNet) -> None:
    class Lost(LocalGateWorkers):
        async def verify(self, works: Sequence[TokenWork]) -> list[Element]:
            raise UnavailableError("gate_workers_lost", "A worker of this node ended unexpectedly.")

    net.gate._workers = Lost(CHAIN)
    issued = await granted(net, 2)
    raws = [call(net.request(issued[0]), issued[0]), b"", call(net.request(issued[1]), issued[1])]
    outcomes = await net.gate.answer_many(ALPHA.did, raws)
    assert codes(outcomes) == ["gate_workers_lost", "json_malformed", "gate_workers_lost"]
    assert (await net.counts()).evaluations == 0
    net.gate._workers = LocalGateWorkers(CHAIN)
    assert codes(await net.gate.answer_many(ALPHA.did, raws[::2])) == ["ok", "ok"]


async def test_a_batch_has_bounds(net: GateNet) -> None:
    for raws in ([], [b"{}"] * (GATE_BATCH_MAX + 1)):
        with pytest.raises(FormatError) as caught:
            await net.gate.answer_many(ALPHA.did, raws)
        assert caught.value.code == "batch_size"


async def test_refusals_reach_the_requester_under_their_codes(net: GateNet) -> None:
    issued = await granted(net, 2)
    stranger = net.issue()
    uses = [Use(one.token.to_bytes(), one.r, EPOCH) for one in (issued[0], stranger, issued[1])]
    outcomes = await net.client.ask_many(net.task, uses)
    assert codes(outcomes) == ["ok", "consent_unknown", "ok"]
    assert isinstance(outcomes[1], NotFoundError)
    assert await net.client.ask_many(net.task, []) == []


@pytest.mark.parametrize("view", [EXPERIENCE, "swap"])
async def test_answers_that_belong_elsewhere_are_refused_one_by_one(net: GateNet, view: str) -> None:
    issued = await granted(net, 3)

    def swap(raw: bytes) -> bytes:
        """Two answers change places, or one is missing."""
        answers = GateBatchAnswer.from_bytes(raw).answers
        mixed = (answers[1], answers[0], answers[2]) if view == "swap" else answers[:2]
        return GateBatchAnswer(answers=mixed).to_bytes()

    net.transport.change = swap
    uses = [Use(one.token.to_bytes(), one.r, EPOCH) for one in issued]
    if view == "swap":
        assert codes(await net.client.ask_many(net.task, uses)) == ["answer_mismatch", "answer_mismatch", "ok"]
    else:
        with pytest.raises(VerificationError) as caught:
            await net.client.ask_many(net.task, uses)
        assert caught.value.code == "answer_mismatch"


async def test_tokens_of_two_providers_are_no_batch(net: GateNet) -> None:
    one, other = net.issue(), net.issue(provider=GAMMA.did)
    with pytest.raises(FormatError) as caught:
        await net.client.ask_many(net.task, [Use(t.token.to_bytes(), t.r, EPOCH) for t in (one, other)])
    assert caught.value.code == "batch_providers"


def test_the_messages_have_one_encoding() -> None:
    batch = GateBatch(calls=(b"one", b"two"))
    assert batch.to_bytes() == b'{"calls":["b25l","dHdv"]}'
    assert GateBatch.from_bytes(batch.to_bytes()) == batch
    answers = GateBatchAnswer.from_bytes(
        b'{"answers":[{"answer":"b25l"},{"code":"a_code","next_step":"","status":403,"title":"A text."}]}'
    ).answers
    assert answers[0] == GateAnswered(answer=b"one")
    for broken in (
        b'{"calls":[]}',
        b'{"answers":[{"answer":"b25l","code":"a_code","next_step":"","status":403,"title":"A text."}]}',
    ):
        for kind in (GateBatch, GateBatchAnswer, GateAnswer):
            with pytest.raises(FormatError):
                kind.from_bytes(broken)
