"""``KycCredential``: a member has checked a person's document (ID-7). It carries no number and no name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lianzheng.clock import day_of
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.identity.credentials.kinds import KINDS, check_kind, schema_entry
from lianzheng.identity.credentials.verifiable import CONTEXT, rfc3339, sign_credential, verify_credential
from lianzheng.identity.model import credential_key_id

__all__ = ["KYC_TYPE", "issue_kyc_credential", "kyc_id", "verify_kyc_credential"]

KYC_TYPE = "KycCredential"


def issue_kyc_credential(
    *,
    issuer: str,
    subject: str,
    period: int,
    document_type: str,
    country: str,
    reference: bytes,
    valid_until_ms: int,
    now_ms: int,
    key_id: str,
    sign: Callable[[bytes], bytes],
    status: Sequence[JsonObject] = (),
) -> JsonObject:
    """The signed credential, of the shape of its kind.

    ``reference`` is random; ``sign`` signs with the issuer's key ``key_id``; ``status``: entries by which it can be
    taken back. Raises as ``check_kind``.
    """
    unsigned: dict[str, Any] = {
        "@context": [CONTEXT[0], dict(CONTEXT[1])],
        "id": kyc_id(reference),
        "type": ["VerifiableCredential", KYC_TYPE],
        "issuer": issuer,
        "validFrom": rfc3339(now_ms),
        "validUntil": rfc3339(valid_until_ms),
        "credentialSubject": {
            "id": subject,
            "documentType": document_type,
            "country": country,
            "checkedOn": day_of(now_ms),
            "checkMethod": "document-against-customer-record",
            "credentialKey": credential_key_id(issuer, period),
        },
        "credentialSchema": schema_entry(KINDS[KYC_TYPE]),
    }
    if status:
        unsigned["credentialStatus"] = list(status)
    check_kind(unsigned, KINDS[KYC_TYPE])
    return sign_credential(unsigned, issuer + key_id, now_ms, sign)


def kyc_id(reference: bytes) -> str:
    """The credential's id, which says nothing."""
    return f"urn:lianzheng:kyc:{b64u_encode(reference)}"


def verify_kyc_credential(
    document: JsonObject, *, issuer: str, subject: str, resolve_key: Callable[[str], bytes], now_ms: int
) -> None:
    """The credential is ``issuer``'s valid statement about ``subject``.

    Raises ``VerificationError`` ``credential_mismatch`` and those of ``verify_credential`` and ``check_kind``.
    """
    verify_credential(document, resolve_key, now_ms)
    check_kind(document, KINDS[KYC_TYPE])
    about = document.get("credentialSubject")
    fits = isinstance(about, dict) and about.get("id") == subject and KYC_TYPE in document["type"]
    if document["issuer"] != issuer or not fits:
        raise VerificationError("credential_mismatch", "The credential is another issuer's, or about somebody else.")
