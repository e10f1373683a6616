"""Credentials that a wallet takes, keeps and presents; a verifier with the product's own code is the judge."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from consent_kit import ALPHA, CHAIN, START_MS, Network
from credential_kit import EXAMPLES, issuer_name, signer
from lianzheng.adapters.keystore.sealed_wallets import SealedWalletStore
from lianzheng.clock import ManualClock
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials import CONTEXT
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.enveloped import envelop
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner, did_key
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_presentation
from lianzheng.identity.resolution.keys import ledger_key
from lianzheng.wallet import Wallet
from lianzheng.wallet.documents import Presented, signer_keys

CHALLENGE, DOMAIN = "a-verifier-s-nonce", "https://verifier.example"


@pytest.fixture
async def network(tmp_path: Path) -> AsyncIterator[Network]:
    opened = await Network(tmp_path).open()
    yield opened
    await opened.database.close()


def by_alpha() -> ProofSigner:
    """A member's own key on the ledger."""
    return ProofSigner(f"{ALPHA.did}#node", ED25519_PUB, ALPHA.sign)


def credential(wallet: Wallet, **change: Any) -> dict[str, Any]:
    document = {
        "@context": [CREDENTIALS_V2, EXAMPLES],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "validFrom": rfc3339(START_MS - 1000),
        "validUntil": rfc3339(START_MS + 10**9),
        "credentialSubject": {
            "id": wallet.did, "alumniOf": "The School of Examples", "degree": {"type": "ExampleBachelorDegree"},
        },
    } | change  # fmt: skip
    return {name: value for name, value in document.items() if value is not None}


def issued(wallet: Wallet, by: ProofSigner | None = None, suite: str = "eddsa-jcs-2022", **change: Any) -> Any:
    key = by or by_alpha()
    mandatory = ("/issuer", "/validFrom", "/validUntil") if suite == "ecdsa-sd-2023" else ()
    options = ProofOptions(suite, created=rfc3339(START_MS), mandatory_pointers=mandatory)
    return create_proof(credential(wallet, **{"issuer": issuer_name(key)} | change), key, options)


def judged(network: Network, presentation: Any, **change: Any) -> Any:
    """What a verifier that sees the ledger finds."""

    def resolve(method: str, purpose: str) -> ProofKey:
        return (
            did_key(method, purpose) if "did:key" in method else ledger_key(network.ledger.state, method, purpose).key
        )

    wanted: dict[str, Any] = {"challenge": CHALLENGE, "domain": DOMAIN} | change
    return verify_presentation(presentation, CredentialPolicy(network.clock.now_ms(), resolve, **wanted))


@pytest.mark.parametrize("suite", ["eddsa-jcs-2022", "eddsa-rdfc-2022"])
async def test_received_listed_presented_and_believed(network: Network, suite: str) -> None:
    wallet = network.wallet()
    document = issued(wallet, suite=suite)
    held = wallet.receive(document, network.ledger.state)
    assert (held.issuer, held.types) == (ALPHA.did, ("VerifiableCredential", "AlumniCredential"))
    assert wallet.document(held.name) == document
    assert wallet.receive(document, network.ledger.state) == held  # again: still one
    assert [one.name for one in wallet.documents] == [held.name]
    shown = wallet.present(Presented([held.name], CHALLENGE, DOMAIN, suite=suite))
    found = judged(network, shown)
    assert found.document["holder"] == wallet.did
    assert [one.document for one in found.credentials] == [document]
    assert {one.verification_method for one in found.proofs} == {wallet.did + wallet.key_id}
    for change, code in (
        ({"challenge": "another"}, "proof_challenge_mismatch"),
        ({"domain": "https://x.example"}, "proof_domain_mismatch"),
    ):
        with pytest.raises(LianzhengError, match=code):
            judged(network, shown, **change)


async def test_the_credential_of_enrolment_is_presented_too(network: Network) -> None:
    wallet = await network.enrolled()
    (held,) = wallet.documents
    assert held.types == ("VerifiableCredential", "KycCredential")
    other = wallet.receive(issued(wallet), network.ledger.state)
    shown = wallet.present(Presented([held.name, other.name, held.name], CHALLENGE, DOMAIN))
    assert len(judged(network, shown).credentials) == 2
    assert network.paper.number not in str(shown)


async def test_of_a_base_proof_only_what_is_chosen_leaves(network: Network) -> None:
    wallet, key = network.wallet(), signer(P256_PUB)
    document = issued(wallet, key, "ecdsa-sd-2023")
    held = wallet.receive(document, network.ledger.state)
    shown = wallet.present(Presented([held.name], CHALLENGE, DOMAIN, pointers=["/credentialSubject/degree"]))
    (inside,) = judged(network, shown).credentials
    assert inside.document["credentialSubject"]["degree"]["type"] == "ExampleBachelorDegree"
    assert {"issuer", "validFrom", "validUntil"} <= inside.document.keys()
    assert "alumniOf" not in inside.document["credentialSubject"]
    assert "The School of Examples" not in str(shown)
    assert document["proof"]["proofValue"][:60] not in str(shown)
    with pytest.raises(LianzhengError, match="disclosure_missing"):
        wallet.present(Presented([held.name], CHALLENGE, DOMAIN))
    with pytest.raises(LianzhengError, match="pointer_unknown"):
        wallet.present(Presented([held.name], CHALLENGE, DOMAIN, pointers=["/credentialSubject/grade"]))
    whole = wallet.receive(issued(wallet), network.ledger.state)
    with pytest.raises(LianzhengError, match="disclosure_unsupported"):
        wallet.present(Presented([whole.name], CHALLENGE, DOMAIN, pointers=["/issuer"]))


