"""Ledger rules of governance: joining the agreement and keeping one's own record (pure, LED-1)."""

from __future__ import annotations

from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.members import all_members, member_of
from lianzheng.governance.model import (
    NETWORK_KEY,
    Agreement,
    AgreementSign,
    MemberRecord,
    MemberUpdate,
    NetworkRecord,
    agreement_key,
    fingerprint_of,
    member_key,
)
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody

__all__ = ["RULES"]


def sign_agreement(
    state: StateView, sender: Sender, payload: AgreementSign, body: TransactionBody, block: BlockContext
) -> Effects:
    """Record the sender's signature. Refuses ``agreement_unknown``, ``agreement_already_signed``."""
    value = state.get(NETWORK_KEY)
    if value is None or NetworkRecord.from_json(value).agreement != payload.agreement:
        raise RefusedError("agreement_unknown", "This is not the digest of the network's agreement.")
    key = agreement_key(payload.agreement, sender.name)
    if state.get(key) is not None:
        raise ConflictError("agreement_already_signed", "The sender has signed this agreement before.")
    record = Agreement(agreement=payload.agreement, member=sender.name, height=block.height, time_ms=block.time_ms)
    return Effects(writes=((key, record.to_json()),), events=({"type": "agreement.sign", "member": sender.name},))


def update_member(
    state: StateView, sender: Sender, payload: MemberUpdate, body: TransactionBody, block: BlockContext
) -> Effects:
    """Replace the sender's endpoint, certificate and licences. Refuses ``certificate_in_use``."""
    member = member_of(state, sender.name)
    if member is None:
        raise RefusedError("member_unknown", "The sender is not a member.")
    fingerprint = fingerprint_of(payload.certificate)
    if any(other.fingerprint == fingerprint and other.did != member.did for other in all_members(state)):
        raise ConflictError("certificate_in_use", "Another member uses this certificate.")
    fields = dict(member) | dict(payload) | {"version": member.version + 1, "fingerprint": fingerprint}
    return Effects(
        writes=((member_key(member.did), MemberRecord(**fields).to_json()),),
        events=({"type": "member.update", "member": member.did},),
    )


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("agreement.sign", AgreementSign, sign_agreement),
    RuleSpec("member.update", MemberUpdate, update_member),
)
