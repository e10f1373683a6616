"""Attacks on credentials, each named by its defect. The untouched document passes in every case.

Clocks and times of validity: ``test_credential_times.py``.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from credential_kit import CREATED, NOW_MS, SUITES, issuer_name, policy, signed, signer, unsigned
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.jcs import encode_w3c, parse_w3c
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.enveloped import ENVELOPED_PRESENTATION, envelop
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifier import verify_presentation, verify_vc
from lianzheng.limits import CREDENTIAL_BYTES_MAX


def _refused(document: dict[str, Any], **demands: Any) -> str:
    with pytest.raises(LianzhengError) as caught:
        verify_vc(document, policy(**demands))
    return caught.value.code


@pytest.mark.parametrize("suite", SUITES)
def test_what_was_signed_passes_and_any_change_is_refused(suite: str) -> None:
    document = signed(suite)
    assert verify_vc(document, policy()).proofs[0].cryptosuite == suite
    for name, value in [
        ("validFrom", "2026-01-02T00:00:00Z"),
        ("id", "urn:uuid:00000000-0000-0000-0000-000000000000"),
        ("credentialSubject", {"id": "did:example:attacker", "alumniOf": "The School of Examples"}),
    ]:
        assert _refused({**document, name: value}) == "proof_invalid"
    for name in ("created", "verificationMethod"):
        other = {"created": "2026-09-21T14:00:01Z", "verificationMethod": signer(SUITES[suite], 2).verification_method}
        assert _refused({**document, "proof": {**document["proof"], name: other[name]}}) == "proof_invalid"


@pytest.mark.parametrize("suite", SUITES)
def test_signature_wrapping(suite: str) -> None:
    """The signed document moved inside another one, whose outside is the attacker's."""
    document = signed(suite)
    inner = deepcopy(document)
    outer = {**document, "credentialSubject": {"id": "did:example:attacker", "alumniOf": inner}}
    assert _refused(outer) == "proof_invalid"
    graph = {"@context": document["@context"], "@graph": [inner], "proof": document["proof"]}
    assert _refused(graph) == "credential_malformed"


def test_a_second_proof_that_does_not_hold_is_not_passed_over() -> None:
    document = signed()
    forged = {**document["proof"], "created": "2026-09-21T14:00:01Z"}
    assert _refused({**document, "proof": [document["proof"], forged]}) == "proof_invalid"
    assert _refused({**document, "proof": []}) == "proof_missing"
    assert _refused({**document, "proof": [document["proof"], "x"]}) == "proof_malformed"


def test_algorithm_confusion() -> None:
    """The suite named is not one for the kind of key named."""
    document = signed("ecdsa-jcs-2019")
    proof = document["proof"]
    for suite in ("eddsa-jcs-2022", "eddsa-rdfc-2022"):
        assert _refused({**document, "proof": {**proof, "cryptosuite": suite}}) == "cryptosuite_key_mismatch"
    assert _refused({**document, "proof": {**proof, "cryptosuite": "ecdsa-rdfc-2019"}}) == "proof_invalid"
    for suite in ("none", "", "ecdsa-jcs-2019 "):
        assert _refused({**document, "proof": {**proof, "cryptosuite": suite}}) in {
            "cryptosuite_unknown",
            "proof_malformed",
        }
    ed25519 = signer(ED25519_PUB).verification_method
    assert _refused({**document, "proof": {**proof, "verificationMethod": ed25519}}) == "cryptosuite_key_mismatch"


@pytest.mark.parametrize("suite", SUITES)
def test_context_substitution(suite: str) -> None:
    """The same words under another meaning."""
    document = signed(suite)
    other = {"alumniOf": "https://attacker.example/#owes"}
    expected = "proof_context_mismatch" if "jcs" in suite else "proof_invalid"
    assert _refused({**document, "@context": [*document["@context"], other]}) == expected
    first, *rest = document["@context"]
    assert _refused({**document, "@context": [first, other, *rest]}) == expected
    assert _refused({**document, "@context": [*document["@context"], "https://a.example/c"]}) == "context_unknown"


def test_duplicate_keys() -> None:
    data = encode_w3c(signed())
    twice = data[:-1] + b',"issuer":"did:example:attacker"}'
    assert parse_w3c(data)["issuer"].startswith("did:key:")
    with pytest.raises(LianzhengError) as caught:
        parse_w3c(twice)
    assert caught.value.code == "json_duplicate_key"
    nested = data.replace(b'"alumniOf":', b'"alumniOf":"x","alumniOf":')
    with pytest.raises(LianzhengError) as caught:
        parse_w3c(nested)
    assert caught.value.code == "json_duplicate_key"


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("too_large", b'{"a":"' + b"x" * 300_000 + b'"}'),
        ("json_depth", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        ("json_depth", b'{"a":' * 30 + b"1" + b"}" * 30),
        ("json_malformed", b'{"a":NaN}'),
        ("json_malformed", b'{"a":"\xff"}'),
        ("json_malformed", b'{"a":1'),
        ("json_type", b"[]"),
        ("json_type", b'{"a":"\\ud800"}'),
    ],
)
def test_huge_deep_and_broken_documents(code: str, data: bytes) -> None:
    with pytest.raises(LianzhengError) as caught:
        parse_w3c(data, 2_000_000 if data.startswith(b'{"a":{') and len(data) > 300_000 else 256 * 1024)
    assert caught.value.code == code


