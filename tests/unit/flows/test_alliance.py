"""The assessment with the alliance: whoever is silent is named and blocks nothing; bands never raise a level."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from gate_kit import ALPHA, BETA, CHAIN, EXPERIENCE, GAMMA, MANY, VIEWS, WEALTH, WORDS, GateNet, Issued
from lianzheng.adapters.storage.asks import AskRepository
from lianzheng.adapters.storage.consent import SqlConsentStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.evidence import SqlEvidenceRepository
from lianzheng.adapters.storage.gate import ReceiptRepository
from lianzheng.adapters.storage.suitability import SqlCustomerStore, SqlSuitabilityStore
from lianzheng.adapters.storage.tables.compute import received_receipt
from lianzheng.clock import DAY_MS
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.gate.model import GateAnswer, UsageReceipt, answer_signing_bytes
from lianzheng.compute.gate.requester import GateClient
from lianzheng.compute.tasks.model import TaskCancel
from lianzheng.compute.views.build import value_of
from lianzheng.consent.model import ConsentRevoke
from lianzheng.consent.ports import StoredConsent, StoredToken
from lianzheng.crypto.hazmat.bls12381 import scalar_to_bytes
from lianzheng.errors import LianzhengError, NotFoundError, UnavailableError
from lianzheng.evidence.model import CaptureContext
from lianzheng.evidence.service import EvidenceService
from lianzheng.flows.alliance import AllianceAssessment, Traced
from lianzheng.flows.clients import ClientBook
from lianzheng.registry import band_of
from lianzheng.suitability.customers import CustomerRecord
from lianzheng.suitability.service import SuitabilityService
from source_kit import keep_customers

MIDDLE = {
    "F1": "c", "F2": "c", "F3": "c", "F4": "c", "K1": "b", "K2": "d", "K3": "c", "E1": "c", "E2": "c",
    "E3": "b", "O1": "b", "O2": "c", "O3": "c", "R1": "b", "R2": "c", "R3": "b", "X1": "b", "X2": "b",
}  # fmt: skip
CAPTURE = CaptureContext(system="counter", software_version="1", channel="branch", local_time_ms=0)
RICH = 11
"""A person with nearly a million and eleven months at BETA."""


class Desk:
    """ALPHA's side over its own database, beside the network with BETA's gate."""

    def __init__(self, net: GateNet) -> None:
        self.net = net

    async def open(self) -> Desk:
        net = self.net
        self.database = Database(sqlite_url(net.folder / "alpha.db"))
        await self.database.open()
        self.consents = SqlConsentStore(self.database)
        self.receipts = ReceiptRepository(self.database)
        evidence = EvidenceService(
            SqlEvidenceRepository(self.database), net.engine, net.sender(ALPHA), ALPHA.sign, net.clock, net.genesis,
            ALPHA.did,
        )  # fmt: skip
        self.evidence = evidence
        suitability = SuitabilityService(SqlSuitabilityStore(self.database), evidence, net.clock, CAPTURE)
        customers = SqlCustomerStore(self.database)
        records = [_record(person.row.idnorm) for person in net.people]
        clients = ClientBook(customers, b"key")
        await keep_customers(self.database, clients, "alpha-clients", records)
        self.references = [clients.reference_of(person.row.idnorm) for person in net.people]
        self.flow = AllianceAssessment(
            self.consents, net.client, net.tables, self.receipts, suitability, clients, lambda: net.engine.state,
            net.clock,
        )  # fmt: skip
        return self

    async def hold(self, issued: Issued, person: int = RICH, state: str = "granted", provider: str = BETA.did) -> None:
        """Keep a token as a consent of its own would be kept."""
        token = issued.token.to_bytes()
        name = secrets.token_hex(8)
        consent = StoredConsent(name, self.references[person], "did:lz:x", b"{}", "active", self.net.clock.now_ms())
        kept = StoredToken(
            issued.cid, name, provider, token, scalar_to_bytes(issued.r), issued.grant(ALPHA), state, "",
            self.net.clock.now_ms(),
        )  # fmt: skip
        await self.consents.add(consent, [kept])

    async def assess(self, task: bytes | None, person: int = RICH) -> Traced:
        return await self.flow.assess("case-1", self.references[person], MIDDLE, (), task)

    async def silent(self, status: str, code: str, task: bytes | None = None, person: int = RICH) -> Traced:
        """BETA gives nothing, the assessment says so and stands on local data."""
        traced = await self.assess(task or self.net.task, person)
        (trace,) = traced.traces
        assert (trace.bands.status, trace.bands.code, trace.bands.bands) == (status, code, {})
        assert traced.assessment.local_only
        assert traced.assessment.providers == (trace.bands,)
        reasons = {reason.code: reason.en for reason in traced.assessment.reasons}
        assert code in reasons[f"provider-{status}"]
        assert traced.assessment.level <= traced.score.level
        return traced


def _record(idnorm: bytes) -> CustomerRecord:
    return CustomerRecord(
        idnorm=idnorm, document_type="RESIDENT_ID", country="CN", number="", name="", birth_date="1980-01-01",
        opened_on="2020-01-01", financial_assets_yuan=150_000,
    )  # fmt: skip


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    net = await GateNet(tmp_path).open()
    made = await Desk(net).open()
    yield made
    await made.database.close()
    await net.close()


async def test_bands_of_the_provider_join_the_assessment_and_the_receipt_is_kept(desk: Desk) -> None:
    net = desk.net
    issued = await net.granted(net.people[RICH])
    await desk.hold(issued)
    traced = await desk.assess(net.task)
    (trace,) = traced.traces
    amounts = net.people[RICH].row.amounts
    assert trace.bands.status == "answered"
    assert trace.bands.bands == {"I01": band_of("I01", amounts["I01"]), "I02": band_of("I02", amounts["I02"])} | {
        code: 0 for code in trace.bands.bands if code not in ("I01", "I02")
    }
    assert not traced.assessment.local_only
    assert traced.assessment.level <= traced.score.level
    ((cid, _),) = await desk.receipts.receipts(net.task, BETA.did)
    assert cid == issued.cid
    assert await desk.receipts.task_salt(net.task, BETA.did) == await net.uses.task_salt(net.task)
    await desk.evidence.case("case-1")


async def test_a_threshold_view_never_lowers_the_band_of_the_list(desk: Desk) -> None:
    """``…/i01-ge-4`` says "at least band 4" or nothing; the list next to it says band 3 and must stand."""
    net = desk.net
    amounts = net.people[7].row.amounts
    assert 0 < band_of("I01", amounts["I01"]) < 4
    assert value_of(MANY, amounts) is None
    for views in (VIEWS, VIEWS[::-1]):
        task = await net.propose(views=sorted(views))
        await desk.hold(await net.granted(net.people[7]), 7)
        (trace,) = (await desk.assess(task, 7)).traces
        assert trace.bands.bands["I01"] == band_of("I01", amounts["I01"])


async def test_no_consent(desk: Desk) -> None:
    await desk.silent("not_asked", "consent_missing")


@pytest.mark.parametrize(
    "changes",
    [
        {"purpose": WORDS[1]},
        {"views": (EXPERIENCE,)},
        {"not_before": "2026-01-01", "not_after": "2026-02-01"},
        {"function": "intersection"},
    ],
)
async def test_a_consent_that_does_not_cover_the_task(desk: Desk, changes: dict[str, Any]) -> None:
    """Nothing is sent that could only be refused, and nothing breaks."""
    net = desk.net
    await desk.hold(net.issue(net.people[RICH], **changes))
    await desk.silent("not_asked", "consent_missing", await net.propose(views=[WEALTH]))
    assert net.log.lines() == []


async def test_an_older_consent_that_covers_the_task_is_used(desk: Desk) -> None:
    net = desk.net
    good = await net.granted(net.people[RICH])
    await desk.hold(good)
    await desk.hold(net.issue(net.people[RICH], purpose=WORDS[1]))
    await desk.hold(net.issue(net.people[RICH]), state="queued")
    traced = await desk.assess(net.task)
    assert traced.traces[0].bands.status == "answered"
    assert net.log.lines()[-1].cid == net.request(good).to_json()["cid"]


async def test_a_withdrawn_consent(desk: Desk) -> None:
    net = desk.net
    issued = await net.granted(net.people[RICH])
    await desk.hold(issued)
    await net.sender(ALPHA).send("consent.revoke", ConsentRevoke(cid=issued.cid), ordered=True)
    await desk.silent("refused", "consent_revoked")
    await desk.consents.withdraw([issued.cid])
    await desk.silent("not_asked", "consent_missing")


async def test_a_provider_that_is_away_and_comes_back(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))
    net.transport.away = True
    await desk.silent("unavailable", "peer_unreachable")
    net.transport.away = False
    assert (await desk.assess(net.task)).traces[0].bands.status == "answered"


async def test_an_answer_that_is_lost_on_the_way_costs_nothing_the_next_time(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH], max_uses=3))

    def lost(_: bytes) -> bytes:
        raise UnavailableError("peer_unreachable", "The line broke.")

    net.transport.change, honest = lost, net.transport.change
    await desk.silent("unavailable", "peer_unreachable")
    net.transport.change = honest
    assert (await desk.assess(net.task)).traces[0].bands.status == "answered"
    assert (await net.counts()).uses == 3


async def test_a_provider_that_cannot_be_sure_of_the_ledger(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))

    def stale() -> None:
        raise UnavailableError("ledger_stale", "This node's head is not fresh.")

    net.ledger.assert_fresh = stale  # type: ignore[method-assign]
    await desk.silent("unavailable", "ledger_stale")


async def test_a_provider_that_lies(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))
    other = await net.ask(await net.granted(net.people[RICH]), VIEWS)

    def lie(raw: bytes) -> bytes:
        answer = GateAnswer.from_bytes(raw)
        draft = answer.model_copy(update={"evaluations": other.evaluations})
        return draft.model_copy(update={"signature": BETA.sign(answer_signing_bytes(draft))}).to_bytes()

    net.transport.change = lie
    await desk.silent("refused", "dleq_invalid")


async def test_a_provider_that_changes_its_salt_is_named_and_the_proof_kept(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))
    await desk.assess(net.task)

    def resalted(raw: bytes) -> bytes:
        draft = GateAnswer.from_bytes(raw).model_copy(update={"task_salt": bytes(32)})
        return draft.model_copy(update={"signature": BETA.sign(answer_signing_bytes(draft))}).to_bytes()

    net.transport.change = resalted
    await desk.silent("refused", "task_salt_changed")
    async with desk.database.read() as connection:
        assert len((await connection.execute(select(received_receipt.c.receipt))).all()) == 2


async def test_epochs_that_are_over(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))
    net.clock.advance(net.until_ms - net.clock.now_ms())
    await desk.silent("unavailable", "epoch_none_open")


async def test_a_cancelled_task(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))
    await net.sender(ALPHA).send("task.cancel", TaskCancel(task=net.task))
    await desk.silent("refused", "task_ended")


async def test_one_provider_away_and_the_other_answers(desk: Desk) -> None:
    """Two providers in one task; the order of the contract is kept."""
    net = desk.net
    theirs = "gamma-clients/wealth/bands"
    gamma = DatasetService(net.datasets, net.sender(GAMMA), net.clock)
    await gamma.publish(net.offer(dataset="gamma-clients", views=[theirs]))
    task = await net.propose(views=sorted((WEALTH, theirs)), providers=sorted((BETA.did, GAMMA.did)))
    await desk.hold(await net.granted(net.people[RICH]))
    unheard = net.issue(net.people[RICH], provider=GAMMA.did, views=(theirs,))
    await desk.hold(unheard, provider=GAMMA.did)
    traced = await desk.assess(task)
    found = {trace.bands.provider: (trace.bands.status, trace.bands.code) for trace in traced.traces}
    assert found == {BETA.did: ("answered", None), GAMMA.did: ("unavailable", "epoch_none_open")}
    assert [trace.bands.provider for trace in traced.traces] == sorted((BETA.did, GAMMA.did))
    assert not traced.assessment.local_only
    assert "provider-unavailable" in [reason.code for reason in traced.assessment.reasons]


async def test_bands_never_raise_a_level(desk: Desk) -> None:
    """The same answers, alone and with what BETA knows, for everybody: never higher."""
    net = desk.net
    issued = [net.issue(person) for person in net.people]
    await net.grant(*issued)
    for index, token in enumerate(issued):
        await desk.hold(token, index)
    for index in range(len(net.people)):
        alone = (await desk.assess(None, index)).assessment
        joined = (await desk.assess(net.task, index)).assessment
        assert joined.level <= alone.level <= alone.score.level
        assert joined.joint["I01"] >= alone.joint["I01"]
        assert alone.local_only and not joined.local_only
        net.clock.advance(DAY_MS // 100)


async def test_no_such_task_or_customer(desk: Desk) -> None:
    with pytest.raises(NotFoundError, match="task_unknown"):
        await desk.assess(bytes(32))
    with pytest.raises(LianzhengError, match="customer_unknown"):
        await desk.flow.assess("case-1", "c-nobody", MIDDLE, (), None)


async def test_local_only_by_choice_asks_nobody(desk: Desk) -> None:
    net = desk.net
    await desk.hold(await net.granted(net.people[RICH]))
    traced = await desk.assess(None)
    assert traced.traces == () and traced.assessment.local_only
    assert net.log.lines() == []


async def test_the_receipt_of_an_answer_that_was_lost_is_had_later(desk: Desk) -> None:
    """The provider counted the use and the clerk was told nothing: both books agree once it is asked again (GATE-8)."""
    net, asks = desk.net, AskRepository(desk.database)
    await desk.hold(await net.granted(net.people[RICH]))
    client = GateClient(ALPHA.did, CHAIN, ALPHA.sign, net.transport, lambda: net.engine.state, net.clock, asks=asks)
    desk.flow._gate, desk.flow._asks = client, asks

    def lost(_: bytes) -> bytes:
        raise UnavailableError("peer_unreachable", "gone")

    net.transport.change = lost
    await desk.silent("unavailable", "peer_unreachable")
    assert await desk.flow.resume() == 0
    net.transport.change = lambda answer: answer
    assert await desk.receipts.receipts(net.task, BETA.did) == []
    assert await desk.flow.resume() == 1
    ((_, raw),) = await desk.receipts.receipts(net.task, BETA.did)
    receipt = UsageReceipt.from_bytes(raw)
    assert await net.uses.receipts(net.task) == [(receipt.request.to_bytes(), receipt.answer.to_bytes())]
    assert await desk.receipts.task_salt(net.task, BETA.did) == receipt.answer.task_salt
    assert await desk.flow.resume() == 0


async def test_a_batch_gives_each_customer_what_a_question_alone_gives(desk: Desk) -> None:
    """One refused, one without consent: nobody else is hit, and every answer has its receipt (EQ-1)."""
    net, people = desk.net, (RICH, 7, 5, 3)
    issued = {person: await net.granted(net.people[person]) for person in people[:3]}
    for person, one in issued.items():
        await desk.hold(one, person)
    await net.sender(ALPHA).send("consent.revoke", ConsentRevoke(cid=issued[5].cid), ordered=True)
    references = [desk.references[person] for person in people]
    rows = await desk.flow.ask_many(references, net.task)
    told = [row[0].bands for row in rows]
    assert [(one.status, one.code) for one in told] == [
        ("answered", None),
        ("answered", None),
        ("refused", "consent_revoked"),
        ("not_asked", "consent_missing"),
    ]
    assert [one.bands["I01"] for one in told[:2]] == [
        band_of("I01", net.people[person].row.amounts["I01"]) for person in people[:2]
    ]
    receipts = [cid for cid, _ in await desk.receipts.receipts(net.task, BETA.did)]
    assert sorted(receipts) == sorted(issued[person].cid for person in people[:2])
    for reference, row in zip(references, rows, strict=True):
        assert (await desk.flow.ask_all(reference, net.task))[0].bands == row[0].bands


async def test_a_provider_that_is_away_is_away_for_the_whole_batch(desk: Desk) -> None:
    net = desk.net
    for person in (RICH, 7):
        await desk.hold(await net.granted(net.people[person]), person)
    net.transport.away = True
    rows = await desk.flow.ask_many([desk.references[RICH], desk.references[7]], net.task)
    assert [(row[0].bands.status, row[0].bands.code) for row in rows] == [("unavailable", "peer_unreachable")] * 2
    net.transport.away = False
    rows = await desk.flow.ask_many([desk.references[RICH], desk.references[7]], net.task)
    assert [row[0].bands.status for row in rows] == ["answered"] * 2
    with pytest.raises(NotFoundError, match="task_unknown"):
        await desk.flow.ask_many([desk.references[RICH]], bytes(32))
