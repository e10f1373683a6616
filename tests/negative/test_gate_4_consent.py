"""GATE-4: the consent stands, active, posted by its requester, and this node knows the present head."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from gate_kit import ALPHA, CHAIN, DELTA, START_MS, GateNet, Issued
from ledger_kit import DirectLink, make_follower
from lianzheng.clock import DAY_MS, day_of, end_of_day_ms
from lianzheng.consent.model import (
    ConsentPause,
    ConsentResume,
    ConsentRevoke,
    Grant,
    cid_of,
    grant_pop_bytes,
    record_hash,
    token_digest,
)
from lianzheng.consent.status import read_record
from lianzheng.crypto import ed25519
from lianzheng.errors import UnavailableError
from lianzheng.limits import HEAD_FRESH_MS


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


def pausing(net: GateNet, issued: Issued) -> ConsentPause:
    record = read_record(net.engine.state, issued.cid)
    return ConsentPause(cid=issued.cid, seq=record.seq + 1, prev=record_hash(record))


def by_key(issued: Issued) -> ConsentRevoke:
    terms = issued.token.terms
    return ConsentRevoke(rk=terms.rk, not_after=terms.not_after, h=token_digest(issued.token))


async def test_a_consent_that_was_never_granted(net: GateNet) -> None:
    await net.deny("consent_unknown", net.issue())


async def test_a_request_that_names_another_consent(net: GateNet) -> None:
    issued, other = await net.granted(), await net.granted()
    await net.deny("consent_mismatch", issued, cid=other.cid)


async def test_a_record_unlike_the_terms(net: GateNet) -> None:
    issued = await net.granted()
    net.ledger.put(net.record_key(issued), not_after="2026-10-01")
    await net.deny("consent_mismatch", issued)


async def test_a_grant_with_a_not_after_unlike_the_terms(net: GateNet) -> None:
    """Its cid is another: a longer life on the ledger gives the token none."""
    issued = net.issue(not_after=day_of(START_MS + 5 * DAY_MS))
    longer, h, rk = day_of(START_MS + 90 * DAY_MS), token_digest(issued.token), issued.token.terms.rk
    cid = cid_of(rk, longer, h)
    pop = ed25519.sign(issued.seed, grant_pop_bytes(CHAIN, cid, ALPHA.did))
    assert await net.post(Grant(rk=rk, not_after=longer, h=h, pop=pop)) == ["ok"]
    await net.deny("consent_unknown", issued)
    await net.deny("consent_mismatch", issued, cid=cid)


async def test_a_grant_posted_by_another_member(net: GateNet) -> None:
    """Even with a pop for that member: the sender must be the requester of the terms."""
    await net.deny("consent_sender_wrong", await net.granted(poster=DELTA))


async def test_a_withdrawal_by_the_consents_key(net: GateNet) -> None:
    issued = await net.granted()
    await net.ask(issued)
    assert await net.act(issued, "consent.revoke", by_key(issued).to_json()) == "ok"
    await net.deny("consent_revoked", issued)


async def test_a_withdrawal_at_the_counter(net: GateNet) -> None:
    issued = await net.granted()
    await net.sender(ALPHA).send("consent.revoke", ConsentRevoke(cid=issued.cid), ordered=True)
    await net.deny("consent_revoked", issued)


async def test_a_grant_held_back_until_after_the_withdrawal(net: GateNet) -> None:
    issued = net.issue()
    assert await net.act(issued, "consent.revoke", by_key(issued).to_json()) == "ok"
    assert await net.grant(issued) == ["grant_revoked"]
    await net.deny("consent_revoked", issued)


async def test_a_withdrawal_held_here_and_not_yet_in_a_block(net: GateNet) -> None:
    issued = await net.granted()
    transaction = issued.transaction("consent.revoke", by_key(issued).to_json(), net.clock.now_ms())
    await net.refusals.add_refusal(issued.cid, transaction.to_bytes(), net.clock.now_ms())
    assert read_record(net.engine.state, issued.cid).status == "active"
    await net.deny("consent_revoked", issued)


async def test_a_withdrawal_that_arrives_while_the_answer_is_made(net: GateNet) -> None:
    issued = await net.granted()
    late = Arriving(net)
    net.gate._revoked = late

    async def withdraw() -> None:
        if late.asked == 2:
            await net.sender(ALPHA).send("consent.revoke", ConsentRevoke(cid=issued.cid), ordered=True)

    late.before = withdraw
    await net.refused("consent_revoked", net.request(issued), issued.token, evaluates=True)


async def test_a_paused_consent_until_it_is_resumed(net: GateNet) -> None:
    issued = await net.granted()
    assert await net.act(issued, "consent.pause", pausing(net, issued).to_json()) == "ok"
    await net.deny("consent_paused", issued)
    resuming = ConsentResume.from_json(pausing(net, issued).to_json())
    assert await net.act(issued, "consent.resume", resuming.to_json()) == "ok"
    await net.ask(issued)


async def test_a_consent_whose_last_day_ends_while_the_answer_is_made(net: GateNet) -> None:
    day = day_of(START_MS + 2 * DAY_MS)
    issued = await net.granted(not_after=day)
    net.clock.advance(end_of_day_ms(day) - net.clock.now_ms())
    late = Arriving(net)
    net.gate._revoked = late

    async def midnight() -> None:
        net.clock.advance(1)
        await net.propose()

    late.before = midnight
    await net.refused("consent_expired", net.request(issued), issued.token, alone=True)


async def test_ledger_stale(net: GateNet, tmp_path: Path) -> None:
    """A provider that follows, cut off from the sequencer: it answers for 60 s and then no more."""
    issued = await net.granted()
    (tmp_path / "beta").mkdir()
    link = DirectLink(net.engine)
    follower = make_follower(tmp_path / "beta", link, net.clock)
    await follower.start()
    try:
        await follower.sync()
        await follower.refresh()
        net.gate = net.make_gate(follower)
        await net.ask(issued)
        link.cut = True
        net.clock.advance(HEAD_FRESH_MS + 1)
        await net.deny("ledger_stale", issued)
    finally:
        await follower.stop()


@pytest.mark.parametrize("code", ["ledger_rolled_back", "ledger_forked", "state_diverged"])
async def test_a_ledger_that_cannot_be_trusted(net: GateNet, monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """What the engine says of its own head is the gate's answer; the engine's own tests play each fault."""
    issued = await net.granted()

    def refuse() -> None:
        raise UnavailableError(code, "Not this head.")

    monkeypatch.setattr(net.ledger, "assert_fresh", refuse)
    await net.deny(code, issued)


async def test_a_stopped_ledger(net: GateNet) -> None:
    issued = await net.granted()
    await net.stop_ledger()
    with pytest.raises(UnavailableError, match="ledger_stopped"):
        net.engine.assert_fresh()
    await net.deny("ledger_stopped", issued)


class Arriving:
    """The provider's refusals, with something that happens just before each look at them."""

    def __init__(self, net: GateNet) -> None:
        self.net = net
        self.asked = 0
        self.before: Callable[[], Awaitable[None]] | None = None

    async def is_refused(self, cid: bytes) -> bool:
        self.asked += 1
        if self.before is not None:
            await self.before()
        return await self.net.refusals.is_refused(cid)
