"""Who says that it signed a document, and when, before anything is verified: what a verifier has to look up."""

from __future__ import annotations

from lianzheng.encoding.binary import b64u_decode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import FormatError
from lianzheng.identity.credentials.enveloped import is_enveloped
from lianzheng.identity.credentials.proofs import proofs_of
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.limits import CREDENTIAL_BYTES_MAX

__all__ = ["Claimed", "signers_of"]

Claimed = tuple[str, int | None]
"""A verification method, and the last millisecond of the second in which its signature says it was made."""


def signers_of(document: JsonObject) -> list[Claimed]:
    """One :data:`Claimed` a proof, or the one of an envelope. Times: ``created`` or ``iat``, else ``validFrom``.

    What is malformed is left out: the verification that follows says what is wrong with it. Raises
    ``VerificationError`` ``proof_missing``, ``proof_malformed``; ``FormatError`` ``time_invalid``.
    """
    if is_enveloped(document):
        return _of_envelope(document)
    found = []
    for proof in proofs_of(document):
        method, made = proof.get("verificationMethod"), proof.get("created", document.get("validFrom"))
        if isinstance(method, str):
            found.append((method, None if made is None else _second_end(made)))
    return found


def _of_envelope(document: JsonObject) -> list[Claimed]:
    parts = str(document.get("id")).partition(",")[2].split(".")
    try:
        header = parse_w3c(b64u_decode(parts[0]), CREDENTIAL_BYTES_MAX)
        payload = parse_w3c(b64u_decode(parts[1]), CREDENTIAL_BYTES_MAX) if len(parts) == 3 else {}
    except FormatError:
        return []
    method, made = header.get("kid"), payload.get("iat")
    if not isinstance(method, str):
        return []
    if type(made) is int and 0 <= made < 2**40:
        return [(method, made * 1000 + 999)]
    start = payload.get("validFrom")
    return [(method, None if start is None else _second_end(start))]


def _second_end(text: object) -> int:
    return xsd_time_ms(text) // 1000 * 1000 + 999
