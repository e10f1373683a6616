"""A person learns every use of its own consents from both sides, and nobody else learns any (GATE-10, AUTH-4)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from consent_kit import Wallets
from gate_kit import ALPHA, BETA, CHAIN, EXPERIENCE, GAMMA, WEALTH, GateNet, Issued
from ledger_kit import START_MS, Party
from lianzheng import limits
from lianzheng.adapters.storage.accesses import AccessRepository
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.gate import ReceiptRepository
from lianzheng.clock import ManualClock
from lianzheng.compute.gate.access import AccessAnswer, AccessQuery, answer_bytes, query_bytes, verify_query
from lianzheng.compute.gate.model import ViewEpoch, request_hash
from lianzheng.consent.model import token_digest
from lianzheng.crypto import ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import LianzhengError
from lianzheng.flows import accesses
from lianzheng.flows.accesses import AccessDesk
from lianzheng.wallet import Wallet
from lianzheng.wallet.keys import consent_seed
from lianzheng.wallet.model import HeldConsent, HeldToken


class Scene:
    """BETA's gate, ALPHA's receipts in its own database, and one wallet whose tokens were used."""

    def __init__(self, net: GateNet) -> None:
        self.net = net
        self.wallet = Wallet.create("one", CHAIN, Wallets(), net.clock, test_network=True)
        self.indexes = 0

    async def open(self) -> Scene:
        net = self.net
        self.database = Database(sqlite_url(net.folder / "alpha.db"))
        await self.database.open()
        self.receipts = ReceiptRepository(self.database)
        self.book = AccessRepository(self.database)
        self.asking = AccessDesk(ALPHA.did, CHAIN, self.book, ALPHA.sign, net.clock)
        self.providing = AccessDesk(BETA.did, CHAIN, AccessRepository(net.database), BETA.sign, net.clock)
        return self

    async def consent(self, wallet: Wallet | None = None) -> tuple[Issued, HeldConsent, HeldToken]:
        """A granted token under a key of the wallet."""
        index, self.indexes = self.indexes, self.indexes + 1
        seed = consent_seed((wallet or self.wallet)._state.seed, CHAIN, index)
        issued = replace(self.net.issue(rk=ed25519.public_key(seed)), seed=seed)
        assert await self.net.grant(issued) == ["ok"]
        token = HeldToken(
            provider=BETA.did, index=index, cid=issued.cid, h=token_digest(issued.token),
            not_after=issued.token.terms.not_after,
        )  # fmt: skip
        named = {"credentialSubject": {"offer": {"requester": {"did": ALPHA.did}}}}
        return issued, HeldConsent(consent_id=f"c{index}", named=named, tokens=(token,), status="signed"), token

    async def use(self, issued: Issued, *views: str, bands: dict[str, int] | None = None) -> bytes:
        """One use, as ALPHA's node keeps it; the request's hash."""
        self.net.clock.advance(1_000)
        wanted = tuple(ViewEpoch(view=view, epoch=1) for view in views)
        opened = await self.net.client.ask(self.net.task, issued.token.to_bytes(), issued.r, wanted)
        name = request_hash(opened.receipt.request)
        await self.receipts.save_receipt(
            self.net.task, BETA.did, issued.cid, name, opened.receipt.to_bytes(), self.net.clock.now_ms()
        )
        if bands is not None:
            await self.book.keep_bands(name, bands)
        return name

    async def tell(
        self, desk: AccessDesk, consent: HeldConsent, token: HeldToken, member: Party, wallet: Wallet | None = None
    ) -> AccessAnswer:
        """Asked, answered, verified, kept."""
        asker = wallet or self.wallet
        query = asker.ask_uses(token, desk.challenge(), member.did)
        answer = await desk.answer(query.to_bytes())
        asker.note_uses(answer, query, consent, token, self.net.engine.state)
        return answer


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    net = await GateNet(tmp_path).open()
    made = await Scene(net).open()
    yield made
    await made.database.close()
    await net.close()


async def test_both_sides_tell_the_same_uses_and_the_requester_the_bands(scene: Scene) -> None:
    issued, consent, token = await scene.consent()
    first = await scene.use(issued, WEALTH, bands={"I01": 3})
    second = await scene.use(issued, WEALTH, EXPERIENCE, bands={"I01": 3, "I04": 1})
    await scene.tell(scene.providing, consent, token, BETA)
    log = scene.wallet.access_log
    assert [(one.request, one.bands, one.told_by) for one in log] == [
        (first, None, (BETA.did,)), (second, None, (BETA.did,)),
    ]  # fmt: skip
    await scene.tell(scene.asking, consent, token, ALPHA)
    await scene.tell(scene.asking, consent, token, ALPHA)  # told again, it is still one line a use
    log = scene.wallet.access_log
    both = tuple(sorted((ALPHA.did, BETA.did)))
    assert [(one.request, one.bands, one.told_by) for one in log] == [
        (first, {"I01": 3}, both), (second, {"I01": 3, "I04": 1}, both),
    ]  # fmt: skip
    assert {(one.requester, one.provider, one.purpose, one.task, one.cid) for one in log} == {
        (ALPHA.did, BETA.did, "suitability-assessment", scene.net.task, issued.cid)
    }
    assert [one.views for one in log] == [(WEALTH,), (WEALTH, EXPERIENCE)]
    assert log[0].time_ms == START_MS + 1_001


async def test_salt_and_points_stay_with_the_two_sides(scene: Scene) -> None:
    issued, consent, token = await scene.consent()
    await scene.use(issued, WEALTH)
    salt = await scene.net.uses.task_salt(scene.net.task)
    ((_, answer),) = await scene.net.uses.receipts(scene.net.task)
    point = b'"w":"' + answer.split(b'"w":"')[1][:64]
    for desk, member in ((scene.asking, ALPHA), (scene.providing, BETA)):
        told = (await scene.tell(desk, consent, token, member)).to_bytes()
        assert b64u_encode(salt).encode() not in told
        assert point not in told
        assert b"evaluations" not in told
        assert issued.token.to_bytes() not in told


async def test_another_person_s_wallet_gets_nothing(scene: Scene) -> None:
    """Its own key makes another cid of the same words, the right cid needs the right key, other uses are not told."""
    issued, _, token = await scene.consent()
    await scene.use(issued, WEALTH, bands={"I01": 3})
    thief = Wallet.create("thief", CHAIN, Wallets(), scene.net.clock, test_network=True)
    other, others_consent, others_token = await scene.consent(thief)
    for desk, member in ((scene.asking, ALPHA), (scene.providing, BETA)):
        stolen = thief.ask_uses(token, desk.challenge(), member.did)  # the words of the consent, the thief's own key
        answer = await desk.answer(stolen.to_bytes())
        assert (answer.uses, answer.more) == ((), False)
        assert answer.cid != issued.cid
        forged = scene.wallet.ask_uses(token, desk.challenge(), member.did)
        forged = forged.model_copy(update={"signature": ed25519.sign(other.seed, query_bytes(forged))})
        with pytest.raises(LianzhengError, match="access_signature_invalid"):
            await desk.answer(forged.to_bytes())
        own = await scene.tell(desk, others_consent, others_token, member, thief)
        assert own.uses == ()
    assert thief.access_log == ()


async def test_a_question_is_answered_once_here_and_in_time(scene: Scene) -> None:
    _, _, token = await scene.consent()
    clock, desk = scene.net.clock, scene.providing
    query = scene.wallet.ask_uses(token, desk.challenge(), BETA.did)
    await desk.answer(query.to_bytes())
    with pytest.raises(LianzhengError, match="access_challenge_invalid"):
        await desk.answer(query.to_bytes())
    with pytest.raises(LianzhengError, match="access_misdirected"):
        await scene.asking.answer(query.to_bytes())
    with pytest.raises(LianzhengError, match="access_misdirected"):
        scene.wallet.ask_uses(token, desk.challenge(), ALPHA.did)
    late = scene.wallet.ask_uses(token, desk.challenge(), BETA.did)
    clock.advance(limits.ACCESS_CHALLENGE_MS)
    with pytest.raises(LianzhengError, match="access_challenge_invalid"):
        await desk.answer(late.to_bytes())
    of_another = AccessDesk(BETA.did, CHAIN, scene.book, BETA.sign, clock).challenge()
    with pytest.raises(LianzhengError, match="access_challenge_invalid"):
        await desk.answer(scene.wallet.ask_uses(token, of_another, BETA.did).to_bytes())
    longer = desk.challenge()
    longer = longer.model_copy(update={"nonce": longer.nonce[:16] + b"\x01" + longer.nonce[17:]})
    with pytest.raises(LianzhengError, match="access_challenge_invalid"):
        await desk.answer(scene.wallet.ask_uses(token, longer, BETA.did).to_bytes())


async def test_what_is_remembered_is_bounded(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    _, _, token = await scene.consent()
    desk, clock = scene.providing, scene.net.clock
    monkeypatch.setattr(accesses, "ACCESS_NONCES_MAX", 2)
    for _ in range(2):
        await desk.answer(scene.wallet.ask_uses(token, desk.challenge(), BETA.did).to_bytes())
    with pytest.raises(LianzhengError, match="rate_limited"):
        await desk.answer(scene.wallet.ask_uses(token, desk.challenge(), BETA.did).to_bytes())
    clock.advance(limits.ACCESS_CHALLENGE_MS)
    await desk.answer(scene.wallet.ask_uses(token, desk.challenge(), BETA.did).to_bytes())


async def test_many_uses_come_in_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    issued, consent, token = await scene.consent()
    names = [await scene.use(issued, WEALTH) for _ in range(5)]
    monkeypatch.setattr(accesses, "ACCESS_USES_MAX", 2)
    found: list[bytes] = []
    for skip, more in ((0, True), (2, True), (4, False)):
        query = scene.wallet.ask_uses(token, scene.providing.challenge(), BETA.did, skip)
        answer = await scene.providing.answer(query.to_bytes())
        assert answer.more is more
        scene.wallet.note_uses(answer, query, consent, token, scene.net.engine.state)
        found += [request_hash(use.request) for use in answer.uses]
    assert found == names
    assert [one.request for one in scene.wallet.access_log] == names


async def test_the_wallet_believes_nothing_that_is_not_signed(scene: Scene) -> None:
    issued, consent, token = await scene.consent()
    await scene.use(issued, WEALTH, bands={"I01": 3})
    state, wallet = scene.net.engine.state, scene.wallet
    query = wallet.ask_uses(token, scene.asking.challenge(), ALPHA.did)
    answer = await scene.asking.answer(query.to_bytes())
    (use,) = answer.uses

    def signed(by: Party = ALPHA, **changes: Any) -> AccessAnswer:
        changed = answer.model_copy(update=changes)
        return changed.model_copy(update={"signature": by.sign(answer_bytes(changed))})

    def request(**changes: Any) -> Any:
        return use.model_copy(update={"request": use.request.model_copy(update=changes)})

    elsewhere = await scene.net.propose(approve=False)
    for wrong, code in (
        (answer.model_copy(update={"uses": (use.model_copy(update={"bands": {"I01": 1}}),)}), "access_answer_invalid"),
        (answer.model_copy(update={"uses": ()}), "access_answer_invalid"),
        (signed(GAMMA), "access_answer_invalid"),
        (signed(GAMMA, member=GAMMA.did), "access_mismatch"),
        (signed(query=bytes(32)), "access_mismatch"),
        (signed(cid=bytes(32)), "access_mismatch"),
        (signed(uses=(request(time_ms=use.request.time_ms + 1),)), "access_request_invalid"),
        (signed(uses=(request(task=elsewhere),)), "access_request_invalid"),
        (signed(uses=(request(cid=bytes(32)),)), "access_mismatch"),
        (signed(uses=(request(requester=GAMMA.did),)), "access_mismatch"),
        (signed(uses=(request(provider=GAMMA.did),)), "access_mismatch"),
        (signed(key_id="#other"), "access_answer_invalid"),
    ):
        with pytest.raises(LianzhengError) as caught:
            wallet.note_uses(wrong, query, consent, token, state)
        assert caught.value.code == code
    unknown = scene.net.request(issued, (WEALTH,), task=bytes(32))
    with pytest.raises(LianzhengError, match="access_task_unknown"):
        wallet.note_uses(signed(uses=(use.model_copy(update={"request": unknown}),)), query, consent, token, state)
    assert wallet.access_log == ()
    wallet.note_uses(answer, query, consent, token, state)
    assert len(wallet.access_log) == 1


def test_no_other_key_makes_the_cid() -> None:
    clock = ManualClock(START_MS)
    made = [Wallet.create(str(n), CHAIN, Wallets(), clock, test_network=True) for n in range(2)]
    token = HeldToken(provider=BETA.did, index=0, cid=bytes(32), h=bytes(32), not_after="2026-12-31")
    desk = AccessDesk(BETA.did, CHAIN, None, BETA.sign, clock)  # type: ignore[arg-type]
    first, second = (one.ask_uses(token, desk.challenge(), BETA.did) for one in made)
    assert first.cid != second.cid
    swapped = AccessQuery(**(first.model_dump() | {"rk": second.rk}))
    with pytest.raises(LianzhengError, match="access_signature_invalid"):
        verify_query(swapped)
