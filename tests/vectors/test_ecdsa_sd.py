"""W3C ecdsa-sd-2023: both published scenes, step by step, byte for byte.

Not applicable: ``prCredUnsigned.json``. Its description reads otherwise than in every later file of its scene
("Government of Utopia Permanent Resident Card."), so the unsigned document is taken from ``addSignedSDBase.json``.
The values of ``addRawBaseSignatureInfo``, ``derived*`` and ``verify*`` files are parts of the two proof values, which
are compared whole; ``addHashData`` and the adjusted indexes are compared as such.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_decode, multibase_decode
from lianzheng.encoding.cbor import decode_cbor, encode_cbor
from lianzheng.encoding.multikey import P256_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials import ecdsa_sd
from lianzheng.identity.credentials.keys import did_key, did_key_signer
from lianzheng.identity.credentials.linked_data import canonicalize
from lianzheng.identity.credentials.proofs import Expectation, ProofOptions, create_proof, verify_proofs
from lianzheng.identity.credentials.selection import canonicalize_and_group, select

_SCENES = [("prc", "prCredUnsigned", "prCred"), ("employ", "employmentAuth", "employ")]
_NOW = Expectation(now_ms=1_790_000_000_000)


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


@pytest.fixture
def vectors(shared_vectors: Path) -> Path:
    return shared_vectors / "ecdsa"


def _keys(vectors: Path) -> tuple[bytes, ecdsa_sd.BaseKeys]:
    keys = load(vectors / "ecdsa-sd-2023" / "SDKeyMaterial.json")
    base, proof = (multibase_decode(keys[name]["secretKeyMultibase"])[2:] for name in ("baseKeyPair", "proofKeyPair"))
    return base, ecdsa_sd.BaseKeys(proof, bytes.fromhex(keys["hmacKeyString"]))


@pytest.mark.parametrize(("scene", "document", "pointers"), _SCENES)
def test_base_proof(vectors: Path, scene: str, document: str, pointers: str) -> None:
    folder = vectors / "ecdsa-sd-2023" / scene
    expected = load(folder / "addSignedSDBase.json")
    unsigned = {name: value for name, value in expected.items() if name != "proof"}
    if document != "prCredUnsigned":
        assert unsigned == load(vectors / f"{document}.json")
    mandatory = load(vectors / f"{pointers}Mandatory.json")
    secret, keys = _keys(vectors)
    assert list(canonicalize(unsigned).nquads) == load(folder / "addBaseDocCanon.json")
    grouped = canonicalize_and_group(unsigned, ecdsa_sd.hmac_labels(keys.hmac_key), {"mandatory": mandatory})
    assert list(grouped.statements) == load(folder / "addBaseDocHMACCanon.json")
    transform = load(folder / "addBaseTransform.json")
    assert [[index, line] for index, line in grouped.groups["mandatory"].matching.items()] == (
        transform["mandatory"]["value"]
    )
    assert [[index, line] for index, line in grouped.groups["mandatory"].others.items()] == (
        transform["nonMandatory"]["value"]
    )
    config = load(folder / "addProofConfig.json")
    assert "".join(canonicalize(config).nquads) == (folder / "addProofConfigCanon.txt").read_text("utf-8")
    digests = load(folder / "addHashData.json")
    lines = "".join(grouped.groups["mandatory"].matching.values())
    assert sha256_raw(lines.encode()).hex() == digests["mandatoryHash"]
    assert sha256_raw("".join(canonicalize(config).nquads).encode()).hex() == digests["proofHash"]
    options = ProofOptions("ecdsa-sd-2023", created=config["created"], mandatory_pointers=tuple(mandatory))
    assert create_proof(unsigned, did_key_signer(P256_PUB, secret), options, sd=keys) == expected
    with pytest.raises(LianzhengError) as caught:
        verify_proofs(expected, did_key, _NOW)
    assert caught.value.detail == "proof_not_derived", "a base proof would show everything, its HMAC key too"


@pytest.mark.parametrize(("scene", "document", "pointers"), _SCENES)
def test_derived_proof(vectors: Path, scene: str, document: str, pointers: str) -> None:
    folder = vectors / "ecdsa-sd-2023" / scene
    base = load(folder / "addSignedSDBase.json")
    mandatory, selective = (load(vectors / f"{pointers}{kind}.json") for kind in ("Mandatory", "Selective"))
    unsigned = {name: value for name, value in base.items() if name != "proof"}
    assert select(unsigned, [*mandatory, *selective]) == load(folder / "derivedUnsignedReveal.json")
    _, keys = _keys(vectors)
    groups = {"mandatory": mandatory, "selective": selective, "combined": [*mandatory, *selective]}
    found = canonicalize_and_group(unsigned, ecdsa_sd.hmac_labels(keys.hmac_key), groups).groups
    indexes = load(folder / "derivedGroupIndexes.json")
    assert list(found["combined"].matching) == indexes["combinedIndexes"]
    assert list(found["mandatory"].matching) == indexes["mandatoryIndexes"]
    assert list(found["selective"].matching) == indexes["selectiveIndexes"]
    made = ecdsa_sd.derive(base, base["proof"], selective)
    assert made == load(folder / "derivedRevealDocument.json")
    parts = decode_cbor(b64u_decode(made["proof"]["proofValue"][1:])[3:])
    assert parts[4] == load(folder / "derivedAdjMandatoryIndexes.json")["adjMandatoryIndexes"]
    assert [one.hex() for one in parts[2]] == load(folder / "derivedAdjSignatures.json")["filteredSignatures"]
    assert encode_cbor(parts) == b64u_decode(made["proof"]["proofValue"][1:])[3:]
    (proven,) = verify_proofs(made, did_key, _NOW)
    assert proven.cryptosuite == "ecdsa-sd-2023"


def test_what_was_not_disclosed_cannot_be_put_back_or_changed(vectors: Path) -> None:
    folder = vectors / "ecdsa-sd-2023" / "prc"
    shown = load(folder / "derivedRevealDocument.json")
    for change in (
        {"name": "Permanent Resident Card"},
        {"validUntil": "2035-12-16T23:59:59Z"},
        {"credentialSubject": {**shown["credentialSubject"], "birthCountry": "Utopia"}},
        {"issuer": {**shown["issuer"], "id": "did:key:zDnaegE6RR3atJtHKwTRTWHsJ3kNHqFwv7n9YjTgmU7TyfU76"}},
    ):
        with pytest.raises(LianzhengError) as caught:
            verify_proofs({**shown, **change}, did_key, _NOW)
        assert caught.value.code == "proof_invalid"
    less = {name: value for name, value in shown.items() if name != "validUntil"}
    with pytest.raises(LianzhengError) as caught:
        verify_proofs(less, did_key, _NOW)
    assert caught.value.code == "proof_invalid"
