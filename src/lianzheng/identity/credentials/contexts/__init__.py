"""The closed store of JSON-LD contexts: published data files, each pinned by its SHA-256. Nothing is ever fetched.

A context decides what a signed term means; one taken from a network could be changed after the signature was made,
and asking for it would tell its server who verifies what.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import FormatError, VerificationError
from lianzheng.limits import CONTEXT_BYTES_MAX

__all__ = [
    "CONTEXTS",
    "CREDENTIALS_V1",
    "CREDENTIALS_V2",
    "DATA_INTEGRITY_V2",
    "ContextFile",
    "context_bytes",
    "load_context",
]

CREDENTIALS_V1 = "https://www.w3.org/2018/credentials/v1"
CREDENTIALS_V2 = "https://www.w3.org/ns/credentials/v2"
DATA_INTEGRITY_V2 = "https://w3id.org/security/data-integrity/v2"
_PYLD = "PyLD 3.3.0, frozen bundle of the published file"


@dataclass(frozen=True)
class ContextFile:
    """One published context: where it is published, our copy of it, the copy's digest, where the copy came from."""

    url: str
    file: str
    sha256: str
    source: str


CONTEXTS = (
    ContextFile(
        CREDENTIALS_V2,
        "credentials-v2.json",
        "59955ced6697d61e03f2b2556febe5308ab16842846f5b586d7f1f7adec92734",
        "W3C Verifiable Credentials Data Model 2.0, appendix B.1, which prints this digest",
    ),
    ContextFile(
        "https://www.w3.org/ns/credentials/examples/v2",
        "credentials-examples-v2.json",
        "57393fbc69d6efb9b9b5dc9cb6b9880b0944360abfe2eaf459c9e58cf2279d7c",
        "github.com/w3c/vc-data-model, contexts/credentials/examples/v2, commit 647f43b3",
    ),
    ContextFile(
        CREDENTIALS_V1,
        "credentials-v1.json",
        "00d7dd6d3ad8b920e3e550dd3a3d9090bffcac84cdbf943da6924b3e0a5c8bb8",
        _PYLD,
    ),
    ContextFile(
        DATA_INTEGRITY_V2,
        "data-integrity-v2.json",
        "67f21e6e33a6c14e5ccfd2fc7865f7474fb71a04af7e94136cb399dfac8ae8f4",
        "W3C Verifiable Credential Data Integrity 1.0, section 2.4, which prints this digest",
    ),
    ContextFile(
        "https://w3id.org/security/data-integrity/v1",
        "data-integrity-v1.json",
        "b5d829bd09aa7c42abc6efa0c8ed7635313b5487f37ccfce3ecd149ca9418554",
        "npm @digitalbazaar/data-integrity-context 2.0.1",
    ),
    ContextFile(
        "https://w3id.org/security/multikey/v1",
        "multikey-v1.json",
        "c5f3806f8286920573221938917988a18a4cc5a09e968d29649613c7a1c2b1f6",
        "npm @digitalbazaar/multikey-context 2.0.1",
    ),
    ContextFile(
        "https://w3id.org/security/jwk/v1",
        "jwk-v1.json",
        "f61fc62d156e182974ae7ff27ba9737f6d7d68ded2833abdc8116a528388e789",
        "github.com/w3c/vc-data-integrity, contexts/jwk/v1, commit 65fd2664",
    ),
    ContextFile(
        "https://w3id.org/security/suites/ed25519-2020/v1",
        "ed25519-2020-v1.json",
        "b9e1ab971fd8bf2c7553e0c4a9438e0b9450afde1ea1ca5b2492368b9f549588",
        _PYLD,
    ),
    ContextFile(
        "https://www.w3.org/ns/did/v1",
        "did-v1.json",
        "62c1054bf404d6dd3a4b26b64f830fd72095f6a26edc4469908c94351352ce5f",
        _PYLD,
    ),
    ContextFile(
        "https://w3id.org/citizenship/v4rc1",
        "citizenship-v4rc1.json",
        "a89b0bc00b1848ac3dfdf956c7dd5de8567e755351c07ec6a1c2b4a08b67953b",
        "npm @digitalbazaar/citizenship-context 4.1.0 (W3C Software and Document License); used by published vectors",
    ),
)
_BY_URL = {entry.url: entry for entry in CONTEXTS}


def context_bytes(url: str) -> bytes:
    """The published bytes of the context named ``url``.

    Raises ``FormatError`` ``context_unknown``; ``VerificationError`` ``context_digest_mismatch`` for an altered copy.
    """
    entry = _BY_URL.get(url)
    if entry is None:
        raise FormatError(
            "context_unknown",
            "The document names a JSON-LD context that is not in the closed store.",
            next_step="Use the contexts that docs/spec/credentials.md lists, or define the terms in the document.",
        )
    data = resources.files(__package__).joinpath(entry.file).read_bytes()
    if sha256_raw(data).hex() != entry.sha256:
        raise VerificationError("context_digest_mismatch", f"The stored context {entry.file} was altered.")
    return data


@lru_cache(maxsize=len(CONTEXTS))
def load_context(url: str) -> JsonObject:
    """The context document named ``url``, to be read only. Errors as of :func:`context_bytes`."""
    return parse_w3c(context_bytes(url), CONTEXT_BYTES_MAX)