def test_another_issuers_key_is_refused_unless_only_the_proof_is_asked_for() -> None:
    by, other = signer(number=1), signer(number=2)
    document = create_proof(unsigned(other), by, ProofOptions("eddsa-rdfc-2022", created=CREATED))
    assert _refused(document) == "credential_issuer_mismatch"
    verify_vc(document, policy(proof_only=True))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("proof_malformed", {"type": "Ed25519Signature2020"}),
        ("proof_malformed", {"surplus": "x"}),
        ("proof_malformed", {"proofValue": 5}),
        ("proof_malformed", {"proofPurpose": None}),
        ("proof_malformed", {"verificationMethod": "key-1"}),
        ("proof_purpose_wrong", {"proofPurpose": "authentication"}),
        ("time_invalid", {"created": "yesterday"}),
        ("proof_previous_unknown", {"previousProof": "urn:uuid:1"}),
        ("proof_invalid", {"proofValue": "z1"}),
        ("proof_invalid", {"proofValue": "not base58btc"}),
        ("verification_method_unknown", {"verificationMethod": "did:key:z6Mk#z6Mk"}),
        ("verification_method_unknown", {"verificationMethod": "did:web:example.org#1"}),
    ],
)
def test_proof_members(code: str, change: dict[str, Any]) -> None:
    document = signed()
    proof = {name: value for name, value in (document["proof"] | change).items() if value is not None}
    assert _refused({**document, "proof": proof}) == code


def _presentation(holder: ProofSigner, **options: Any) -> dict[str, Any]:
    document = {
        "@context": [*signed()["@context"]],
        "type": ["VerifiablePresentation"],
        "holder": issuer_name(holder),
        "verifiableCredential": [signed("eddsa-jcs-2022"), envelop(unsigned(signer(P256_PUB)), signer(P256_PUB))],
    }
    chosen = ProofOptions("eddsa-rdfc-2022", created=CREATED, purpose="authentication", **options)
    return create_proof(document, holder, chosen)


def test_a_presentation_answers_one_challenge_for_one_domain() -> None:
    holder = signer(number=7)
    document = _presentation(holder, challenge="c" * 22, domain="verifier.example")
    demands = {"challenge": "c" * 22, "domain": "verifier.example"}
    found = verify_presentation(document, policy(**demands))
    assert [one.proofs[0].cryptosuite for one in found.credentials] == ["eddsa-jcs-2022", "vc+jwt"]
    changes: list[tuple[str, dict[str, Any]]] = [
        ("proof_challenge_mismatch", {"challenge": "d" * 22}),
        ("proof_challenge_mismatch", {"challenge": None}),
        ("proof_domain_mismatch", {"domain": "other.example"}),
    ]
    for code, change in changes:
        with pytest.raises(LianzhengError) as caught:
            verify_presentation(document, policy(**{**demands, **change}))
        assert caught.value.code == code
    stolen = {**document, "holder": issuer_name(signer(number=8))}
    with pytest.raises(LianzhengError) as caught:
        verify_presentation(stolen, policy(**demands))
    assert caught.value.code == "proof_invalid"
    inside = deepcopy(document)
    inside["verifiableCredential"][0]["proof"]["created"] = "2026-09-21T14:00:01Z"
    with pytest.raises(LianzhengError) as caught:
        verify_presentation(inside, policy(**demands))
    assert caught.value.code == "proof_invalid"


