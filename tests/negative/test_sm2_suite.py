"""lz-sm2-jcs-2026 and dual proofs: every input changed, algorithms confused, one proof of two taken away."""

from __future__ import annotations

import subprocess
from copy import deepcopy
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from openvc.did.did_key import DidKeyResolver
from openvc.proof.di_jcs import EddsaJcsProofSuite

from credential_kit import CREATED, NOW_MS, issuer_name, policy, signer, unsigned
from lianzheng.crypto import ecdsa, ed25519, sm2
from lianzheng.crypto.digest import sha256_raw, sm3_raw
from lianzheng.encoding.binary import b64u_encode, multibase_decode, multibase_encode
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB, SM2_PUB, encode_multikey
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.enveloped import ENVELOPED_CREDENTIAL, envelop
from lianzheng.identity.credentials.keys import ProofKey, ProofSigner, did_key, did_key_signer
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.suites import SM2_SUITE
from lianzheng.identity.credentials.verifier import verify_vc
from lianzheng.identity.resolution.did_key import key_document
from lianzheng.identity.resolution.keys import published_key

PAIR = sm2.generate()
BY = did_key_signer(SM2_PUB, PAIR)
WEB = "did:web:bank.example"
_SEED = bytes(range(32))
_ED, _SM = f"{WEB}#ed", f"{WEB}#sm"
_KEYS = {
    _ED: encode_multikey(ED25519_PUB, ed25519.public_key(_SEED)),
    _SM: encode_multikey(SM2_PUB, sm2.public_key(PAIR)),
}
DOCUMENT = {
    "id": WEB,
    "verificationMethod": [
        {"id": name, "type": "Multikey", "controller": WEB, "publicKeyMultibase": text} for name, text in _KEYS.items()
    ],
    "assertionMethod": [_ED, _SM],
}
ED_SIGNER = ProofSigner(_ED, ED25519_PUB, lambda message: ed25519.sign(_SEED, message))
SM_SIGNER = ProofSigner(_SM, SM2_PUB, lambda message: sm2.sign(PAIR, message))


def _web_key(method: str, purpose: str) -> ProofKey:
    return published_key(DOCUMENT, method, purpose).key


def _signed(**change: Any) -> dict[str, Any]:
    return create_proof(unsigned(BY, **change), BY, ProofOptions(SM2_SUITE, created=CREATED))


def _dual() -> dict[str, Any]:
    document = unsigned(SM_SIGNER, issuer=WEB)
    first = create_proof(document, ED_SIGNER, ProofOptions("eddsa-jcs-2022", created=CREATED))
    return create_proof(first, SM_SIGNER, ProofOptions(SM2_SUITE, created=CREATED))


def _refused(document: dict[str, Any], **demands: Any) -> str:
    with pytest.raises(LianzhengError) as caught:
        verify_vc(document, policy(**demands))
    return caught.value.code


