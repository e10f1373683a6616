"""Enrolment between wallet and issuer (ID-7)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from consent_kit import ALPHA, BETA, GAMMA, Customers, Network, Secrets, changed, document, idnorm_of
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import LianzhengError
from lianzheng.identity.enrolment import _signing_bytes, make_enrolment_request
from lianzheng.identity.idnorm import identity_element
from lianzheng.identity.model import Sigma
from lianzheng.limits import CREDENTIAL_PERIOD_MS, ENROLMENT_NONCE_MS
from lianzheng.wallet import Wallet
from lianzheng.wallet.keys import did_seed, holder_secret
from lianzheng.zk import spseq


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    opened = await Network(tmp_path).open()
    yield opened
    await opened.database.close()


async def test_a_customer_is_enrolled_and_the_wallet_verifies_for_itself(network: Network) -> None:
    wallet = await network.enrolled(BETA)
    (held,) = wallet.credentials
    assert (held.issuer, held.period) == (BETA.did, 0)
    assert network.paper.number not in str(held.credential)
    assert held.credential["credentialSubject"]["id"] == wallet.did
    assert Wallet.load("person", network.wallets, network.clock, test_network=True).credentials == (held,)


async def test_an_issuer_keeps_its_one_key(network: Network) -> None:
    keys = Secrets()
    first = network.issuer(BETA, keys=keys).issuer_key_payload(0)
    again = network.issuer(BETA, keys=keys).issuer_key_payload(0)
    assert first.key == again.key
    assert network.issuer(BETA, keys=keys).issuer_key_payload(1).key != first.key


async def test_a_stranger_is_refused(network: Network) -> None:
    issuer = network.issuer(BETA, Customers([("client-9", idnorm_of(document(9)))]))
    await network.publish(BETA, issuer)
    wallet = network.wallet()
    request = wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper)
    with pytest.raises(LianzhengError, match="customer_unknown"):
        await issuer.enrol(request)


async def test_a_nonce_serves_once_and_not_for_long(network: Network) -> None:
    issuer = network.issuer(BETA)
    await network.publish(BETA, issuer)
    wallet = network.wallet()
    request = wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper)
    await issuer.enrol(request)
    with pytest.raises(LianzhengError, match="enrolment_nonce_unknown"):
        await issuer.enrol(request)
    late = wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper)
    network.clock.advance(ENROLMENT_NONCE_MS + 1)
    with pytest.raises(LianzhengError, match="enrolment_nonce_unknown"):
        await issuer.enrol(late)


async def test_a_holder_key_stands_for_one_person(network: Network) -> None:
    other = document(2)
    issuer = network.issuer(BETA, Customers([("client-1", idnorm_of(network.paper)), ("client-2", idnorm_of(other))]))
    await network.publish(BETA, issuer)
    wallet = network.wallet()
    await issuer.enrol(wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper))
    with pytest.raises(LianzhengError, match="holder_key_reused"):
        await issuer.enrol(wallet.enrol(await issuer.challenge(wallet.did), BETA.did, other))
    await issuer.enrol(wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("enrolment_signature_invalid", {"document__number": document(2).number}),
        ("enrolment_signature_invalid", {"holder": b64u_encode(G1.generator().to_bytes())}),
        ("enrolment_misdirected", {"issuer": GAMMA.did}),
        ("enrolment_misdirected", {"chain_id": "other"}),
        ("key_unknown", {"key_id": "#node"}),
    ],
)
async def test_an_altered_request_is_refused(network: Network, code: str, change: dict[str, object]) -> None:
    issuer = network.issuer(BETA)
    await network.publish(BETA, issuer)
    wallet = network.wallet()
    request = wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper)
    with pytest.raises(LianzhengError, match=code):
        await issuer.enrol(changed(request, **change))


async def test_knowledge_of_v_is_proved_for_this_did_issuer_and_nonce(network: Network) -> None:
    """The same wallet answers three other challenges; each proof, put under the right request, is refused."""
    issuer = network.issuer(BETA)
    await network.publish(BETA, issuer)
    wallet = network.wallet()
    seed = wallet._state.seed
    secret, signer = holder_secret(seed, wallet.chain_id), did_seed(seed, wallet.chain_id)
    for other in ({"nonce": b"\1" * 32}, {"did": ALPHA.did}, {"issuer": GAMMA.did}, {"chain_id": "other"}):
        challenge = await issuer.challenge(wallet.did)
        foreign = make_enrolment_request(
            challenge.model_copy(update=other), network.paper, secret, "#key-1", lambda data: bytes(64)
        )
        request = wallet.enrol(challenge, BETA.did, network.paper).model_copy(update={"proof": foreign.proof})
        signed = request.model_copy(update={"signature": ed25519.sign(signer, _signing_bytes(request))})
        with pytest.raises(LianzhengError, match="enrolment_proof_invalid"):
            await issuer.enrol(signed)


async def test_an_unpublished_key_signs_nothing(network: Network) -> None:
    issuer = network.issuer(BETA)
    wallet = network.wallet()
    request = wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper)
    with pytest.raises(LianzhengError, match="issuer_key_unpublished"):
        await issuer.enrol(request)
    await network.publish(BETA, issuer)
    network.clock.advance(CREDENTIAL_PERIOD_MS)
    with pytest.raises(LianzhengError, match="issuer_key_unpublished"):
        await issuer.enrol(request)


async def test_the_wallet_refuses_a_signature_under_any_key_but_the_ledgers(network: Network) -> None:
    issuer = network.issuer(BETA)
    await network.publish(BETA, issuer)
    wallet = network.wallet()
    request = wallet.enrol(await issuer.challenge(wallet.did), BETA.did, network.paper)
    response = await issuer.enrol(request)
    message = (G1.generator(), identity_element(idnorm_of(network.paper)), G1.from_bytes(request.holder))
    marked = Sigma.of(spseq.sign(spseq.SecretKey.generate(), message))
    state = network.ledger.state
    for code, answer in (
        ("credential_signature_invalid", response.model_copy(update={"sigma_i": marked})),
        ("credential_key_unknown", response.model_copy(update={"period": 1})),
        ("credential_mismatch", response.model_copy(update={"did": ALPHA.did})),
        ("proof_invalid", changed(response, credential__credentialSubject__country="FR")),
    ):
        with pytest.raises(LianzhengError, match=code):
            wallet.accept(answer, BETA.did, network.paper, state)
    assert wallet.credentials == ()


async def test_an_unregistered_did_gets_no_challenge(network: Network) -> None:
    wallet = network.wallet(register=False)
    with pytest.raises(LianzhengError, match="did_unknown"):
        await network.issuer(BETA).challenge(wallet.did)
