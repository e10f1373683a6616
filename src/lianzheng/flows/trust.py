"""By which rule a verifier believes that an issuer may issue a kind of credential."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.governance.issuers.model import accreditation_of
from lianzheng.governance.members import StateMembers
from lianzheng.identity.credentials.datamodel import listed, types_of
from lianzheng.identity.credentials.kinds import Kind
from lianzheng.ledger.context import StateView

__all__ = ["Trust", "TrustRule", "trust_of"]

TrustRule = Literal["own", "registry", "member", "party", "named"]


@dataclass(frozen=True)
class Trust:
    """Who issued, and why it counts.

    ``own``: this node's member itself. ``registry``: the alliance accredited it for this type, by vote (the entry's
    version is that of ``version``). ``member``: an active member of the alliance, for a kind that members issue.
    ``party``: the one who is bound by it. ``named``: the caller named this issuer.
    """

    rule: TrustRule
    issuer: str
    version: int | None = None


def trust_of(
    state: StateView, document: JsonObject, kind: Kind | None, issuer: str, me: str, named: Container[str] = ()
) -> Trust:
    """The rule by which ``issuer`` may say what ``document`` says, at the ledger's ``state``.

    What the caller says goes first. Of a member that is not active nothing is believed; an accreditation that was
    withdrawn stands against what a member or party could do without one.
    Raises ``VerificationError`` ``issuer_not_trusted``.
    """
    if issuer in named:
        return Trust("named", issuer)
    member = StateMembers(state).get(issuer)
    if member is not None and not member.active:
        raise _untrusted()
    types = _types(document, kind)
    entries = [entry for name in types if (entry := accreditation_of(state, name, issuer)) is not None]
    if any(entry.status == "withdrawn" for entry in entries):
        raise _untrusted()
    if entries and len(entries) == len(types):
        return Trust("registry", issuer, max(entry.version for entry in entries))
    if kind is not None and kind.by_members and member is not None:
        return Trust("own" if issuer == me else "member", issuer)
    if kind is not None and kind.by_party and _is_party(document, issuer):
        return Trust("party", issuer)
    raise _untrusted()


def _types(document: JsonObject, kind: Kind | None) -> list[str]:
    """The types that an accreditation must name: the kind, or of credentials of others every type but the first."""
    return [kind.name] if kind is not None else [one for one in types_of(document) if one != "VerifiableCredential"]


def _untrusted() -> VerificationError:
    return VerificationError(
        "issuer_not_trusted",
        "Nothing on the ledger lets this issuer issue credentials of this kind.",
        next_step="Let the alliance accredit it, or name it in the request if you trust it yourself.",
    )


def _is_party(document: JsonObject, issuer: str) -> bool:
    subjects = listed(document.get("credentialSubject"))
    return all(isinstance(one, dict) and one.get("principal") == issuer for one in subjects)