def test_the_signed_bytes_are_those_of_the_page(tmp_path: Path) -> None:
    """SM3 of the options beside SM3 of the document; OpenSSL takes the signature over just these 64 bytes."""
    document = _signed()
    proof = document["proof"]
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    plain = {name: value for name, value in document.items() if name != "proof"}
    assert options["@context"] == document["@context"]
    message = sm3_raw(encode_w3c(options)) + sm3_raw(encode_w3c(plain))
    signature = multibase_decode(proof["proofValue"])
    assert len(signature) == 64
    sm2.verify(sm2.public_key(PAIR), message, signature)
    for other in (message[32:] + message[:32], sm3_raw(message), sha256_raw(encode_w3c(options)) + message[32:]):
        with pytest.raises(LianzhengError):
            sm2.verify(sm2.public_key(PAIR), other, signature)

    head = bytes.fromhex("3059301306072a8648ce3d020106082a811ccf5501822d034200")  # SubjectPublicKeyInfo of an SM2 key
    x = int.from_bytes(PAIR[33:], "big")
    p = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
    b = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
    y = pow(x**3 - 3 * x + b, (p + 1) // 4, p)
    y = y if y % 2 == PAIR[32] % 2 else p - y
    key, data, der = tmp_path / "key", tmp_path / "data", tmp_path / "sig"
    key.write_bytes(head + b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big"))
    data.write_bytes(message)
    der.write_bytes(encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-digest", "sm3", "-pkeyopt", "distid:1234567812345678"]
    command += ["-pubin", "-keyform", "DER", "-inkey", str(key), "-in", str(data), "-sigfile", str(der)]
    done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_every_input_changed() -> None:
    document = _signed()
    assert verify_vc(document, policy()).proofs[0].cryptosuite == SM2_SUITE
    other = did_key_signer(SM2_PUB, sm2.generate())
    for name, value in [
        ("validFrom", "2026-01-02T00:00:00Z"),
        ("id", "urn:uuid:00000000-0000-0000-0000-000000000000"),
        ("credentialSubject", {"id": "did:example:attacker", "alumniOf": "The School of Examples"}),
        ("issuer", issuer_name(other)),
    ]:
        assert _refused({**document, name: value}) == "proof_invalid"
    proof = document["proof"]
    signature = bytearray(multibase_decode(proof["proofValue"]))
    signature[40] ^= 1
    for name, value, code in [
        ("created", "2026-09-21T14:00:01Z", "proof_invalid"),
        ("verificationMethod", other.verification_method, "proof_invalid"),
        ("proofValue", multibase_encode(bytes(signature)), "proof_invalid"),
        ("proofValue", multibase_encode(bytes(signature[:63])), "proof_invalid"),
        ("proofValue", multibase_encode(bytes(64)), "proof_invalid"),
        ("proofValue", "z", "proof_invalid"),
        ("expires", "2036-01-01T00:00:00Z", "proof_invalid"),
        ("proofPurpose", "authentication", "proof_purpose_wrong"),
        ("@context", ["https://www.w3.org/ns/credentials/v2"], "proof_context_mismatch"),
    ]:
        assert _refused({**document, "proof": {**proof, name: value}}) == code
    without = {name: value for name, value in proof.items() if name != "@context"}
    assert _refused({**document, "proof": without}) == "proof_invalid"


@pytest.mark.parametrize("suite", ["eddsa-jcs-2022", "eddsa-rdfc-2022", "ecdsa-jcs-2019", "ecdsa-rdfc-2019"])
def test_an_sm2_key_under_the_name_of_another_suite(suite: str) -> None:
    document = _signed()
    renamed = {**document, "proof": {**document["proof"], "cryptosuite": suite}}
    assert _refused(renamed) == "cryptosuite_key_mismatch"
    with pytest.raises(LianzhengError) as caught:
        create_proof(unsigned(BY), BY, ProofOptions(suite, created=CREATED))
    assert caught.value.code == "cryptosuite_key_mismatch"


@pytest.mark.parametrize("codec", [ED25519_PUB, P256_PUB, P384_PUB])
def test_another_key_under_the_name_of_this_suite(codec: int) -> None:
    by = signer(codec)
    with pytest.raises(LianzhengError) as caught:
        create_proof(unsigned(by), by, ProofOptions(SM2_SUITE, created=CREATED))
    assert caught.value.code == "cryptosuite_key_mismatch"
    honest = "eddsa-jcs-2022" if codec == ED25519_PUB else "ecdsa-jcs-2019"
    document = create_proof(unsigned(by), by, ProofOptions(honest, created=CREATED))
    renamed = {**document, "proof": {**document["proof"], "cryptosuite": SM2_SUITE}}
    assert _refused(renamed) == "cryptosuite_key_mismatch"


def test_a_signature_of_one_curve_is_none_of_the_other() -> None:
    """The same scalar on P-256 and the same message: an attacker who holds one key does not hold the other."""
    document = _signed()
    secret = PAIR[:32]
    proof = {name: value for name, value in document["proof"].items() if name != "proofValue"}
    plain = {name: value for name, value in document.items() if name != "proof"}
    message = sm3_raw(encode_w3c(proof)) + sm3_raw(encode_w3c(plain))
    forged = multibase_encode(ecdsa.sign("P-256", secret, message))
    assert _refused({**document, "proof": {**proof, "proofValue": forged}}) == "proof_invalid"


def test_the_name_is_the_whole_name() -> None:
    document = _signed()
    for name in ("sm2-jcs-2026", "LZ-SM2-JCS-2026", "lz-sm2-jcs-2026 ", "lz-sm2-rdfc-2026"):
        assert _refused({**document, "proof": {**document["proof"], "cryptosuite": name}}) == "cryptosuite_unknown"


def test_an_sm2_key_makes_no_envelope() -> None:
    """JOSE has no algorithm for it; a token that says another one is refused for its key."""
    by = signer(P256_PUB)
    token = envelop(unsigned(by), by, ENVELOPED_CREDENTIAL)
    head = {"alg": "ES256", "kid": BY.verification_method, "typ": "vc+jwt"}
    first = b64u_encode(encode_w3c(head)) + "." + b64u_encode(encode_w3c(unsigned(BY)))
    forged = f"data:application/vc+jwt,{first}.{b64u_encode(BY.sign(first.encode()))}"
    assert _refused({**token, "id": forged}) == "envelope_header_refused"


def test_one_credential_serves_both_worlds() -> None:
    document = _dual()
    proven = verify_vc(document, policy(resolve_key=_web_key)).proofs
    assert [one.cryptosuite for one in proven] == ["eddsa-jcs-2022", SM2_SUITE]
    assert {one.controller for one in proven} == {WEB}
    both = frozenset({"eddsa-jcs-2022", SM2_SUITE})
    verify_vc(document, policy(resolve_key=_web_key, required_suites=both))
    for kept, lacking in [(0, SM2_SUITE), (1, "eddsa-jcs-2022")]:
        alone = {**document, "proof": document["proof"][kept]}
        assert len(verify_vc(alone, policy(resolve_key=_web_key)).proofs) == 1, "each stands alone"
        code = _refused(alone, resolve_key=_web_key, required_suites=frozenset({lacking}))
        assert code == "proof_suite_missing"


def test_a_verifier_of_w3c_suites_takes_its_half_of_a_dual_credential() -> None:
    """openvc-core knows nothing of SM2: it is given the document with the one proof that it knows."""
    by = signer(ED25519_PUB)
    both = create_proof(unsigned(by), by, ProofOptions("eddsa-jcs-2022", created=CREATED))
    both = create_proof(both, BY, ProofOptions(SM2_SUITE, created=CREATED))
    half = {**both, "proof": both["proof"][0]}
    found = EddsaJcsProofSuite().verify(half, resolver=DidKeyResolver(), now=datetime.fromtimestamp(NOW_MS / 1000, UTC))
    assert found.issuer == issuer_name(by)


@pytest.mark.parametrize("broken", [0, 1])
def test_one_bad_proof_of_two_is_a_bad_credential(broken: int) -> None:
    document = deepcopy(_dual())
    signature = bytearray(multibase_decode(document["proof"][broken]["proofValue"]))
    signature[5] ^= 1
    document["proof"][broken]["proofValue"] = multibase_encode(bytes(signature))
    assert _refused(document, resolve_key=_web_key) == "proof_invalid"


def test_proofs_of_two_controllers_are_no_dual_credential() -> None:
    """Two did:key keys are two issuers, of whom one signs the other's credential."""
    by = signer(ED25519_PUB)
    both = create_proof(unsigned(by), by, ProofOptions("eddsa-jcs-2022", created=CREATED))
    both = create_proof(both, BY, ProofOptions(SM2_SUITE, created=CREATED))
    assert _refused(both) == "credential_issuer_mismatch"


def test_a_presentation_of_a_proof_for_the_other_key_of_the_issuer() -> None:
    """The SM2 proof under the name of the issuer's Ed25519 key, and the other way round."""
    document = _dual()
    first, second = document["proof"]
    for proof, method in [(first, _SM), (second, _ED)]:
        alone = {**document, "proof": {**proof, "verificationMethod": method}}
        assert _refused(alone, resolve_key=_web_key) == "cryptosuite_key_mismatch"


def test_did_key_of_sm2() -> None:
    text = encode_multikey(SM2_PUB, sm2.public_key(PAIR))
    assert key_document(text)["assertionMethod"] == [f"did:key:{text}#{text}"]
    assert did_key(f"did:key:{text}#{text}", "assertionMethod").codec == SM2_PUB
    off_curve = next(raw for raw in (b"\x02" + x.to_bytes(32, "big") for x in range(1, 40)) if _is_no_point(raw))
    with pytest.raises(LianzhengError) as caught:
        key_document(encode_multikey(SM2_PUB, off_curve))
    assert caught.value.code == "did_invalid"


def _is_no_point(raw: bytes) -> bool:
    try:
        sm2.check_point(raw)
    except LianzhengError:
        return True
    return False
