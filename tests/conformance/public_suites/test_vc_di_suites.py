"""What vc-di-eddsa-test-suite and vc-di-ecdsa-test-suite ask, with data-integrity-test-suite-assertion.

Files: tests/suites/*.js, tests/50-sd-verify.js of the former two, suites/create.js and suites/verify.js of the latter.
The suites themselves are not run here; the documents are our own.
"""

from __future__ import annotations

from typing import Any

import pytest

from credential_kit import signer
from lianzheng.api.conformance import Issuers
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.times import xsd_time_ms

_PROFILES = [one.profile for one in Issuers().all if one.profile.startswith(("eddsa", "ecdsa"))]
_KEY_STARTS = {"Ed25519": "did:key:z6Mk", "P-256": "did:key:zDna", "P-384": "did:key:z82L"}
_KEYS = {profile: "P-256" if "p256" in profile or "sd" in profile else "Ed25519" for profile in _PROFILES}
_KEYS |= {profile: "P-384" for profile in _PROFILES if profile.endswith("p384")}
_CODECS = {"Ed25519": ED25519_PUB, "P-256": P256_PUB, "P-384": P384_PUB}
_SIGNATURE_BYTES = {"Ed25519": 64, "P-256": 64, "P-384": 96}
_BASE58 = set("123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz")

# What suites/verify.js does to a proof that holds; None takes the member away.
_BROKEN: dict[str, dict[str, Any]] = {
    "If the proof.type field is missing, an error MUST be raised.": {"type": None},
    "If the proof.type field is not the string DataIntegrityProof, an error MUST be raised.": {"type": "UnknownProof"},
    "If the proof.verificationMethod field is missing, an error MUST be raised.": {"verificationMethod": None},
    "If the proof.verificationMethod field is invalid, an error MUST be raised.": {
        "verificationMethod": "did:key:invalidVm"
    },
    "If the proof.proofPurpose field is missing, an error MUST be raised.": {"proofPurpose": None},
    "If the proof.proofPurpose field is invalid, an error MUST be raised.": {"proofPurpose": "invalidPurpose"},
    "If the proof.proofValue field is missing, an error MUST be raised.": {"proofValue": None},
    "If the proof.proofValue field is invalid, an error MUST be raised.": {"proofValue": 7},
    "If the proof.proofValue field does not start with its multibase prefix, an error MUST be raised.": {
        "proofValue": "a"
    },
    "If cryptosuite does not identify the suite, an error MUST be raised.": {"cryptosuite": "UnknownCryptosuite"},
    "proof.created MUST be specified as a dateTimeStamp string.": {"created": "invalidDate"},
}


def _credential(**change: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, {"@vocab": "https://example.org/#"}],
        "id": "urn:uuid:86294362-4254-4f36-854f-3952fe42555d",
        "type": ["VerifiableCredential"],
        "credentialSubject": {
            "id": "did:key:z6MktKwz7Ge1Yxzr4JHavN33wiwa8y81QdcMRLXQsrH9T53b",
            "name": "A",
            "marks": [1, 2],
        },
    } | change


async def _issued(suite: Any, profile: str, **options: Any) -> dict[str, Any]:
    """A credential that a verifier accepts: with ecdsa-sd-2023, one derived from the base."""
    if "sd" not in profile:
        return dict((await suite.issue(profile, _credential(), **options))[1])
    return await _derived(suite, ["/credentialSubject/id"], mandatoryPointers=["/issuer"], **options)


async def _derived(suite: Any, pointers: list[str], **options: Any) -> dict[str, Any]:
    status, base = await suite.issue("ecdsa-sd-2023", _credential(), **options)
    assert status == 201, base
    body = {"verifiableCredential": base, "options": {"selectivePointers": pointers}}
    status, answer = await suite.post("/ecdsa-sd-2023/credentials/derive", body)
    assert status == 201, answer
    return dict(answer["verifiableCredential"])


