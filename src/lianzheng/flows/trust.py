"""By which rule a verifier believes that an issuer may issue a kind of credential."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import Literal

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import VerificationError
from lianzheng.governance.members import StateMembers
from lianzheng.identity.credentials.datamodel import listed
from lianzheng.identity.credentials.kinds import Kind
from lianzheng.ledger.context import StateView

__all__ = ["Trust", "TrustRule", "trust_of"]

TrustRule = Literal["own", "member", "party", "named"]


@dataclass(frozen=True)
class Trust:
    """Who issued, and why it counts.

    ``own``: this node's member itself. ``member``: an active member of the alliance, for a kind that members issue.
    ``party``: the one who is bound by it. ``named``: the caller named this issuer.
    """

    rule: TrustRule
    issuer: str


def trust_of(
    state: StateView, document: JsonObject, kind: Kind | None, issuer: str, me: str, named: Container[str] = ()
) -> Trust:
    """The rule by which ``issuer`` may say what ``document`` says, at the ledger's ``state``.

    Raises ``VerificationError`` ``issuer_not_trusted``.
    """
    if issuer in named:
        return Trust("named", issuer)
    if kind is not None and kind.by_members:
        member = StateMembers(state).get(issuer)
        if member is not None and member.active:
            return Trust("own" if issuer == me else "member", issuer)
    if kind is not None and kind.by_party and _is_party(document, issuer):
        return Trust("party", issuer)
    raise VerificationError(
        "issuer_not_trusted",
        "Nothing on the ledger lets this issuer issue credentials of this kind.",
        next_step="Let the alliance accredit it, or name it in the request if you trust it yourself.",
    )


def _is_party(document: JsonObject, issuer: str) -> bool:
    subjects = listed(document.get("credentialSubject"))
    return all(isinstance(one, dict) and one.get("principal") == issuer for one in subjects)
