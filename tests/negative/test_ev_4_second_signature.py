"""EV-4: no signature has a second form that verifies as well; what admits one (ECDSA) signs nothing on the ledger."""

from __future__ import annotations

import pytest

from bundle_kit import as_json, valid
from ledger_kit import BETA, START_MS, agreement_payload, make_genesis
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ecdsa
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject, decode, encode
from lianzheng.errors import VerificationError
from lianzheng.verify import verify_bundle

ED25519_ORDER = 2**252 + 27742317777372353535851937790883648493  # RFC 8032 §5.1
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # FIPS 186-5, SP 800-186 §3.2.1.3
NOW = START_MS + 1


def _ed25519_twin(signature: bytes) -> bytes:
    s = int.from_bytes(signature[32:], "little") + ED25519_ORDER
    return signature[:32] + s.to_bytes(32, "little")


def _ecdsa_twin(signature: bytes) -> bytes:
    return signature[:32] + (P256_ORDER - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def _code(envelope: JsonObject) -> str:
    machine = Machine(make_genesis())
    before = machine.app_hash()
    result = machine.execute_block(1, NOW, [encode(envelope)])[0]
    assert result.ok or machine.app_hash() == before
    return result.code


def test_an_ed25519_response_above_the_order() -> None:
    signed = decode(BETA.transaction("agreement.sign", agreement_payload(), 1).to_bytes())
    assert _code(signed) == "ok"
    proof = signed["proof"]
    twin = b64u_encode(_ed25519_twin(b64u_decode(proof["sig"])))
    assert _code(signed | {"proof": proof | {"sig": twin}}) == "signature_invalid"


def test_an_ecdsa_signature_and_its_twin() -> None:
    """Both verify; so a transaction signed by it would have two envelopes, and neither is taken."""
    secret = (7).to_bytes(32, "big")
    public = ecdsa.public_key("P-256", secret)
    signed = decode(BETA.transaction("agreement.sign", agreement_payload(), 1).to_bytes())
    message = encode(signed["body"])
    first = ecdsa.sign("P-256", secret, message)
    twin = _ecdsa_twin(first)
    assert first != twin
    for signature in (first, twin):  # the attack is real
        ecdsa.verify("P-256", public, message, signature)
        for name in ("ES256", "ECDSA-P256", "P-256", "Ed25519ph"):
            proof = {"alg": name, "sig": b64u_encode(signature)}
            assert _code(signed | {"proof": proof}) == "field_invalid"
        assert _code(signed | {"proof": {"alg": "Ed25519", "sig": b64u_encode(signature)}}) == "signature_invalid"


def test_a_bundles_head_under_a_second_form_of_its_signature() -> None:
    _, trust = valid()
    document = as_json()
    head = document["ledger"]["head"]
    for twin in (_ed25519_twin, _ecdsa_twin):
        document["ledger"]["head"] = head | {"signature": b64u_encode(twin(b64u_decode(head["signature"])))}
        with pytest.raises(VerificationError, match="head_signature_invalid"):
            verify_bundle(encode(document), trust)