@pytest.mark.parametrize("codec", [ED25519_PUB, P256_PUB, P384_PUB])
def test_envelopes(codec: int) -> None:
    by = signer(codec)
    envelope = envelop(unsigned(by), by)
    assert verify_vc(envelope, policy()).document == unsigned(by)
    head, payload, signature = envelope["id"].partition(",")[2].split(".")

    def remade(header: dict[str, Any], body: str = payload) -> dict[str, Any]:
        token = ".".join([b64u_encode(encode_w3c(header)), body, signature])
        return {**envelope, "id": "data:application/vc+jwt," + token}

    kid = by.verification_method
    algorithm = {ED25519_PUB: "EdDSA", P256_PUB: "ES256", P384_PUB: "ES384"}[codec]
    assert remade({"alg": algorithm, "kid": kid, "typ": "vc+jwt"}) == envelope
    other = b64u_encode(encode_w3c(unsigned(by, id="urn:uuid:1")))
    assert _refused(remade({"alg": algorithm, "kid": kid, "typ": "vc+jwt"}, other)) == "envelope_invalid"
    for header in (
        {"alg": "none", "kid": kid},
        {"alg": "HS256", "kid": kid},
        {"alg": "ES256" if codec != P256_PUB else "ES384", "kid": kid},
        {"alg": algorithm},
        {"alg": algorithm, "kid": kid, "jwk": {"kty": "oct", "k": "AA"}},
        {"alg": algorithm, "kid": kid, "crit": ["b64"], "b64": False},
        {"alg": algorithm, "kid": kid, "typ": "JWT"},
    ):
        assert _refused(remade(header)) == "envelope_header_refused"
    for text in ("data:application/vc+jwt,a.b", "data:text/plain,a.b.c", "https://example.org", 5):
        assert _refused({**envelope, "id": text}) == "envelope_malformed"
    assert head


def _raw_envelope(by: ProofSigner, header: bytes, payload: bytes) -> dict[str, Any]:
    """An envelope of these very bytes, with a signature that holds."""
    text = f"{b64u_encode(header)}.{b64u_encode(payload)}"
    token = f"{text}.{b64u_encode(by.sign(text.encode()))}"
    return {**envelop(unsigned(by), by), "id": f"data:application/vc+jwt,{token}"}


def test_duplicate_keys_in_an_envelope() -> None:
    by = signer(P256_PUB)
    header, payload = (
        encode_w3c({"alg": "ES256", "kid": by.verification_method, "typ": "vc+jwt"}),
        encode_w3c(unsigned(by)),
    )
    assert verify_vc(_raw_envelope(by, header, payload), policy()).document == unsigned(by)
    twice = payload[:-1] + b',"issuer":"did:example:attacker"}'
    assert _refused(_raw_envelope(by, header, twice)) == "json_duplicate_key"
    other = signer(P256_PUB, 2).verification_method.encode()
    assert _refused(_raw_envelope(by, header[:-1] + b',"kid":"' + other + b'"}', payload)) == "envelope_malformed"


def test_huge_and_deep_envelopes() -> None:
    by = signer(P256_PUB)
    header = encode_w3c({"alg": "ES256", "kid": by.verification_method, "typ": "vc+jwt"})
    for payload, code in (
        (b'{"a":"' + b"x" * CREDENTIAL_BYTES_MAX + b'"}', "envelope_malformed"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "json_depth"),
        (b"[]", "json_type"),
    ):
        assert _refused(_raw_envelope(by, header, payload)) == code


def test_an_envelopes_outside_says_nothing() -> None:
    """Wrapping: what stands beside the token was signed by nobody, and is not what verification returns."""
    by = signer(P256_PUB)
    wrapped = {**envelop(unsigned(by), by), "credentialSubject": {"id": "did:example:attacker"}, "issuer": "did:x:y"}
    assert verify_vc(wrapped, policy()).document == unsigned(by)


def test_an_enveloped_presentation_carries_its_challenge_as_nonce() -> None:
    holder = signer(P256_PUB, 9)
    document = {
        "@context": signed()["@context"],
        "type": "VerifiablePresentation",
        "holder": issuer_name(holder),
        "verifiableCredential": signed(),
    }
    envelope = envelop({**document, "nonce": "c" * 22}, holder, ENVELOPED_PRESENTATION)
    assert len(verify_presentation(envelope, policy(challenge="c" * 22)).credentials) == 1
    with pytest.raises(LianzhengError) as caught:
        verify_presentation(envelope, policy(challenge="d" * 22))
    assert caught.value.code == "proof_challenge_mismatch"


@pytest.mark.parametrize(
    ("code", "claims"),
    [
        ("envelope_expired", {"exp": NOW_MS // 1000 - 301}),
        ("envelope_not_yet_valid", {"nbf": NOW_MS // 1000 + 301}),
        ("envelope_not_yet_valid", {"iat": NOW_MS // 1000 + 301}),
        ("envelope_malformed", {"exp": "never"}),
        ("envelope_malformed", {"exp": True}),
        ("envelope_malformed", {"iss": "did:example:other"}),
        ("envelope_malformed", {"vc": {}}),
    ],
)
def test_claims_of_an_envelope_are_in_force(code: str, claims: dict[str, Any]) -> None:
    by = signer(P256_PUB)
    fine = {"exp": NOW_MS // 1000 - 299, "nbf": NOW_MS // 1000 + 299, "iss": issuer_name(by)}
    verify_vc(envelop({**unsigned(by), **fine}, by), policy())
    assert _refused(envelop({**unsigned(by), **fine, **claims}, by)) == code
