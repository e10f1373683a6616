"""The registry of cryptosuites: which keys each takes and which bytes are signed.

Signed bytes:  H(canonical proof options) ‖ H(canonical document without proof)
canonical:     RFC 8785 (``jcs`` suites) or RDFC-1.0 (``rdfc`` suites)
H:             SHA-256; SHA-384 with P-384, inside RDFC-1.0 too; SM3 with SM2

``lz-sm2-jcs-2026`` has the form of ecdsa-jcs-2019 with SM3 and SM2. It is a suite of ours, of no standard.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from lianzheng.crypto.digest import sm3_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, P384_PUB, SM2_PUB
from lianzheng.errors import VerificationError
from lianzheng.identity.credentials.linked_data import canonicalize

__all__ = ["SM2_SUITE", "SUITES", "Suite", "find_suite", "signed_bytes"]

SM2_SUITE = "lz-sm2-jcs-2026"
Form = Literal["jcs", "rdfc", "sd"]


@dataclass(frozen=True)
class Suite:
    """One cryptosuite: the keys it takes, and how document and options become bytes."""

    name: str
    form: Form
    codecs: frozenset[int]


SUITES = {
    suite.name: suite
    for suite in (
        Suite("eddsa-jcs-2022", "jcs", frozenset({ED25519_PUB})),
        Suite("eddsa-rdfc-2022", "rdfc", frozenset({ED25519_PUB})),
        Suite("ecdsa-jcs-2019", "jcs", frozenset({P256_PUB, P384_PUB})),
        Suite("ecdsa-rdfc-2019", "rdfc", frozenset({P256_PUB, P384_PUB})),
        Suite(SM2_SUITE, "jcs", frozenset({SM2_PUB})),
        Suite("ecdsa-sd-2023", "sd", frozenset({P256_PUB})),
    )
}


def find_suite(name: object, codec: int) -> Suite:
    """The suite ``name``, which takes keys of ``codec``.

    Raises ``VerificationError``: ``cryptosuite_unknown``, ``cryptosuite_key_mismatch`` (algorithm confusion).
    """
    suite = SUITES.get(name) if isinstance(name, str) else None
    if suite is None:
        raise VerificationError("cryptosuite_unknown", "The proof is of a cryptosuite that is not known here.")
    if codec not in suite.codecs:
        raise VerificationError("cryptosuite_key_mismatch", "The proof's key is not one its cryptosuite takes.")
    return suite


def signed_bytes(suite: Suite, codec: int, document: JsonObject, options: JsonObject) -> bytes:
    """What the key of a ``jcs`` or ``rdfc`` suite signs; ``options`` as the suite wants them, context included.

    Raises ``FormatError`` of the canonical forms.
    """
    algorithm = "sha384" if codec == P384_PUB else "sha256"
    parts = []
    for value in (options, document):
        if suite.form == "jcs":
            data = encode_w3c(value)
        else:
            data = "".join(canonicalize(value, algorithm).nquads).encode("utf-8")
        parts.append(sm3_raw(data) if codec == SM2_PUB else hashlib.new(algorithm, data).digest())
    return b"".join(parts)
