"""Ledger rules of admission and exit (CON-7, ``domain.md`` §4; pure, LED-1)."""

from __future__ import annotations

from lianzheng.clock import DAY_MS, end_of_day_ms
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import ConflictError, NotFoundError, RefusedError
from lianzheng.governance.admission.model import (
    ASSESSMENTS,
    Application,
    AssessmentKind,
    AssessmentRecord,
    GroupVoice,
    MemberApply,
    MemberAssess,
    MemberLeave,
    MemberMotion,
    MemberRegroup,
    application_bytes,
    assessment_key,
    assessment_of,
)
from lianzheng.governance.groups import group_key, group_of, group_writes, require_voice
from lianzheng.governance.members import all_members, member_of
from lianzheng.governance.model import (
    NETWORK_KEY,
    SEQUENCER_KEY,
    MemberPhase,
    MemberRecord,
    NetworkRecord,
    fingerprint_of,
    member_key,
)
from lianzheng.governance.motions.model import MotionRecord, motion_id, motion_key
from lianzheng.governance.motions.rules import event_of, new_motion, open_motion
from lianzheng.governance.parameters.model import parameter
from lianzheng.governance.validators import require_free_validator_key, validators_by_member
from lianzheng.identity.model import CreationOperation, DidRecord, did_of, did_record, did_state_key
from lianzheng.ledger.context import BlockContext, Effects, Sender, StateView, Write
from lianzheng.ledger.transaction import TransactionBody

__all__ = [
    "activation_writes",
    "apply_member",
    "assess_member",
    "carry_admission",
    "carry_phase",
    "carry_regroup",
    "leave_member",
    "move_member",
    "name_voice",
    "regroup_member",
    "require_quorum_without",
    "stands",
]

_NODE_KEY = "#node"
_MAY_ENTER: dict[str, tuple[MemberPhase, ...]] = {
    "member.suspend": ("active",),
    "member.reinstate": ("suspended",),
    "member.expel": ("admitted", "active", "suspended", "leaving"),
}
_ENTERS: dict[str, MemberPhase] = {
    "member.suspend": "suspended",
    "member.reinstate": "active",
    "member.expel": "expelled",
}


def _member(state: StateView, did: str) -> MemberRecord:
    member = member_of(state, did)
    if member is None:
        raise NotFoundError("member_unknown", "No member or applicant has this DID.")
    return member


def _moved(member: MemberRecord, phase: MemberPhase) -> Write:
    after = member.model_copy(update={"version": member.version + 1, "phase": phase})
    return (member_key(member.did), after.to_json())


def _event(kind: str, did: str) -> JsonObject:
    return {"type": kind, "member": did}


def apply_member(
    state: StateView, sender: Sender, payload: MemberApply, body: TransactionBody, block: BlockContext
) -> Effects:
    """The applicant's DID and record exist, in phase ``applied``; it can do nothing yet.

    The keys of a DID that the ledger has are those of its record: one that was rotated away speaks for nobody.
    Refuses ``did_network_wrong``, ``agreement_unknown``, ``key_unknown``, ``signature_invalid``, ``did_exists``,
    ``did_deactivated``, ``certificate_in_use``, ``member_exists``, ``validator_key_in_use``.
    """
    application = payload.application
    operation = CreationOperation.from_json(application.did_operation)
    did = did_of(operation)
    if application.network != block.chain_id or operation.network != block.chain_id:
        raise RefusedError("did_network_wrong", "The application is for another network.")
    network = state.get(NETWORK_KEY)
    if network is None or NetworkRecord.from_json(network).agreement != application.agreement:
        raise RefusedError("agreement_unknown", "The application names another agreement than the network's.")
    known = state.get(did_state_key(did))
    record = did_record(operation, block.time_ms) if known is None else DidRecord.from_json(known)
    _check_applicant(record, payload)
    require_free_validator_key(state, did, record.keys)
    before = member_of(state, did)
    if known is not None and before is None:
        raise ConflictError("did_exists", "The DID is a person's; an institution has its own.")
    fingerprint = fingerprint_of(application.certificate)
    for other in all_members(state):
        if other.did == did and other.phase not in ("left", "expelled"):
            raise ConflictError("member_exists", "This institution is a member or has applied.")
        if other.did != did and other.fingerprint == fingerprint:
            raise ConflictError("certificate_in_use", "Another member uses this certificate.")
    writes: list[Write] = []
    if known is None:
        writes.append((did_state_key(did), record.to_json()))
    else:  # what was found out about it before is no assessment of what it has become
        writes += [(assessment_key(did, kind), None) for kind in ASSESSMENTS if assessment_of(state, did, kind)]
    version = 0 if before is None else before.version + 1
    writes.append((member_key(did), _record(application, did, fingerprint, version).to_json()))
    return Effects(writes=tuple(writes), events=(_event("member.applied", did),), data={"member": did})


