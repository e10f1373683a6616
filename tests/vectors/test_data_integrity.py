"""W3C Data Integrity EdDSA and ECDSA cryptosuites: every published signed document, made again and verified."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from lianzheng.encoding.binary import multibase_decode
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.identity.credentials.keys import ProofSigner, did_key, did_key_signer
from lianzheng.identity.credentials.proofs import Expectation, ProofOptions, create_proof, verify_proofs
from lianzheng.identity.credentials.suites import find_suite, signed_bytes

_CASES = [
    ("eddsa/eddsa-rdfc-2022", "signedDataInt", "DataInt", "eddsa/keyPair.json", ED25519_PUB),
    ("eddsa/eddsa-rdfc-2022/employ", "signedDataInt", "DataInt", "eddsa/keyPair.json", ED25519_PUB),
    ("eddsa/eddsa-jcs-2022", "signedJCS", "JCS", "eddsa/keyPair.json", ED25519_PUB),
    ("ecdsa/ecdsa-rdfc-2019-p256", "signedECDSAP256", "ECDSAP256", "ecdsa/p256KeyPair.json", P256_PUB),
    ("ecdsa/ecdsa-rdfc-2019-p256/employ", "signedECDSAP256", "ECDSAP256", "ecdsa/p256KeyPair.json", P256_PUB),
    ("ecdsa/ecdsa-rdfc-2019-p384", "signedECDSAP384", "ECDSAP384", "ecdsa/p384KeyPair.json", P384_PUB),
    ("ecdsa/ecdsa-rdfc-2019-p384/employ", "signedECDSAP384", "ECDSAP384", "ecdsa/p384KeyPair.json", P384_PUB),
    ("ecdsa/ecdsa-jcs-2019-p256", "signedJCSECDSAP256", "JCSECDSAP256", "ecdsa/p256KeyPair.json", P256_PUB),
    ("ecdsa/ecdsa-jcs-2019-p384", "signedJCSECDSAP384", "JCSECDSAP384", "ecdsa/p384KeyPair.json", P384_PUB),
]
_NOW = Expectation(now_ms=1_790_000_000_000)


def load(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def signer_of(keys: dict[str, str], codec: int) -> ProofSigner:
    secret = multibase_decode(keys.get("secretKeyMultibase") or keys["privateKeyMultibase"])[2:]
    return did_key_signer(codec, secret)


@pytest.mark.parametrize(("folder", "signed", "name", "keys", "codec"), _CASES)
def test_the_published_document_is_made_again_and_verifies(
    shared_vectors: Path, folder: str, signed: str, name: str, keys: str, codec: int
) -> None:
    document = load(shared_vectors / folder / f"{signed}.json")
    proof = document["proof"]
    signer = signer_of(load(shared_vectors / keys), codec)
    assert signer.verification_method == proof["verificationMethod"]
    unsigned = {key: value for key, value in document.items() if key != "proof"}
    made = create_proof(unsigned, signer, ProofOptions(proof["cryptosuite"], created=proof["created"]))
    assert made == document
    (proven,) = verify_proofs(document, did_key, _NOW)
    assert (proven.verification_method, proven.cryptosuite) == (proof["verificationMethod"], proof["cryptosuite"])
    options = {key: value for key, value in proof.items() if key != "proofValue"}
    suite = find_suite(proof["cryptosuite"], codec)
    if suite.form == "rdfc":
        options["@context"] = document["@context"]
    assert {**options, "@context": document["@context"]} == load(shared_vectors / folder / f"proofConfig{name}.json")
    if suite.form == "jcs":
        for value, part in ((unsigned, "canonDoc"), (options, "proofCanon")):
            assert encode_w3c(value).decode() == (shared_vectors / folder / f"{part}{name}.txt").read_text("utf-8")
    digests = signed_bytes(suite, codec, unsigned, options).hex()
    texts = {part: (shared_vectors / folder / f"{part}{name}.txt").read_text().strip() for part in _PARTS}
    assert digests == texts["combinedHash"]
    assert digests == texts["proofHash"] + texts["docHash"]
    assert multibase_decode(proof["proofValue"]).hex() == texts["sigHex"]
    assert proof["proofValue"] == texts["sigBTC58"]


_PARTS = ("combinedHash", "proofHash", "docHash", "sigHex", "sigBTC58")


def test_the_published_proof_set_and_chain_are_made_again_and_verify(shared_vectors: Path) -> None:
    folder = shared_vectors / "eddsa" / "proof-set-chain"
    keys = load(folder / "multiKeyPairs.json")
    document = load(folder / "unsigned.json")
    steps = [
        ("proofSetConfig1", "signedProofSet1"),
        ("proofSetConfig2", "signedProofSet2"),
        ("proofChainConfig1", "signedProofChain1"),
        ("proofChainConfig2", "signedProofChain2"),
    ]
    for index, (config, signed) in enumerate(steps):
        options = load(folder / f"{config}.json")
        signer = signer_of(keys[f"keyPair{index + 1}"], ED25519_PUB)
        chosen = ProofOptions(
            options["cryptosuite"],
            created=options["created"],
            proof_id=options.get("id"),
            previous=options.get("previousProof"),
        )
        document = create_proof(document, signer, chosen)
        expected = load(folder / f"{signed}.json")
        if isinstance(expected["proof"], list) and isinstance(document["proof"], dict):
            expected["proof"] = expected["proof"][0]
        assert document == expected
        assert len(verify_proofs(document, did_key, _NOW)) == index + 1
