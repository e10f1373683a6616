"""openvc-core, an independent implementation, takes our proofs, and we take its own.

One difference is known: openvc leaves ``@context`` out of a JCS proof that it makes, and hashes it all the same; the
published vectors carry it. Its JCS proofs are therefore not ours to accept, and are named not applicable here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from openvc import keys as oracle_keys
from openvc.did.did_key import DidKeyResolver
from openvc.proof.data_integrity import DataIntegrityProofSuite
from openvc.proof.di_ecdsa_rdfc import EcdsaRdfcProofSuite
from openvc.proof.di_jcs import EcdsaJcsProofSuite, EddsaJcsProofSuite
from openvc.proof.ecdsa_sd import EcdsaSdProofSuite

from credential_kit import CREATED, EXAMPLES, NOW_MS, policy, signer, unsigned
from lianzheng.crypto import ecdsa, ed25519
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.identity.credentials import ecdsa_sd
from lianzheng.identity.credentials.contexts import load_context
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifier import verify_vc

_NOW = datetime.fromtimestamp(NOW_MS / 1000, UTC)
_EXTRA = {EXAMPLES: load_context(EXAMPLES)}
_POINTERS = ("/credentialSubject/alumniOf",)
_RDF: list[tuple[str, int, Any]] = [
    ("eddsa-rdfc-2022", ED25519_PUB, DataIntegrityProofSuite),
    ("ecdsa-rdfc-2019", P256_PUB, EcdsaRdfcProofSuite),
    ("ecdsa-rdfc-2019", P384_PUB, EcdsaRdfcProofSuite),
]
_JCS: list[tuple[str, int, Any]] = [
    ("eddsa-jcs-2022", ED25519_PUB, EddsaJcsProofSuite),
    ("ecdsa-jcs-2019", P256_PUB, EcdsaJcsProofSuite),
    ("ecdsa-jcs-2019", P384_PUB, EcdsaJcsProofSuite),
]


def _oracle_key(codec: int) -> Any:
    """The secret of ``credential_kit.signer(codec)`` as openvc takes it."""
    secret = (1).to_bytes(48 if codec == P384_PUB else 32, "big")
    if codec == ED25519_PUB:
        jwk = {"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(ed25519.public_key(secret)), "d": b64u_encode(secret)}
        return oracle_keys.Ed25519SigningKey.from_jwk(jwk, "k")
    curve: ecdsa.CurveName = "P-256" if codec == P256_PUB else "P-384"
    x, y = ecdsa.coordinates(curve, ecdsa.public_key(curve, secret))
    jwk = {"kty": "EC", "crv": curve, "x": b64u_encode(x), "y": b64u_encode(y), "d": b64u_encode(secret)}
    kind = oracle_keys.P256SigningKey if codec == P256_PUB else oracle_keys.P384SigningKey
    return kind.from_jwk(jwk, "k")


@pytest.mark.parametrize(("suite", "codec", "oracle"), [*_RDF, *_JCS])
def test_the_oracle_takes_our_proofs_and_refuses_them_altered(suite: str, codec: int, oracle: Any) -> None:
    by = signer(codec)
    ours = create_proof(unsigned(by), by, ProofOptions(suite, created=CREATED))
    more = {} if "jcs" in suite else {"extra_contexts": _EXTRA}
    found = oracle().verify(ours, resolver=DidKeyResolver(), now=_NOW, **more)
    assert found.issuer == ours["issuer"]
    with pytest.raises(Exception, match="verify"):
        oracle().verify({**ours, "id": "urn:uuid:1"}, resolver=DidKeyResolver(), now=_NOW, **more)


@pytest.mark.parametrize(("suite", "codec", "oracle"), _RDF)
def test_we_take_the_oracles_proofs(suite: str, codec: int, oracle: Any) -> None:
    by = signer(codec)
    made = oracle().add_proof(
        unsigned(by),
        signing_key=_oracle_key(codec),
        verification_method=by.verification_method,
        created=_NOW,
        extra_contexts=_EXTRA,
    )
    assert verify_vc(made, policy()).proofs[0].cryptosuite == suite


def test_selective_disclosure_both_ways() -> None:
    by = signer(P256_PUB)
    subject = {"id": "did:example:a", "alumniOf": "The School of Examples", "degree": "BSc", "years": 3}
    options = ProofOptions("ecdsa-sd-2023", created=CREATED, mandatory_pointers=("/issuer",))
    base = create_proof(unsigned(by, credentialSubject=subject), by, options)
    shown = ecdsa_sd.derive(base, base["proof"], _POINTERS)
    oracle = EcdsaSdProofSuite()
    oracle.verify(shown, resolver=DidKeyResolver(), now=_NOW, extra_contexts=_EXTRA)
    theirs = oracle.derive_proof(base, selective_pointers=list(_POINTERS), extra_contexts=_EXTRA)
    assert verify_vc(theirs, policy()).document == shown
    made = oracle.add_base_proof(
        unsigned(by, credentialSubject=subject),
        signing_key=_oracle_key(P256_PUB),
        verification_method=by.verification_method,
        mandatory_pointers=["/issuer"],
        created=_NOW,
        extra_contexts=_EXTRA,
    )
    verify_vc(ecdsa_sd.derive(made, made["proof"], _POINTERS), policy())