async def test_an_envelope_is_taken_and_passed_on(network: Network) -> None:
    wallet, key = network.wallet(), signer(P256_PUB)
    held = wallet.receive(envelop(credential(wallet, issuer=issuer_name(key)), key), network.ledger.state)
    assert held.issuer == issuer_name(key)
    found = judged(network, wallet.present(Presented([held.name], CHALLENGE, DOMAIN)))
    assert found.credentials[0].document["credentialSubject"]["id"] == wallet.did


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"credentialSubject": {"id": "did:example:somebody"}}, "credential_mismatch"),
        ({"credentialSubject": {"alumniOf": "nobody"}}, "credential_mismatch"),
        ({"validUntil": rfc3339(START_MS - 10**6), "validFrom": None}, "credential_expired"),
        ({"validFrom": rfc3339(START_MS + 10**8)}, "credential_not_yet_valid"),
        ({"issuer": "did:example:another"}, "credential_issuer_mismatch"),
        ({"type": ["VerifiableCredential", "MembershipCredential"]}, "credential_context_refused"),
        (
            {"type": ["VerifiableCredential", "MembershipCredential"], "@context": [CONTEXT[0], dict(CONTEXT[1])]},
            "credential_schema_invalid",
        ),
        ({"type": ["AlumniCredential"]}, "credential_malformed"),
        ({"description": "x" * 70_000}, "too_large"),
    ],
)
async def test_what_a_wallet_does_not_take(network: Network, change: dict[str, Any], code: str) -> None:
    wallet = network.wallet()
    with pytest.raises(LianzhengError, match=code):
        wallet.receive(issued(wallet, **change), network.ledger.state)
    assert wallet.documents == ()


async def test_altered_proofs_and_unknown_signers_are_refused(network: Network) -> None:
    wallet, state = network.wallet(), network.ledger.state
    good = issued(wallet)
    altered = good | {"credentialSubject": {"id": wallet.did, "alumniOf": "Another School"}}
    base = issued(wallet, signer(P256_PUB), "ecdsa-sd-2023")
    spoiled = base | {"credentialSubject": base["credentialSubject"] | {"alumniOf": "Another School"}}
    web = ProofSigner("did:web:example.org#k", ED25519_PUB, ALPHA.sign)
    stranger = ProofSigner(f"did:lz:{CHAIN}:z{'4' * 44}#node", ED25519_PUB, ALPHA.sign)
    wrong_key = ProofSigner(f"{ALPHA.did}#other", ED25519_PUB, ALPHA.sign)
    for document, code in (
        (altered, "proof_invalid"),
        (spoiled, "proof_invalid"),
        (issued(wallet, web), "verification_method_unknown"),
        (issued(wallet, stranger), "did_unknown"),
        (issued(wallet, wrong_key), "verification_method_unknown"),
        ({name: value for name, value in good.items() if name != "proof"}, "proof_missing"),
    ):
        with pytest.raises(LianzhengError) as caught:
            wallet.receive(document, state)
        assert caught.value.code == code
    assert wallet.documents == ()


async def test_what_a_presentation_needs(network: Network) -> None:
    wallet = network.wallet()
    held = wallet.receive(issued(wallet), network.ledger.state)
    for wanted, code in (
        (Presented([held.name], "", DOMAIN), "challenge_missing"),
        (Presented([held.name], CHALLENGE, ""), "challenge_missing"),
        (Presented([], CHALLENGE, DOMAIN), "presentation_empty"),
        (Presented(["A" * 16], CHALLENGE, DOMAIN), "document_unknown"),
        (Presented([held.name], CHALLENGE, DOMAIN, suite="ecdsa-jcs-2019"), "cryptosuite_unknown"),
    ):
        with pytest.raises(LianzhengError, match=code):
            wallet.present(wanted)


async def test_as_many_as_there_is_room_for(network: Network, monkeypatch: pytest.MonkeyPatch) -> None:
    from lianzheng.wallet import documents

    wallet = network.wallet()
    monkeypatch.setattr(documents, "WALLET_DOCUMENTS_MAX", 2)
    for number in range(2):
        wallet.receive(issued(wallet, name=f"one {number}"), network.ledger.state)
    with pytest.raises(LianzhengError, match="documents_too_many"):
        wallet.receive(issued(wallet, name="one more"), network.ledger.state)
    wallet.receive(issued(wallet, name="one 0"), network.ledger.state)  # there already


async def test_at_rest_a_credential_is_sealed_and_comes_back(network: Network, tmp_path: Path) -> None:
    store = SealedWalletStore.create(tmp_path / "w", b"a passphrase")
    wallet = Wallet.create("own", CHAIN, store, ManualClock(START_MS), test_network=True)
    held = wallet.receive(issued(wallet), network.ledger.state)
    files = b"".join(path.read_bytes() for path in (tmp_path / "w").iterdir() if path.is_file())
    for plain in (b"School", ALPHA.did.encode(), wallet.did.encode()):
        assert plain not in files
    again = Wallet.load(
        "own", SealedWalletStore.open(tmp_path / "w", b"a passphrase"), ManualClock(), test_network=True
    )
    assert again.document(held.name)["credentialSubject"]["alumniOf"] == "The School of Examples"


async def test_what_the_ledger_is_asked_for_names_the_signers_alone(network: Network) -> None:
    wallet = network.wallet()
    assert signer_keys(issued(wallet)) == (f"did-version/{ALPHA.did}/", f"did/{ALPHA.did}")
    assert signer_keys(issued(wallet, signer(ED25519_PUB))) == ()
