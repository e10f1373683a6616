"""From wallet to ledger and back: receive, batch, post, withdraw (AUTH-2..4, AUTH-6)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from consent_kit import ALPHA, BETA, DELTA, GAMMA, Network, changed, document, idnorm_of, offer, presentation
from lianzheng.consent.model import ConsentGrant, decode_token
from lianzheng.consent.status import check_record, read_record
from lianzheng.consent.submission import ConsentSubmission
from lianzheng.crypto.hazmat.bls12381 import G1, scalar_from_bytes
from lianzheng.errors import LianzhengError
from lianzheng.identity.idnorm import identity_element


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    opened = await Network(tmp_path).open()
    yield opened
    await opened.database.close()


async def _refused(code: str, network: Network, submission: ConsentSubmission) -> None:
    with pytest.raises(LianzhengError) as caught:
        await network.desk.receive(submission)
    assert caught.value.code == code


async def test_a_consent_reaches_the_ledger_in_a_batch_filled_with_dummies(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet)
    received = await network.desk.receive(signed.submission)
    assert received.cids == tuple(token.cid for token in signed.held.tokens)
    assert await network.desk.flush_due() == 0, "two grants wait for company"
    network.clock.advance(5_000)
    assert await network.desk.flush_due() == 2
    posted = ConsentGrant.from_json(network.ledger.sent[-1].body.payload).grants
    assert len(posted) == 32
    assert {grant.not_after for grant in posted} == {signed.held.tokens[0].not_after}
    for token in await network.store.tokens(received.consent_id):
        assert token.state == "granted"
        assert token.r is not None
        tau, r = decode_token(token.token), scalar_from_bytes(token.r)
        assert check_record(tau, network.ledger.state, block_ms=network.clock.now_ms()) == token.cid
        assert G1.from_bytes(tau.b) == identity_element(idnorm_of(network.paper)) * r
    assert await network.desk.flush_due() == 0


async def test_grants_are_flushed_at_once_when_there_are_32(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    for number in range(16):
        await network.desk.receive(network.sign(wallet, offer(number=number)).submission)
    assert await network.desk.flush_due() == 32
    assert len(ConsentGrant.from_json(network.ledger.sent[-1].body.payload).grants) == 32


async def test_grants_that_could_not_be_noted_are_found_on_the_ledger(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    received = await network.desk.receive(network.sign(wallet).submission)
    network.clock.advance(5_000)
    settle, network.store.settle = network.store.settle, _lost  # type: ignore[method-assign]
    await network.desk.flush_due()
    network.store.settle = settle  # type: ignore[method-assign]
    assert await network.desk.flush_due() == 2
    assert {token.state for token in await network.store.tokens(received.consent_id)} == {"granted"}


async def _lost(codes: Mapping[bytes, str]) -> None:
    """A crash between posting and noting."""


async def test_the_same_consent_twice_is_refused(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    submission = network.sign(wallet).submission
    await network.desk.receive(submission)
    await _refused("consent_exists", network, submission)


async def test_a_withdrawal_at_the_counter_revokes_and_erases_r(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    received = await network.desk.receive(network.sign(wallet).submission)
    network.clock.advance(5_000)
    await network.desk.flush_due()
    assert await network.desk.withdraw(received.consent_id) == 2
    for token in await network.store.tokens(received.consent_id):
        assert (token.state, token.r) == ("revoked", None)
        assert read_record(network.ledger.state, token.cid).status == "revoked"
    consent = await network.store.consent(received.consent_id)
    assert consent is not None
    assert consent.status == "withdrawn"
    assert await network.desk.withdraw(received.consent_id) == 0, "again is fine"


async def test_a_consent_withdrawn_while_queued_is_never_posted(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    received = await network.desk.receive(network.sign(wallet).submission)
    await network.desk.withdraw(received.consent_id)
    network.clock.advance(5_000)
    assert await network.desk.flush_due() == 0


async def test_a_revocation_by_rk_holds_before_any_block_and_leaves_a_tombstone(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet)
    await network.desk.receive(signed.submission)
    first, second = wallet.withdraw(signed.held.consent_id)
    receipt = await network.revocations.accept(first.to_bytes())
    assert receipt is not None
    assert receipt.result.ok
    assert network.relay.passed == [first.to_bytes()]
    with pytest.raises(LianzhengError, match="consent_revoked"):
        await network.revocations.check_not_refused(signed.held.tokens[0].cid)
    await network.revocations.check_not_refused(signed.held.tokens[1].cid)
    record = read_record(network.ledger.state, signed.held.tokens[0].cid)
    assert (record.status, record.sender) == ("revoked", None)
    again = await network.revocations.accept(first.to_bytes())
    assert again is not None
    assert again.result.code == "already_revoked"
    assert len(network.relay.passed) == 1, "a known revocation is not passed round in circles"
    assert (await network.revocations.accept(second.to_bytes())) is not None
    network.clock.advance(5_000)
    assert await network.desk.flush_due() == 0


async def test_a_forged_revocation_is_refused_and_changes_nothing(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet)
    await network.desk.receive(signed.submission)
    first, second = wallet.withdraw(signed.held.consent_id)
    forged = first.model_copy(update={"proof": second.proof})
    with pytest.raises(LianzhengError, match="signature_invalid"):
        await network.revocations.accept(forged.to_bytes())
    swapped = changed(first, body__sender=second.body.sender)
    with pytest.raises(LianzhengError, match="consent_key_wrong"):
        await network.revocations.accept(swapped.to_bytes())
    await network.revocations.check_not_refused(signed.held.tokens[0].cid)


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("proof_invalid", {"named__credentialSubject__retention": 1}),
        ("proof_invalid", {"named__credentialSubject__not_after": "2026-10-01"}),
        ("proof_invalid", {"named__validUntil": "2030-01-01T00:00:00Z"}),
        ("customer_unknown", {"named__credentialSubject__offer__client_reference": "client-2"}),
    ],
)
async def test_an_altered_named_consent_is_refused(network: Network, code: str, change: dict[str, object]) -> None:
    wallet = await network.enrolled(BETA)
    await _refused(code, network, changed(network.sign(wallet).submission, **change))


async def test_tokens_that_do_not_fit_the_named_consent_are_refused(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    submission = network.sign(wallet).submission
    one, two = submission.tokens
    for code, tokens in (
        ("consent_tokens_mismatch", (one,)),
        ("consent_cid_mismatch", (two, one)),
        ("consent_person_mismatch", (one.model_copy(update={"r": two.r}), two)),
        ("consent_person_mismatch", (one.model_copy(update={"r": b"\xff" * 32}), two)),
        ("consent_pop_invalid", (one.model_copy(update={"pop": two.pop}), two)),
    ):
        await _refused(code, network, submission.model_copy(update={"tokens": tokens}))


async def test_a_consent_about_another_customer_is_refused(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    network.customers.people["client-2"] = idnorm_of(document(2))
    signed = network.sign(wallet, offer(client_reference="client-2"))
    await _refused("consent_person_mismatch", network, signed.submission)


async def test_a_consent_for_another_requester_is_refused(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet, offer(requester=GAMMA, providers=(BETA,)))
    await _refused("consent_requester_mismatch", network, signed.submission)


@pytest.mark.parametrize(
    ("code", "shown"),
    [("consent_not_read", {"scrolled_to_end": False}), ("consent_item_unticked", {"ticks": ()})],
)
async def test_a_consent_not_read_or_not_ticked_is_refused(
    network: Network, code: str, shown: dict[str, object]
) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet, shown=presentation(network.clock.now_ms(), **shown))
    await _refused(code, network, signed.submission)


async def test_preset_ticks_are_refused(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    early = presentation(network.clock.now_ms(), shown_ms=network.clock.now_ms())
    await _refused("consent_item_unticked", network, network.sign(wallet, shown=early).submission)


async def test_there_is_no_marketing_purpose(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    with pytest.raises(LianzhengError, match="purpose_unknown"):
        network.sign(wallet, offer(purpose="marketing"))


async def test_an_issuer_of_the_requesters_group_gives_a_local_assessment_only(network: Network) -> None:
    wallet = await network.enrolled(DELTA)
    with pytest.raises(LianzhengError, match="no_issuer_outside_group"):
        network.sign(wallet)
    assert (network.members.get(DELTA.did).control_group) == network.members.get(ALPHA.did).control_group  # type: ignore[union-attr]
