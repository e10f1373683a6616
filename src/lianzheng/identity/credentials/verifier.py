"""Whole verification: form, envelope or proofs, issuer, validity, status. It returns what holds, or raises (CON-6)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.identity.credentials.datamodel import check_credential, check_presentation, issuer_of, listed
from lianzheng.identity.credentials.enveloped import is_enveloped, open_envelope, split_claims
from lianzheng.identity.credentials.keys import ResolveKey
from lianzheng.identity.credentials.proofs import Expectation, Proven, verify_proofs
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.limits import CLOCK_SKEW_MS

__all__ = [
    "CheckStatus",
    "CredentialPolicy",
    "VerifiedCredential",
    "VerifiedPresentation",
    "open_presentation",
    "verify_presentation",
    "verify_vc",
]

CheckStatus = Callable[[JsonObject], None]
"""Raises where a credential's ``credentialStatus`` says that it no longer counts, or cannot be found out."""


@dataclass(frozen=True)
class CredentialPolicy:
    """What a verifier demands.

    ``required_suites``: a credential carries a proof of each.
    ``proof_only``: the key need not be the issuer's (published vectors need that). ``linked``: every word must have a
    meaning under its contexts; RDF suites find that out by themselves, JCS proofs are ten times as fast without.
    """

    now_ms: int
    resolve_key: ResolveKey
    check_status: CheckStatus | None = None
    proof_only: bool = False
    linked: bool = True
    cryptosuites: frozenset[str] = frozenset()
    required_suites: frozenset[str] = frozenset()
    domain: str | None = None
    challenge: str | None = None
    challenge_required: bool = True


@dataclass(frozen=True)
class VerifiedCredential:
    """A credential that holds: what was signed, by which keys."""

    document: JsonObject
    proofs: tuple[Proven, ...]


@dataclass(frozen=True)
class VerifiedPresentation:
    """A presentation that holds, and every credential in it."""

    document: JsonObject
    proofs: tuple[Proven, ...]
    credentials: tuple[VerifiedCredential, ...]


def verify_vc(document: JsonObject, policy: CredentialPolicy) -> VerifiedCredential:
    """The credential is well formed, its issuer's own, valid now, and not withdrawn.

    Raises ``FormatError`` of the data model; ``VerificationError``: ``credential_issuer_mismatch``,
    ``credential_not_yet_valid``, ``credential_expired``, those of ``verify_proofs`` and ``open_envelope``; whatever
    ``check_status`` raises.
    """
    if is_enveloped(document):
        if policy.required_suites:
            raise VerificationError("proof_suite_missing", "An envelope carries no proof of a cryptosuite.")
        payload, key = open_envelope(document, policy.resolve_key, "assertionMethod")
        _, document = split_claims(payload, policy.now_ms)
        check_credential(document, linked=policy.linked)
        proofs: tuple[Proven, ...] = (Proven(key.controller, key.controller, "vc+jwt"),)
    else:
        check_credential(document, linked=policy.linked)
        expected = Expectation(policy.now_ms, cryptosuites=policy.cryptosuites, required=policy.required_suites)
        proofs = verify_proofs(document, policy.resolve_key, expected)
    issuer = issuer_of(document)
    if not policy.proof_only and not all(proof.controller == issuer for proof in proofs):
        raise VerificationError("credential_issuer_mismatch", "The credential is signed by somebody else's key.")
    if "validFrom" in document and policy.now_ms + CLOCK_SKEW_MS < xsd_time_ms(document["validFrom"]):
        raise VerificationError("credential_not_yet_valid", "The credential is not valid yet.")
    if "validUntil" in document and policy.now_ms - CLOCK_SKEW_MS >= xsd_time_ms(document["validUntil"]) + 1000:
        raise VerificationError("credential_expired", "The credential has expired.")
    if "credentialStatus" in document and policy.check_status is not None:
        policy.check_status(document)
    return VerifiedCredential(document, proofs)


def verify_presentation(document: JsonObject, policy: CredentialPolicy) -> VerifiedPresentation:
    """The holder's proof answers this verifier's challenge for its domain, and every credential inside holds.

    Raises as :func:`open_presentation` and :func:`verify_vc`.
    """
    opened, proofs, inside = open_presentation(document, policy)
    return VerifiedPresentation(opened, proofs, tuple(verify_vc(one, policy) for one in inside))


def open_presentation(
    document: JsonObject, policy: CredentialPolicy
) -> tuple[JsonObject, tuple[Proven, ...], list[JsonObject]]:
    """A presentation whose holder's proof holds, its proofs, and the credentials in it, none of which is looked at.

    Raises ``VerificationError``: ``presentation_holder_mismatch``, ``proof_challenge_mismatch`` and those of
    ``verify_proofs``; ``FormatError`` of the data model.
    """
    if policy.challenge_required and policy.challenge is None:
        raise VerificationError("proof_challenge_mismatch", "The presentation answers no challenge of ours.")
    if is_enveloped(document):
        payload, key = open_envelope(document, policy.resolve_key, "authentication")
        claims, document = split_claims(payload, policy.now_ms)
        inside = check_presentation(document, linked=policy.linked)
        proofs: tuple[Proven, ...] = (Proven(key.controller, key.controller, "vp+jwt"),)
        if policy.challenge is not None and claims.get("nonce") != policy.challenge:
            raise VerificationError("proof_challenge_mismatch", "The presentation answers another challenge.")
        if policy.domain is not None and policy.domain not in listed(claims.get("aud")):
            raise VerificationError("proof_domain_mismatch", "The presentation was made for another domain.")
    else:
        inside = check_presentation(document, linked=policy.linked)
        expected = Expectation(
            policy.now_ms, "authentication", policy.domain, policy.challenge, cryptosuites=policy.cryptosuites
        )
        proofs = verify_proofs(document, policy.resolve_key, expected)
    holder = document.get("holder")
    named = holder["id"] if isinstance(holder, dict) else holder
    if named is not None and not policy.proof_only and not all(proof.controller == named for proof in proofs):
        raise VerificationError(
            "presentation_holder_mismatch", "The presentation is signed by another than its holder."
        )
    return document, proofs, inside
