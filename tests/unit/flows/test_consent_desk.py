"""What is on record of a consent: the named consent as signed, each withdrawal once; never a token or its r."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from consent_kit import ALPHA, BETA, Network, offer
from ledger_kit import make_genesis
from lianzheng.adapters.storage.evidence import SqlEvidenceRepository
from lianzheng.consent.model import decode_token
from lianzheng.consent.status import read_record
from lianzheng.crypto import ed25519
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import ConflictError, LianzhengError, NotFoundError, UnavailableError
from lianzheng.evidence.model import CaptureContext
from lianzheng.evidence.service import EvidenceService
from lianzheng.flows.acts import ActRecorder, consent_case
from lianzheng.flows.consent_desk import ConsentDesk
from lianzheng.ledger.ports import Receipt
from lianzheng.ledger.transaction import Transaction

CAPTURE = CaptureContext(system="counter", software_version="1", channel="branch", local_time_ms=0)


@dataclass
class Counter:
    """The desk over the real consent service and the real evidence service."""

    network: Network
    evidence: EvidenceService
    desk: ConsentDesk

    async def documents(self, consent_id: str) -> list[tuple[str, str, bytes]]:
        """Role, name and bytes of everything on record, oldest first."""
        found = []
        for placed in await self.evidence.case(consent_case(consent_id)):
            record = placed.stored.record
            assert (record.scene, record.context.local_time_ms) == ("consent", self.network.clock.now_ms())
            for document in record.documents:
                data = await self.evidence.document(document.sha256)
                found.append((record.operator_role, document.name, data))
        return found


@pytest.fixture
async def counter(tmp_path: Path) -> AsyncIterator[Counter]:
    network = await Network(tmp_path).open()
    evidence = EvidenceService(
        SqlEvidenceRepository(network.database), network.ledger, network.senders[ALPHA.did], ALPHA.sign,  # type: ignore[arg-type]
        network.clock, make_genesis(), ALPHA.did,
    )  # fmt: skip
    acts = ActRecorder(evidence, CAPTURE, network.clock)
    yield Counter(network, evidence, ConsentDesk(network.desk, network.store, acts))
    await network.database.close()


async def test_the_named_consent_is_on_record_as_signed_and_promised(counter: Counter) -> None:
    wallet = await counter.network.enrolled(BETA)
    signed = counter.network.sign(wallet)
    got = await counter.desk.receive(signed.submission.to_bytes())
    assert got.received.cids == tuple(token.cid for token in signed.held.tokens)
    got.acknowledgement.verify(ed25519.public_key(ALPHA.seed))
    ((role, name, data),) = await counter.documents(got.received.consent_id)
    assert (role, name, data) == ("clerk", "named-consent.json", encode_w3c(signed.submission.named))
    for delivery in signed.submission.tokens:
        token = decode_token(delivery.token)
        for secret in (delivery.r, token.b, token.z):
            assert secret not in data


async def test_the_same_consent_again_gets_the_same_answer(counter: Counter) -> None:
    wallet = await counter.network.enrolled(BETA)
    raw = counter.network.sign(wallet).submission.to_bytes()
    assert await counter.desk.receive(raw) == await counter.desk.receive(raw)
    assert len(await counter.evidence.cases()) == 1


async def test_a_crash_between_keeping_and_recording_is_made_good(counter: Counter, monkeypatch: Any) -> None:
    wallet = await counter.network.enrolled(BETA)
    raw = counter.network.sign(wallet).submission.to_bytes()

    async def crash(*_: object) -> None:
        raise UnavailableError("evidence_unavailable", "crash")

    with monkeypatch.context() as patch:
        patch.setattr(counter.evidence, "record", crash)
        with pytest.raises(UnavailableError):
            await counter.desk.receive(raw)
    got = await counter.desk.receive(raw)
    assert [name for _, name, _ in await counter.documents(got.received.consent_id)] == ["named-consent.json"]


async def test_another_consent_under_a_known_id(counter: Counter) -> None:
    wallet = await counter.network.enrolled(BETA)
    await counter.desk.receive(counter.network.sign(wallet).submission.to_bytes())
    with pytest.raises(ConflictError, match="consent_exists"):
        await counter.desk.receive(counter.network.sign(wallet, offer(queries=5)).submission.to_bytes())


async def test_a_refused_consent_leaves_nothing_on_record(counter: Counter) -> None:
    wallet = await counter.network.enrolled(BETA)
    with pytest.raises(LianzhengError, match="customer_unknown"):
        await counter.desk.receive(
            counter.network.sign(wallet, offer(client_reference="client-9")).submission.to_bytes()
        )
    assert await counter.evidence.cases() == ()


async def received(counter: Counter) -> tuple[str, tuple[bytes, ...], Any]:
    """A consent whose grants stand."""
    wallet = await counter.network.enrolled(BETA)
    signed = counter.network.sign(wallet)
    got = await counter.desk.receive(signed.submission.to_bytes())
    counter.network.clock.advance(5_000)
    await counter.network.desk.flush_due()
    counter.network.clock.advance(-5_000)
    return got.received.consent_id, got.received.cids, wallet


async def test_a_withdrawal_at_the_counter(counter: Counter) -> None:
    consent_id, cids, _ = await received(counter)
    assert await counter.desk.withdraw(consent_id) == 2
    role, name, data = (await counter.documents(consent_id))[-1]
    assert (role, name, data) == ("clerk", "withdrawal.txt", b"withdrawn at the counter")
    for cid in cids:
        assert read_record(counter.network.ledger.state, cid).status == "revoked"
    for token in await counter.network.store.tokens(consent_id):
        assert (token.state, token.r) == ("revoked", None)


async def test_a_withdrawal_while_the_ledger_is_away_is_on_record_and_already_holds_here(counter: Counter) -> None:
    consent_id, cids, _ = await received(counter)
    submit = counter.network.ledger.submit

    async def away(transaction: Transaction) -> Receipt:
        raise UnavailableError("ledger_unavailable", "The ledger does not answer.")

    counter.network.ledger.submit = away  # type: ignore[method-assign]
    with pytest.raises(UnavailableError, match="ledger_unavailable"):
        await counter.desk.withdraw(consent_id)
    assert [name for _, name, _ in await counter.documents(consent_id)] == ["named-consent.json", "withdrawal.txt"]
    assert {token.r for token in await counter.network.store.tokens(consent_id)} == {None}
    counter.network.ledger.submit = submit  # type: ignore[method-assign]
    assert await counter.desk.withdraw(consent_id) == 2
    assert {read_record(counter.network.ledger.state, cid).status for cid in cids} == {"revoked"}


async def test_a_withdrawal_by_the_wallet_is_on_record_once(counter: Counter) -> None:
    consent_id, cids, _ = await received(counter)
    await counter.desk.forget(cids)
    await counter.desk.forget(cids)
    role, name, data = (await counter.documents(consent_id))[-1]
    assert (role, name) == ("investor", "withdrawal.txt")
    assert data.startswith(b"withdrawn by the wallet\n") and len(data.splitlines()) == 3
    assert len(await counter.documents(consent_id)) == 2


async def test_withdrawing_what_nobody_gave(counter: Counter) -> None:
    with pytest.raises(NotFoundError, match="consent_unknown"):
        await counter.desk.withdraw("0" * 22)
    await counter.desk.forget([bytes(32)])
    assert await counter.evidence.cases() == ()
