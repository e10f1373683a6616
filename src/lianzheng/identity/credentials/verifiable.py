"""Verifiable Credentials 2.0: issuer, validity and proof belong together."""

from __future__ import annotations

import re
from collections.abc import Callable

from lianzheng.clock import DAY_MS, day_of, start_of_day_ms
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, VerificationError
from lianzheng.identity.credentials.data_integrity import add_proof, verify_proof

__all__ = ["CONTEXT", "rfc3339", "sign_credential", "time_ms_of", "verify_credential"]

CONTEXT = ("https://www.w3.org/ns/credentials/v2", {"@vocab": "urn:lianzheng:v1#"})
"""Our own terms live under one vocabulary, so that no context has to be fetched."""
_TIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})Z\Z")
_OFFSET_MS = 8 * 3600 * 1000


def rfc3339(time_ms: int) -> str:
    """UTC text of a time, cut to the second: ``2026-01-31T08:00:00Z``."""
    second = time_ms // 1000
    day = day_of(time_ms - _OFFSET_MS)  # day_of gives the day at UTC+8
    rest = second % 86_400
    return f"{day}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}Z"


def time_ms_of(text: object) -> int:
    """Inverse of :func:`rfc3339`. Raises ``FormatError`` ``time_invalid``."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is not None:
        start = start_of_day_ms(match[1]) + _OFFSET_MS
        time_ms = start + ((int(match[2]) * 60 + int(match[3])) * 60 + int(match[4])) * 1000
        if start <= time_ms < start + DAY_MS and rfc3339(time_ms) == text:
            return time_ms
    raise FormatError("time_invalid", "A time is not of the form 2026-01-31T08:00:00Z.")


def sign_credential(
    unsigned: JsonObject, verification_method: str, created_ms: int, sign: Callable[[bytes], bytes]
) -> JsonObject:
    """``unsigned`` with its issuer's eddsa-jcs-2022 proof. ``sign`` signs with the key of ``verification_method``.

    Raises ``FormatError`` ``credential_issuer_mismatch``, ``proof_present``.
    """
    if verification_method.partition("#")[0] != unsigned.get("issuer"):
        raise FormatError("credential_issuer_mismatch", "A credential is signed by its issuer's own key.")
    return add_proof(unsigned, verification_method, rfc3339(created_ms), sign)


def verify_credential(document: JsonObject, resolve_key: Callable[[str], bytes], now_ms: int) -> None:
    """The credential is its issuer's own, whole, and valid at ``now_ms``.

    Raises ``VerificationError``: ``credential_malformed``, ``credential_issuer_mismatch``,
    ``credential_not_yet_valid``, ``credential_expired`` ``time_invalid`` and those of ``verify_proof``.
    """
    context, types = document.get("@context"), document.get("type")
    if not isinstance(context, list) or context[:1] != [CONTEXT[0]]:
        raise VerificationError("credential_malformed", "The document is not a Verifiable Credential 2.0.")
    if not isinstance(types, list) or "VerifiableCredential" not in types:
        raise VerificationError("credential_malformed", "The document is not a Verifiable Credential 2.0.")
    method = verify_proof(document, resolve_key)
    if method.partition("#")[0] != document.get("issuer"):
        raise VerificationError("credential_issuer_mismatch", "The credential is signed by somebody else's key.")
    if "validFrom" in document and now_ms < time_ms_of(document["validFrom"]):
        raise VerificationError("credential_not_yet_valid", "The credential is not valid yet.")
    if "validUntil" in document and now_ms >= time_ms_of(document["validUntil"]) + 1000:
        raise VerificationError("credential_expired", "The credential has expired.")
