"""Credentials for tests: keys of did:key from fixed secrets, and a small document that the data model accepts."""

from __future__ import annotations

from typing import Any

from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.keys import ProofSigner, did_key, did_key_signer
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifier import CredentialPolicy

NOW_MS = 1_790_000_000_000
"""2026-09-21T14:13:20Z."""
CREATED = "2026-09-21T14:00:00Z"
EXAMPLES = "https://www.w3.org/ns/credentials/examples/v2"
SUITES = {
    "eddsa-jcs-2022": ED25519_PUB,
    "eddsa-rdfc-2022": ED25519_PUB,
    "ecdsa-jcs-2019": P256_PUB,
    "ecdsa-rdfc-2019": P384_PUB,
}


def signer(codec: int = ED25519_PUB, number: int = 1) -> ProofSigner:
    """The ``number``-th key of a kind."""
    return did_key_signer(codec, number.to_bytes(48 if codec == P384_PUB else 32, "big"))


def issuer_name(by: ProofSigner) -> str:
    return by.verification_method.partition("#")[0]


def unsigned(by: ProofSigner, **change: Any) -> dict[str, Any]:
    """A credential by ``by`` without a proof; ``None`` takes a property away."""
    document = {
        "@context": [CREDENTIALS_V2, EXAMPLES],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "AlumniCredential"],
        "issuer": issuer_name(by),
        "validFrom": "2026-01-01T00:00:00Z",
        "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples"},
    } | change
    return {name: value for name, value in document.items() if value is not None}


def signed(suite: str = "eddsa-rdfc-2022", *, number: int = 1, **change: Any) -> dict[str, Any]:
    """:func:`unsigned` with a proof of ``suite``."""
    by = signer(SUITES[suite], number)
    return create_proof(unsigned(by, **change), by, ProofOptions(suite, created=CREATED))


def policy(**change: Any) -> CredentialPolicy:
    chosen: dict[str, Any] = {"now_ms": NOW_MS, "resolve_key": did_key, **change}
    return CredentialPolicy(**chosen)
