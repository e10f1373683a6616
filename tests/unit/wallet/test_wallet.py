"""What the wallet makes, keeps and warns of (AUTH-1..4, ID-7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consent_kit import ALPHA, BETA, CHAIN, GAMMA, START_MS, Network, Wallets, idnorm_of, offer
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.clock import ManualClock
from lianzheng.consent.model import decode_token
from lianzheng.consent.status import read_record
from lianzheng.consent.token import default_validity
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import LianzhengError
from lianzheng.identity.idnorm import identity_element
from lianzheng.limits import CREDENTIAL_PERIOD_MS
from lianzheng.wallet import AccessEntry, Wallet
from lianzheng.wallet.keys import consent_seed, did_seed, holder_secret


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    opened = await Network(tmp_path).open()
    yield opened
    await opened.database.close()


def test_keys_derive_from_the_seed_and_differ_by_use() -> None:
    seed = bytes(range(32))
    keys = [
        did_seed(seed, CHAIN),
        *(consent_seed(seed, CHAIN, index) for index in range(4)),
        consent_seed(seed, "x", 0),
    ]
    assert len(set(keys)) == len(keys)
    assert consent_seed(seed, CHAIN, 3) == keys[4]
    assert holder_secret(seed, CHAIN) == holder_secret(seed, CHAIN) != holder_secret(seed, "x")


async def test_no_two_tokens_share_a_value_of_their_own(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    tokens = []
    for number in range(3):
        signed = network.sign(wallet, offer(number=number))
        tokens += [decode_token(item.token) for item in signed.submission.tokens]
        assert len({link["salt"] for link in signed.submission.named["credentialSubject"]["tokens"]}) == 2
    for part in ("a", "b", "c", "R", "z"):
        assert len({getattr(token, part) for token in tokens}) == 6
    for part in ("rk", "nonce", "text"):
        assert len({getattr(token.terms, part) for token in tokens}) == 6
    assert len({token.sigma_i for token in tokens}) == 6
    element = identity_element(idnorm_of(network.paper)).to_bytes()
    assert all(element not in token.to_bytes() for token in tokens)


async def test_the_default_validity_is_the_whole_period(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet)
    terms = decode_token(signed.submission.tokens[0].token).terms
    assert (terms.not_before, terms.not_after) == default_validity(0, START_MS)
    assert signed.warnings == ()


async def test_small_sets_and_unusual_days_warn_and_go_on(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(
        wallet, validity=(default_validity(0, START_MS)[0], "2026-10-31"), shared_by={"issuer": 99, "alliance": 100}
    )
    assert [(item.code, item.what, item.number) for item in signed.warnings] == [
        ("validity_unusual", "not_after", 0),
        ("anonymity_set_small", "issuer", 99),
    ]
    assert len(signed.submission.tokens) == 2


async def test_a_credential_of_another_period_or_of_nobody_else_is_not_used(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    with pytest.raises(LianzhengError, match="no_issuer_outside_group"):
        network.sign(wallet, issuer=GAMMA.did)
    with pytest.raises(LianzhengError, match="no_issuer_outside_group"):
        network.sign(wallet, offer(requester=BETA, providers=(GAMMA,)))
    network.clock.advance(CREDENTIAL_PERIOD_MS)
    with pytest.raises(LianzhengError, match="no_issuer_outside_group"):
        network.sign(wallet)


async def test_a_consent_key_is_never_used_twice_even_after_a_crash(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    first = network.sign(wallet)
    again = Wallet.load("person", network.wallets, network.clock, test_network=True)
    second = network.sign(again, offer(number=2))
    used = [token.index for signed in (first, second) for token in signed.held.tokens]
    assert used == [0, 1, 2, 3]
    seed = wallet._state.seed
    rks = [decode_token(item.token).terms.rk for item in second.submission.tokens]
    assert rks == [ed25519.public_key(consent_seed(seed, CHAIN, index)) for index in (2, 3)]


async def test_pause_resume_and_withdraw_from_the_wallet(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    signed = network.sign(wallet)
    await network.desk.receive(signed.submission)
    network.clock.advance(5_000)
    await network.desk.flush_due()
    state, consent_id = network.ledger.state, signed.held.consent_id
    for resume, status in ((False, "paused"), (True, "active")):
        for transaction in wallet.pause(consent_id, state, resume=resume):
            assert network.ledger.run(transaction).ok
        assert {read_record(state, token.cid).status for token in signed.held.tokens} == {status}
    for transaction in wallet.withdraw(consent_id):
        assert network.ledger.run(transaction).ok
    assert {read_record(state, token.cid).status for token in signed.held.tokens} == {"revoked"}
    assert wallet.consents[0].status == "withdrawn"
    assert [item.code for item in map(network.ledger.run, wallet.withdraw(consent_id))] == ["already_revoked"] * 2
    with pytest.raises(LianzhengError, match="consent_unknown"):
        wallet.withdraw("0" * 22)


async def test_a_challenge_for_somebody_else_is_not_answered(network: Network) -> None:
    issuer = network.issuer(BETA)
    wallet = network.wallet()
    challenge = await issuer.challenge(wallet.did)
    for wrong in ({"did": ALPHA.did}, {"chain_id": "other"}):
        with pytest.raises(LianzhengError, match="enrolment_misdirected"):
            wallet.enrol(challenge.model_copy(update=wrong), BETA.did, network.paper)
    with pytest.raises(LianzhengError, match="enrolment_misdirected"):
        wallet.enrol(challenge, GAMMA.did, network.paper)


def test_the_access_log_is_kept(tmp_path: Path) -> None:
    clock, store = ManualClock(START_MS), SealedWalletStore.create(tmp_path / "wallets", b"a passphrase")
    wallet = Wallet.create("one", CHAIN, store, clock, test_network=True, seed=bytes(range(32)))
    entry = AccessEntry(
        request=bytes(32),
        time_ms=START_MS,
        requester=ALPHA.did,
        provider=BETA.did,
        purpose="suitability-assessment",
        views=("beta-assets/wealth/bands",),
        bands={"I01": 3},
        task=bytes(32),
        told_by=(ALPHA.did,),
        cid=bytes(32),
    )
    wallet._keep(wallet._state.model_copy(update={"access_log": (entry,)}))
    reopened = SealedWalletStore.open(tmp_path / "wallets", b"a passphrase")
    again = Wallet.load("one", reopened, clock, test_network=True)
    assert again.access_log == (entry,)
    assert again.did == wallet.did
    assert reopened.names() == ["one"]
    sealed = b"".join(path.read_bytes() for path in (tmp_path / "wallets").glob("*.wallet"))
    assert wallet.did.encode() not in sealed
    with pytest.raises(LianzhengError, match="keystore_unreadable"):
        SealedWalletStore.open(tmp_path / "wallets", b"another")
    with pytest.raises(LianzhengError, match="wallet_unknown"):
        reopened.load("two")


def test_a_seed_never_shows_in_a_representation() -> None:
    wallet = Wallet.create("one", CHAIN, Wallets(), ManualClock(START_MS), test_network=True, seed=b"\x07" * 32)
    assert "\\x07" * 8 not in repr(wallet._state)  # a salt shows, and may hold one such byte
    assert G1.generator() * holder_secret(b"\x07" * 32, CHAIN) != G1.generator()
