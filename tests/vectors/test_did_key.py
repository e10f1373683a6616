"""did:key documents against the vectors of the did:key specification.

The files' documents use key formats that came before Multikey; what is compared is which key stands for which purpose.
Not applicable: P-521 (``z2J9ga…``), the joint BLS12-381 G1 and G2 key (``z5TcCm…``), which no suite here uses.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from lianzheng.encoding.binary import b64u_decode, multibase_decode
from lianzheng.encoding.multikey import P256_PUB, P384_PUB, decode_any_multikey
from lianzheng.errors import FormatError
from lianzheng.identity.resolution.did_key import key_document

FILES = ("bls12381.json", "ed25519-x25519.json", "nist-curves.json")
NOT_APPLICABLE = ("did:key:z2J9ga", "did:key:z2J9gc", "did:key:z5TcCm")
CURVES: dict[int, ec.EllipticCurve] = {P256_PUB: ec.SECP256R1(), P384_PUB: ec.SECP384R1()}


def _raw(method: dict[str, Any]) -> bytes:
    """The public key of a method in any of the old formats; for a curve, both coordinates."""
    if "publicKeyBase58" in method:
        return multibase_decode("z" + method["publicKeyBase58"])
    jwk = method["publicKeyJwk"]
    return b64u_decode(jwk["x"]) + (b64u_decode(jwk["y"]) if "y" in jwk else b"")


def _expanded(multikey: str) -> bytes:
    codec, key = decode_any_multikey(multikey)
    if codec not in CURVES:
        return key
    numbers = ec.EllipticCurvePublicKey.from_encoded_point(CURVES[codec], key).public_numbers()
    size = len(key) - 1
    return numbers.x.to_bytes(size, "big") + numbers.y.to_bytes(size, "big")


@pytest.mark.parametrize("file", FILES)
def test_every_key_of_the_specification(shared_vectors: Path, file: str) -> None:
    vectors = orjson.loads((shared_vectors / "did-key" / file).read_bytes())
    compared = 0
    for did, vector in vectors.items():
        if did.startswith(NOT_APPLICABLE):
            with pytest.raises(FormatError, match="did_invalid"):
                key_document(did.removeprefix("did:key:"))
            continue
        expected = vector["didDocument"]
        derives = len(expected["verificationMethod"]) == 2
        document = key_document(did.removeprefix("did:key:"), derive=derives)
        assert document["id"] == did
        assert [one["id"] for one in document["verificationMethod"]] == [
            one["id"] for one in expected["verificationMethod"]
        ]
        for ours, theirs in zip(document["verificationMethod"], expected["verificationMethod"], strict=True):
            compressed = theirs["type"] == "P256Key2021"
            key = decode_any_multikey(ours["publicKeyMultibase"])[1]
            assert (key if compressed else _expanded(ours["publicKeyMultibase"])) == _raw(theirs)
        for name in ("assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation"):
            assert document[name] == expected[name]
        if derives:
            assert document["keyAgreement"] == expected["keyAgreement"]
        compared += 1
    assert compared == {"bls12381.json": 5, "ed25519-x25519.json": 5, "nist-curves.json": 5}[file]


def test_a_derived_key_is_the_document_of_its_own_did(shared_vectors: Path) -> None:
    """X25519 keys of the vectors as did:key identifiers: they agree on keys and sign nothing."""
    vectors = orjson.loads((shared_vectors / "did-key" / "ed25519-x25519.json").read_bytes())
    for vector in vectors.values():
        text = vector["didDocument"]["keyAgreement"][0].partition("#")[2]
        document = key_document(text)
        assert document["keyAgreement"] == [f"did:key:{text}#{text}"]
        assert not {"assertionMethod", "authentication", "capabilityInvocation"} & {*document}


def test_encryption_keys_are_derived_on_request_only() -> None:
    assert "keyAgreement" not in key_document("z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp")