@pytest.mark.parametrize("profile", _PROFILES)
async def test_the_created_proof(suite: Any, profile: str) -> None:
    """suites/create.js, tests/suites/data-model.js and algorithms.js: members, key form and encoding of a new proof."""
    status, issued = await suite.issue(profile, _credential())
    assert status == 201
    proof, key = issued["proof"], _KEYS[profile]
    assert (proof["type"], proof["proofPurpose"]) == ("DataIntegrityProof", "assertionMethod")
    assert profile.startswith(proof["cryptosuite"])
    assert xsd_time_ms(proof["created"]) > 0
    assert proof["verificationMethod"].startswith(_KEY_STARTS[key])
    assert set(proof["verificationMethod"].partition("#")[2]) <= _BASE58
    if "sd" in profile:
        assert proof["proofValue"][0] == "u"
        assert b64u_decode(proof["proofValue"][1:])[:3] == bytes.fromhex("d95d00")
        return
    assert proof["proofValue"][0] == "z"
    assert set(proof["proofValue"][1:]) <= _BASE58
    number = 0
    for character in proof["proofValue"][1:]:
        number = number * 58 + "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".index(character)
    assert number < 256 ** _SIGNATURE_BYTES[key]


@pytest.mark.parametrize("profile", _PROFILES)
@pytest.mark.parametrize("assertion", _BROKEN)
async def test_a_broken_proof_is_refused(suite: Any, profile: str, assertion: str) -> None:
    """suites/verify.js, tests/suites/conformance.js."""
    issued = await _issued(suite, profile)
    assert await suite.verify(profile, issued) == 200
    altered = {name: value for name, value in {**issued["proof"], **_BROKEN[assertion]}.items() if value is not None}
    assert await suite.verify(profile, {**issued, "proof": altered}) == 400


@pytest.mark.parametrize("profile", _PROFILES)
async def test_refusals_beside_the_members(suite: Any, profile: str) -> None:
    """suites/verify.js: no proof, none that is one, another purpose, no multibase header, an altered document."""
    issued = await _issued(suite, profile)
    unsecured = {name: value for name, value in issued.items() if name != "proof"}
    value = issued["proof"]["proofValue"][1:]
    altered = [unsecured, {**issued, "proof": None}, {**issued, "proof": {**issued["proof"], "proofValue": value}}]
    altered += [{**issued, "credentialSubject": {**issued["credentialSubject"], "id": "urn:invalid"}}]
    for document in altered:
        assert await suite.verify(profile, document) == 400
    assert await suite.verify(profile, issued, expectedProofPurpose="authentication") == 400
    assert await suite.verify(profile, issued, expectedProofPurpose="assertionMethod") == 200


@pytest.mark.parametrize("profile", [one for one in _PROFILES if "sd" not in one])
async def test_times_domains_and_challenges_of_a_proof(suite: Any, profile: str) -> None:
    """suites/verify.js (optional tests): a year old proof holds; one without created too; the others do not."""
    key = signer(_CODECS[_KEYS[profile]])
    name = next(one.suite for one in suite.issuers.all if one.profile == profile)
    document = _credential(issuer=key.verification_method.partition("#")[0])
    for created in (None, "2025-09-21T14:00:00Z"):
        assert await suite.verify(profile, create_proof(document, key, ProofOptions(name, created))) == 200
    expired = ProofOptions(name, "2025-09-21T14:00:00Z", expires="2025-10-21T14:00:00Z")
    assert await suite.verify(profile, create_proof(document, key, expired)) == 400
    bound = create_proof(document, key, ProofOptions(name, domain="one.example", challenge="a"))
    assert await suite.verify(profile, bound, domain="one.example", challenge="a") == 200
    assert await suite.verify(profile, bound, domain="two.example") == 400
    assert await suite.verify(profile, bound, domain="one.example", challenge="b") == 400


async def test_selective_disclosure(suite: Any) -> None:
    """tests/50-sd-verify.js, tests/suites/algorithms-sd.js: what a derived credential shows, and what is refused."""
    profile = "ecdsa-sd-2023"
    for pointers in (["/credentialSubject/marks"], ["/credentialSubject/marks/1"], ["/credentialSubject"]):
        assert await suite.verify(profile, await _derived(suite, pointers, mandatoryPointers=["/issuer"])) == 200
    status, base = await suite.issue(profile, _credential(), mandatoryPointers=["/issuer"])
    assert (status, await suite.verify(profile, base)) == (201, 400)  # a base proof is for the holder alone
    assert (await suite.issue(profile, _credential(), mandatoryPointers=["/non/existent/path"]))[0] == 400
    derived = await _derived(suite, ["/credentialSubject/id"])
    header = bytes.fromhex("d95d00") + b64u_decode(derived["proof"]["proofValue"][1:])[3:]
    wrong = {**derived["proof"], "proofValue": "u" + b64u_encode(header)}
    assert await suite.verify(profile, {**derived, "proof": wrong}) == 400