def _record(application: Application, did: str, fingerprint: bytes, version: int) -> MemberRecord:
    fields = dict(application)
    for name in ("did_operation", "network", "agreement", "materials"):
        del fields[name]
    return MemberRecord(**fields, version=version, did=did, phase="applied", fingerprint=fingerprint)


def _check_applicant(record: DidRecord, payload: MemberApply) -> None:
    if record.status != "active":
        raise ConflictError("did_deactivated", "This DID is deactivated for good.")
    for key in record.keys:
        if key.id == _NODE_KEY and "authentication" in key.purposes:
            public = decode_multikey(key.multikey, ED25519_PUB)
            return ed25519.verify(public, application_bytes(payload.application), payload.signature)
    raise RefusedError("key_unknown", "The applicant's DID has no #node key that may authenticate.")


def assess_member(
    state: StateView, sender: Sender, payload: MemberAssess, body: TransactionBody, block: BlockContext
) -> Effects:
    """The assessment stands for ``assessment_days`` from its day; with both, an applicant may be voted on.

    Refuses ``member_unknown``, ``member_phase``, ``assessor_own_group``, ``assessment_day`` (ahead, or so old that it
    would be over).
    """
    member = _member(state, payload.member)
    assessor = _member(state, sender.name)
    if member.phase in ("left", "expelled"):
        raise RefusedError("member_phase", "The member has gone.")
    if assessor.control_group == member.control_group:
        raise RefusedError("assessor_own_group", "A member is assessed by another control group (CON-7).")
    until_ms = end_of_day_ms(payload.assessed_on) + parameter(state, "assessment_days") * DAY_MS
    if payload.assessed_on > block.day or until_ms <= block.time_ms:
        raise RefusedError("assessment_day", "The assessment's day lies ahead, or it would be over already.")
    before = assessment_of(state, member.did, payload.kind)
    record = AssessmentRecord(
        **dict(payload),
        version=0 if before is None else before.version + 1,
        assessor=sender.name,
        until_ms=until_ms,
    )
    writes: list[Write] = [(assessment_key(member.did, payload.kind), record.to_json())]
    events = [_event("member.assessed", member.did) | {"kind": payload.kind, "passed": payload.passed}]
    if member.phase == "applied" and payload.passed and _other_stands(state, member.did, payload.kind, block):
        motion = new_motion(state, block, "member.admit", {"member": member.did}, member.control_group)
        writes += [_moved(member, "assessed"), _motion_write(block, motion)]
        events.append(event_of(motion, block.chain_id))
    return Effects(writes=tuple(writes), events=tuple(events))


def _other_stands(state: StateView, did: str, kind: AssessmentKind, block: BlockContext) -> bool:
    return all(other == kind or stands(assessment_of(state, did, other), block.time_ms) for other in ASSESSMENTS)


def stands(record: AssessmentRecord | None, time_ms: int) -> bool:
    """Whether an assessment was passed and is not over."""
    return record is not None and record.passed and time_ms <= record.until_ms


def _motion_write(block: BlockContext, motion: MotionRecord) -> Write:
    return (motion_key(motion_id(block.chain_id, motion.kind, motion.content)), motion.to_json())


def carry_admission(state: StateView, content: JsonObject, block: BlockContext) -> tuple[Write, ...]:
    """The applicant is admitted; it becomes active by signing the agreement. Refuses ``assessment_missing``."""
    member = _member(state, content["member"])
    if member.phase != "assessed" or not all(
        stands(assessment_of(state, member.did, kind), block.time_ms) for kind in ASSESSMENTS
    ):
        raise RefusedError("assessment_missing", "An assessment of the applicant is missing, failed or over.")
    return (_moved(member, "admitted"),)


def activation_writes(state: StateView, member: MemberRecord) -> tuple[Write, ...]:
    """An admitted member has signed the agreement: it is active, and its group has its index (B35)."""
    return (_moved(member, "active"), *group_writes(state, member.control_group))


def move_member(
    state: StateView, sender: Sender, payload: MemberMotion, block: BlockContext, kind: str
) -> MotionRecord:
    """A motion to suspend, reinstate or expel. The member's own group has no vote (CON-7).

    Refuses ``member_unknown``, ``member_phase``, ``quorum_lost``, and as ``open_motion``.
    """
    member = _member(state, payload.member)
    if member.phase not in _MAY_ENTER[kind]:
        raise RefusedError("member_phase", "The member's phase does not allow this.")
    if _ENTERS[kind] != "active":
        require_quorum_without(state, member)
    return open_motion(state, sender.name, block, kind, payload.to_json(), member.control_group)


