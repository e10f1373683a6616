"""Ledger rules of the registry of issuers (pure, LED-1)."""

from __future__ import annotations

from typing import Literal

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.issuers.model import (
    AccreditationRecord,
    IssuerMotion,
    accreditation_key,
    accreditation_of,
)
from lianzheng.governance.members import member_of
from lianzheng.governance.motions.model import MotionRecord
from lianzheng.governance.motions.rules import open_motion
from lianzheng.identity.did.model import did_state_key
from lianzheng.ledger.context import BlockContext, Sender, StateView, Write

__all__ = ["carry_accreditation", "propose_accreditation"]

AccreditationKind = Literal["issuer.accredit", "issuer.withdraw"]
_STATUS: dict[AccreditationKind, Literal["accredited", "withdrawn"]] = {
    "issuer.accredit": "accredited",
    "issuer.withdraw": "withdrawn",
}


def propose_accreditation(
    state: StateView, sender: Sender, payload: IssuerMotion, block: BlockContext, kind: AccreditationKind
) -> MotionRecord:
    """A motion to accredit an issuer for a type of credential, or to take that away. Its own group has no vote.

    Refuses ``issuer_unknown`` (a did:lz that the ledger does not know, or that is deactivated),
    ``accreditation_unchanged``, and as ``open_motion``.
    """
    _check(state, payload, kind)
    member = member_of(state, payload.issuer)
    excluded = None if member is None else member.control_group
    return open_motion(state, sender.name, block, kind, payload.to_json(), excluded)


def carry_accreditation(
    state: StateView, content: JsonObject, block: BlockContext, kind: AccreditationKind
) -> tuple[Write, ...]:
    """The registry says so. Refuses as :func:`propose_accreditation`."""
    payload = IssuerMotion.from_json(content)
    before = _check(state, payload, kind)
    record = AccreditationRecord(
        version=0 if before is None else before.version + 1,
        issuer=payload.issuer,
        credential=payload.credential,
        status=_STATUS[kind],
        document=payload.document,
        since_ms=block.time_ms,
    )
    return ((accreditation_key(payload.credential, payload.issuer), record.to_json()),)


def _check(state: StateView, payload: IssuerMotion, kind: AccreditationKind) -> AccreditationRecord | None:
    if kind == "issuer.accredit" and payload.issuer.startswith("did:lz:"):
        record = state.get(did_state_key(payload.issuer))
        if record is None or record["status"] != "active":
            raise RefusedError("issuer_unknown", "The ledger has no such DID, or it is deactivated.")
    before = accreditation_of(state, payload.credential, payload.issuer)
    if before is not None and before.status == _STATUS[kind]:
        raise ConflictError("accreditation_unchanged", "The registry of issuers says this already.")
    return before
