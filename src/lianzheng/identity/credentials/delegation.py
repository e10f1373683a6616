"""May this delegate do this act in its principal's name? Decided offline from one ``DelegationCredential``.

The principal signs it itself, and a delegate cannot pass it on: whoever shows a delegation that its own principal did
not sign shows a chain, which is refused.
"""

from __future__ import annotations

from dataclasses import dataclass

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.identity.credentials.datamodel import issuer_of
from lianzheng.identity.credentials.kinds import KINDS, check_kind, kind_of
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.identity.credentials.verifier import CredentialPolicy, verify_vc

__all__ = ["DELEGATION_KIND", "Authority", "check_authority", "require_authority"]

DELEGATION_KIND = "DelegationCredential"


@dataclass(frozen=True)
class Authority:
    """One act that a delegate may do for a principal, until ``until_ms`` (milliseconds UTC)."""

    principal: str
    delegate: str
    act: str
    until_ms: int


def check_authority(
    document: JsonObject, *, principal: str, delegate: str, act: str, policy: CredentialPolicy
) -> Authority:
    """``delegate`` may do ``act`` for ``principal`` at ``policy.now_ms``. Needs nobody but the policy's keys and lists.

    Raises as ``verify_vc`` (``credential_expired``, ``credential_revoked`` among others) and
    :func:`require_authority`; ``VerificationError`` ``delegation_status_unchecked`` where it could have been revoked
    and the policy does not look.
    """
    if "credentialStatus" in document and policy.check_status is None:
        raise VerificationError(
            "delegation_status_unchecked",
            "The delegation can be revoked, and nobody has looked whether it was.",
            next_step="Give the policy a check_status over lists that you hold.",
        )
    verified = verify_vc(document, policy)
    return require_authority(verified.document, principal=principal, delegate=delegate, act=act)


def require_authority(document: JsonObject, *, principal: str, delegate: str, act: str) -> Authority:
    """What a *verified* delegation says about this act.

    Raises ``VerificationError``: ``delegation_malformed`` (another kind), ``delegation_chained`` (signed by another
    than its principal), ``delegation_principal_mismatch``, ``delegation_delegate_mismatch``,
    ``delegation_act_refused``; as ``check_kind``.
    """
    kind = kind_of(document)
    if kind is not KINDS[DELEGATION_KIND]:
        raise VerificationError("delegation_malformed", "The credential is no delegation.")
    check_kind(document, kind)
    subject = document["credentialSubject"]
    if issuer_of(document) != subject["principal"]:
        raise VerificationError(
            "delegation_chained",
            "The delegation is signed by another than its principal: what was delegated cannot be passed on.",
            next_step="Ask the principal for a delegation of its own.",
        )
    if subject["principal"] != principal:
        raise VerificationError("delegation_principal_mismatch", "The delegation is by another principal.")
    if subject["id"] != delegate:
        raise VerificationError("delegation_delegate_mismatch", "The delegation is to another delegate.")
    if act not in subject["acts"]:
        raise VerificationError("delegation_act_refused", "The delegation does not cover this act.")
    return Authority(principal, delegate, act, xsd_time_ms(document["validUntil"]))