def carry_phase(state: StateView, content: JsonObject, block: BlockContext, kind: str) -> tuple[Write, ...]:
    """The member is in its new phase. Refuses ``member_phase``, ``quorum_lost`` if that has changed meanwhile."""
    member = _member(state, content["member"])
    if member.phase not in _MAY_ENTER[kind]:
        raise ConflictError("member_phase", "The member's phase has changed meanwhile.")
    if _ENTERS[kind] != "active":
        require_quorum_without(state, member)
    moved = _moved(member, _ENTERS[kind])
    # Its group may be another than when it was last active, and a group without a record could not vote.
    return (moved, *group_writes(state, member.control_group)) if _ENTERS[kind] == "active" else (moved,)


def require_quorum_without(state: StateView, member: MemberRecord) -> None:
    """Return only if the network can go on without ``member``. Raises ``RefusedError`` ``quorum_lost``.

    The one that orders transactions cannot go, and neither can the last validator or the last active member.
    """
    sequencer = state.get(SEQUENCER_KEY)
    if sequencer is not None and sequencer["did"] == member.did:
        raise RefusedError("quorum_lost", "This member orders the network's transactions; nobody would after it.")
    validators = validators_by_member(state)
    if validators and set(validators) <= {member.did}:
        raise RefusedError("quorum_lost", "This member runs the last validator; nobody would order after it.")
    others = [other for other in all_members(state) if other.phase == "active" and other.did != member.did]
    if not others:
        raise RefusedError("quorum_lost", "The last active member cannot go; wind the network down instead.")


def leave_member(
    state: StateView, sender: Sender, payload: MemberLeave, body: TransactionBody, block: BlockContext
) -> Effects:
    """After the notice no new business; after ``leave_notice_days`` the member may finish.

    Refuses ``member_unknown``, ``member_phase``, ``quorum_lost``, ``leave_notice_running``.
    """
    member = _member(state, sender.name)
    if payload.step == "notice":
        if member.phase not in ("active", "suspended"):
            raise RefusedError("member_phase", "Only an active or suspended member gives notice.")
        require_quorum_without(state, member)
        until = block.time_ms + parameter(state, "leave_notice_days") * DAY_MS
        notice: JsonObject = {"member": member.did, "until_ms": until, "plan": payload.to_json()["plan"]}
        writes = (_moved(member, "leaving"), (f"leave/{member.did}", notice))
        return Effects(writes=writes, events=(_event("member.leaving", member.did),))
    found = state.get(f"leave/{member.did}")
    if member.phase != "leaving" or found is None:
        raise RefusedError("member_phase", "Notice comes before the end.")
    if block.time_ms <= found["until_ms"]:
        raise RefusedError("leave_notice_running", "The time of notice is not over.")
    return Effects(
        writes=(_moved(member, "left"), (f"leave/{member.did}", None)), events=(_event("member.left", member.did),)
    )


def regroup_member(state: StateView, sender: Sender, payload: MemberRegroup, block: BlockContext) -> MotionRecord:
    """A motion to move a member into another control group. Refuses ``member_unknown``, ``group_same``."""
    member = _member(state, payload.member)
    if member.control_group == payload.control_group:
        raise RefusedError("group_same", "The member stands in this control group.")
    return open_motion(state, sender.name, block, "member.regroup", payload.to_json(), None)


def carry_regroup(state: StateView, content: JsonObject, block: BlockContext) -> tuple[Write, ...]:
    """The member is in the other group, which gets an index if it is new. Refuses ``quorum_lost``."""
    member = _member(state, content["member"])
    name = content["control_group"]
    after = member.model_copy(update={"version": member.version + 1, "control_group": name})
    writes: tuple[Write, ...] = ((member_key(member.did), after.to_json()),)
    return (*writes, *group_writes(state, name)) if member.phase == "active" else writes


def name_voice(
    state: StateView, sender: Sender, payload: GroupVoice, body: TransactionBody, block: BlockContext
) -> Effects:
    """The named sister votes for the group from now on. Refuses ``not_group_voice``, ``voice_not_sister``."""
    group = require_voice(state, sender.name).control_group
    voice = member_of(state, payload.voice)
    if voice is None or voice.control_group != group or voice.phase != "active":
        raise RefusedError("voice_not_sister", "The voice of a control group is one of its own active members.")
    record = group_of(state, group)
    after = record.model_copy(update={"version": record.version + 1, "voice": payload.voice})
    return Effects(
        writes=((group_key(group), after.to_json()),), events=({"type": "group.voice", "voice": payload.voice},)
    )
