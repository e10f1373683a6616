"""W3C Data Integrity EdDSA Cryptosuites: the published vectors of eddsa-jcs-2022, byte for byte."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import multibase_decode
from lianzheng.encoding.jcs import decode_w3c, encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.data_integrity import add_proof, signed_bytes, verify_proof


@pytest.fixture
def vectors(shared_vectors: Path) -> Path:
    return shared_vectors / "eddsa" / "eddsa-jcs-2022"


def _text(folder: Path, name: str) -> str:
    return (folder / name).read_text("utf-8").strip()


def _signed(folder: Path) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(_text(folder, "signedJCS.json"))
    return value


def _resolve(method: str) -> bytes:
    return decode_multikey(method.removeprefix("did:key:").partition("#")[0], ED25519_PUB)


def test_canonical_forms_and_hashes(vectors: Path) -> None:
    document = _signed(vectors)
    proof = document.pop("proof")
    options = {name: value for name, value in proof.items() if name != "proofValue"}
    assert encode_w3c(document).decode() == _text(vectors, "canonDocJCS.txt")
    assert encode_w3c(options).decode() == _text(vectors, "proofCanonJCS.txt")
    assert sha256_raw(encode_w3c(document)).hex() == _text(vectors, "docHashJCS.txt")
    assert sha256_raw(encode_w3c(options)).hex() == _text(vectors, "proofHashJCS.txt")
    assert signed_bytes(document, options).hex() == _text(vectors, "combinedHashJCS.txt")
    assert decode_w3c(encode_w3c(document)) == document


def test_our_proof_is_the_published_one(vectors: Path) -> None:
    document = _signed(vectors)
    proof = document.pop("proof")
    keys = json.loads((vectors.parent / "keyPair.json").read_text("utf-8"))
    secret = multibase_decode(keys["privateKeyMultibase"])
    assert secret[:2] == b"\x80\x26", "multicodec ed25519-priv"
    made = add_proof(
        document, proof["verificationMethod"], proof["created"], lambda data: ed25519.sign(secret[2:], data)
    )
    assert made["proof"] == proof
    signature = multibase_decode(made["proof"]["proofValue"])
    assert signature.hex() == _text(vectors, "sigHexJCS.txt")
    assert made["proof"]["proofValue"] == _text(vectors, "sigBTC58JCS.txt")


def test_the_published_document_verifies(vectors: Path) -> None:
    document = _signed(vectors)
    assert verify_proof(document, _resolve) == document["proof"]["verificationMethod"]


@pytest.mark.parametrize(
    ("code", "place", "value"),
    [
        ("proof_invalid", ("name",), "Alumni credential"),
        ("proof_invalid", ("credentialSubject", "id"), "did:example:abcdefgi"),
        ("proof_invalid", ("extra",), 1),
        ("proof_invalid", ("proof", "created"), "2023-02-24T23:36:39Z"),
        ("proof_purpose_wrong", ("proof", "proofPurpose"), "authentication"),
        ("proof_malformed", ("proof", "cryptosuite"), "eddsa-rdfc-2022"),
        ("proof_malformed", ("proof", "type"), "Ed25519Signature2020"),
        ("proof_malformed", ("proof", "nonce"), "x"),
        ("proof_malformed", ("proof", "proofValue"), 5),
        ("proof_invalid", ("proof", "proofValue"), "z11"),
        ("proof_context_mismatch", ("@context",), ["https://www.w3.org/ns/credentials/v2"]),
        ("proof_missing", ("proof",), []),
    ],
)
def test_each_change_is_refused(vectors: Path, code: str, place: tuple[str, ...], value: object) -> None:
    document = _signed(vectors)
    target = document
    for name in place[:-1]:
        target = target[name]
    target[place[-1]] = value
    with pytest.raises(LianzhengError) as caught:
        verify_proof(document, _resolve)
    assert caught.value.code == code
