"""Accreditations. State ``accreditation/<credential>/<issuer>`` → :class:`AccreditationRecord`, kept for good."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from lianzheng.encoding.model import Bytes32, Natural, Record, TimeMs
from lianzheng.ledger.context import StateView

__all__ = ["AccreditationRecord", "IssuerMotion", "accreditation_key", "accreditation_of"]

IssuerDid = Annotated[str, StringConstraints(pattern=r"^did:[a-z0-9]{1,16}:[A-Za-z0-9._:%-]{1,250}$")]
"""Any DID: a regulator or an exchange need not have one of this network."""
CredentialType = Annotated[str, StringConstraints(pattern=r"^[A-Z][A-Za-z0-9]{1,63}$")]
"""A type of credentials, such as ``MembershipCredential``. The ledger keeps no list of them: software does."""


class IssuerMotion(Record):
    """Payload of ``issuer.accredit`` and ``issuer.withdraw``, and what the motion is about."""

    issuer: IssuerDid
    credential: CredentialType
    document: Bytes32
    """SHA-256 of the paper behind it."""


class AccreditationRecord(Record):
    """What the alliance decided about one issuer and one type, last."""

    version: Natural
    issuer: IssuerDid
    credential: CredentialType
    status: Literal["accredited", "withdrawn"]
    """``withdrawn`` also takes away what the issuer could do as a member without any entry."""
    document: Bytes32
    since_ms: TimeMs


def accreditation_key(credential: str, issuer: str) -> str:
    """State key."""
    return f"accreditation/{credential}/{issuer}"


def accreditation_of(state: StateView, credential: str, issuer: str) -> AccreditationRecord | None:
    """What was decided last, or None where nothing ever was."""
    value = state.get(accreditation_key(credential, issuer))
    return None if value is None else AccreditationRecord.from_json(value)
