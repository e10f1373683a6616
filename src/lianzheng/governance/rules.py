"""Ledger rules of governance: the agreement, one's own record, and every kind of the sub-slices (pure, LED-1)."""

from __future__ import annotations

from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.admission.model import (
    GroupVoice,
    MemberApply,
    MemberAssess,
    MemberLeave,
    MemberMotion,
    MemberRegroup,
)
from lianzheng.governance.admission.rules import (
    activation_writes,
    apply_member,
    assess_member,
    leave_member,
    move_member,
    name_voice,
    regroup_member,
)
from lianzheng.governance.decisions import decide, opening, voting
from lianzheng.governance.incidents.model import IncidentClose, IncidentContain, IncidentOpen
from lianzheng.governance.incidents.rules import (
    carry_contain,
    close_incident,
    contain_incident,
    open_incident,
    own_target,
)
from lianzheng.governance.issuers.model import IssuerMotion
from lianzheng.governance.issuers.rules import propose_accreditation
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
from lianzheng.governance.motions.model import MotionVote
from lianzheng.governance.parameters.model import ParameterChange
from lianzheng.governance.parameters.rules import propose_parameter, propose_points_rule
from lianzheng.governance.points.model import PointsAppeal, PointsSettle
from lianzheng.governance.points.rules import appeal_points, settle_points
from lianzheng.governance.schema import SchemaUpgrade, open_upgrade
from lianzheng.governance.winddown.model import STEPS, WinddownStep
from lianzheng.governance.winddown.rules import propose_step
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView, Write
from lianzheng.ledger.transaction import TransactionBody

__all__ = ["RULES"]


def sign_agreement(
    state: StateView, sender: Sender, payload: AgreementSign, body: TransactionBody, block: BlockContext
) -> Effects:
    """Record the sender\'s signature; an admitted member is active from now on.

    Refuses ``agreement_unknown``, ``agreement_already_signed``.
    """
    value = state.get(NETWORK_KEY)
    if value is None or NetworkRecord.from_json(value).agreement != payload.agreement:
        raise RefusedError("agreement_unknown", "This is not the digest of the network's agreement.")
    key = agreement_key(payload.agreement, sender.name)
    if state.get(key) is not None:
        raise ConflictError("agreement_already_signed", "The sender has signed this agreement before.")
    record = Agreement(agreement=payload.agreement, member=sender.name, height=block.height, time_ms=block.time_ms)
    writes: tuple[Write, ...] = ((key, record.to_json()),)
    member = member_of(state, sender.name)
    if member is not None and member.phase == "admitted":  # its last step into the alliance
        writes += activation_writes(state, member)
    return Effects(writes=writes, events=({"type": "agreement.sign", "member": sender.name},))


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


def contain(
    state: StateView, sender: Sender, payload: IncidentContain, body: TransactionBody, block: BlockContext
) -> Effects:
    """Stop what is one's own at once, anything else by motion. Refuses as ``contain_incident``."""
    if not own_target(state, sender, payload):
        return decide(state, contain_incident(state, sender, payload, block), block)
    event = {"type": "incident.contain", "scope": payload.scope, "target": payload.target}
    return Effects(writes=carry_contain(state, payload.to_json(), block), events=(event,))


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("agreement.sign", AgreementSign, sign_agreement),
    RuleSpec("member.update", MemberUpdate, update_member),
    RuleSpec("member.apply", MemberApply, apply_member),
    RuleSpec("member.assess", MemberAssess, assess_member),
    RuleSpec("member.vote", MotionVote, voting(parameters=False)),
    RuleSpec("member.suspend", MemberMotion, opening(move_member, kind="member.suspend")),
    RuleSpec("member.reinstate", MemberMotion, opening(move_member, kind="member.reinstate")),
    RuleSpec("member.expel", MemberMotion, opening(move_member, kind="member.expel")),
    RuleSpec("member.regroup", MemberRegroup, opening(regroup_member)),
    RuleSpec("member.leave", MemberLeave, leave_member),
    RuleSpec("group.voice", GroupVoice, name_voice),
    RuleSpec("parameter.propose", ParameterChange, opening(propose_parameter), ordered=True),
    RuleSpec("parameter.vote", MotionVote, voting(parameters=True)),
    RuleSpec("points.rule", ParameterChange, opening(propose_points_rule), ordered=True),
    RuleSpec("points.settle", PointsSettle, settle_points),
    RuleSpec("points.appeal", PointsAppeal, appeal_points),
    RuleSpec("incident.open", IncidentOpen, open_incident),
    RuleSpec("incident.contain", IncidentContain, contain),
    RuleSpec("incident.close", IncidentClose, opening(close_incident)),
    RuleSpec("schema.upgrade", SchemaUpgrade, opening(open_upgrade)),
    RuleSpec("issuer.accredit", IssuerMotion, opening(propose_accreditation, kind="issuer.accredit"), since=2),
    RuleSpec("issuer.withdraw", IssuerMotion, opening(propose_accreditation, kind="issuer.withdraw"), since=2),
    *(RuleSpec(f"network.winddown.{step}", WinddownStep, opening(propose_step, step=step)) for step in STEPS),
)
