"""GATE-8 from the asking side: an answer that is lost is had again by the same bytes, and nothing is counted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import select

from gate_kit import ALPHA, BETA, CHAIN, WEALTH, GateNet, Issued
from lianzheng.adapters.storage.asks import AskRepository
from lianzheng.adapters.storage.tables.resume import gate_ask
from lianzheng.compute.gate.model import UsageReceipt, ViewEpoch, request_hash
from lianzheng.compute.gate.requester import GateClient, Opened, Use
from lianzheng.consent.model import ConsentRevoke
from lianzheng.errors import LianzhengError, RefusedError, UnavailableError
from lianzheng.limits import REQUEST_SKEW_MS

VIEWS = (ViewEpoch(view=WEALTH, epoch=1),)


class Asker:
    """ALPHA's client with a store; ``restart`` is a new process on the same store."""

    def __init__(self, net: GateNet) -> None:
        self.net = net
        self.store = AskRepository(net.database)
        self.restart()

    def restart(self) -> None:
        net = self.net
        self.client = GateClient(
            ALPHA.did, CHAIN, ALPHA.sign, net.transport, lambda: net.engine.state, net.clock, asks=self.store
        )

    async def ask(self, issued: Issued) -> Opened:
        return await self.client.ask(self.net.task, issued.token.to_bytes(), issued.r, VIEWS)

    async def lose(self, issued: Issued) -> None:
        """The gate answers and counts; its answer never arrives."""

        def lost(_: bytes) -> bytes:
            raise UnavailableError("peer_unreachable", "gone")

        self.net.transport.change = lost
        with pytest.raises(UnavailableError, match="peer_unreachable"):
            await self.ask(issued)
        self.net.transport.change = lambda answer: answer

    async def keep(self, receipt: UsageReceipt) -> None:
        answer, request = receipt.answer, receipt.request
        name = request_hash(request)
        await self.net.receipts.save_receipt(
            request.task, BETA.did, request.cid, name, receipt.to_bytes(), answer.time_ms
        )

    async def counted(self) -> tuple[int, int]:
        """Uses and requests that BETA has counted under the task."""
        counts = (await self.net.uses.task_uses(self.net.task)).counts
        return counts.uses, counts.requests


@pytest.fixture
async def asker(tmp_path: Path) -> AsyncIterator[Asker]:
    net = await GateNet(tmp_path).open()
    yield Asker(net)
    await net.close()


async def test_after_a_crash_the_same_bytes_give_the_receipt_of_the_use_that_was_counted(asker: Asker) -> None:
    await asker.lose(await asker.net.granted())
    assert await asker.counted() == (1, 1)
    asker.restart()
    (ask,) = await asker.store.open()
    receipt = await asker.client.repeat(ask)
    await asker.keep(receipt)
    assert [(receipt.request.to_bytes(), receipt.answer.to_bytes())] == await asker.net.uses.receipts(asker.net.task)
    assert await asker.counted() == (1, 1)
    assert await asker.store.open() == []


async def test_asked_again_the_question_goes_out_as_it_was(asker: Asker) -> None:
    issued = await asker.net.granted()
    await asker.lose(issued)
    opened = await asker.ask(issued)
    ((request, answer),) = await asker.net.uses.receipts(asker.net.task)
    assert (opened.receipt.request.to_bytes(), opened.receipt.answer.to_bytes()) == (request, answer)
    key = asker.net.views.keys.get(WEALTH, 1)
    assert key is not None
    assert opened.elements[VIEWS[0]] == asker.net.people[1].u * key.scalar
    await asker.keep(opened.receipt)
    again = await asker.ask(issued)  # answered and kept: from here on it is another question on the same use
    assert again.receipt.request.nonce != opened.receipt.request.nonce
    assert await asker.counted() == (1, 2)


async def test_in_a_batch_each_question_is_found_by_itself(asker: Asker) -> None:
    lost, new = await asker.net.granted(), await asker.net.granted()
    await asker.lose(lost)
    uses = [Use(one.token.to_bytes(), one.r, VIEWS) for one in (lost, new)]
    outcomes = await asker.client.ask_many(asker.net.task, uses)
    for outcome in outcomes:
        assert isinstance(outcome, Opened)
        await asker.keep(outcome.receipt)
    assert await asker.counted() == (2, 2)
    assert await asker.store.open() == []


async def test_a_refusal_of_the_first_try_leaves_nothing(asker: Asker) -> None:
    with pytest.raises(LianzhengError, match="consent_unknown"):
        await asker.ask(asker.net.issue())
    assert await asker.store.open() == []
    assert await asker.counted() == (0, 0)


async def test_a_repeat_passes_all_gates_again_and_the_question_stays_as_proof(asker: Asker) -> None:
    """GATE-8: the same after revocation is refused, although it was counted before."""
    issued = await asker.net.granted()
    await asker.lose(issued)
    payload = ConsentRevoke(cid=issued.cid)
    await asker.net.sender(ALPHA).send("consent.revoke", payload, ordered=True)
    (ask,) = await asker.store.open()
    with pytest.raises(RefusedError, match="consent_revoked"):
        await asker.client.repeat(ask)
    assert await asker.store.open() == []
    assert await asker.counted() == (1, 1)
    for before_ms, kept in ((ask.until_ms, ["consent_revoked"]), (ask.until_ms + 1, [])):  # until its epoch has ended
        await asker.store.forget(before_ms)
        codes = await asker.net.database.query(lambda c: list(c.execute(select(gate_ask.c.code)).scalars()))
        assert codes == kept


async def test_a_question_too_old_to_be_repeated_is_asked_anew_at_no_use(asker: Asker) -> None:
    issued = await asker.net.granted()
    await asker.lose(issued)
    asker.net.clock.advance(REQUEST_SKEW_MS)
    (ask,) = await asker.store.open()
    opened = await asker.ask(issued)
    assert request_hash(opened.receipt.request) != ask.request_hash
    with pytest.raises(RefusedError, match="request_time_skew"):
        await asker.client.repeat(ask)
    assert await asker.counted() == (1, 2)
    assert ask not in await asker.store.open()


async def test_an_answer_that_proves_nothing_is_not_asked_for_for_ever(asker: Asker) -> None:
    asker.net.transport.change = lambda answer: answer.replace(b'"time_ms":1', b'"time_ms":2')
    with pytest.raises(LianzhengError, match="answer_signature_invalid"):
        await asker.ask(await asker.net.granted())
    assert await asker.store.open() == []
