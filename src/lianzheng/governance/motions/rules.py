"""Opening motions and counting ballots (pure, LED-1)."""

from __future__ import annotations

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.groups import electorate, require_voice
from lianzheng.governance.motions.model import (
    SHARES,
    Ballot,
    MotionRecord,
    MotionVote,
    motion_id,
    motion_key,
    motion_of,
)
from lianzheng.governance.parameters.model import parameter
from lianzheng.ledger.context import BlockContext, StateView

__all__ = ["cast", "event_of", "new_motion", "open_motion"]

_DAY_MS = 24 * 3600 * 1000
_OTHERS_MIN = 2
"""Groups that must be there to decide about another: of two groups neither decides alone about the other."""


def new_motion(
    state: StateView, block: BlockContext, kind: str, content: JsonObject, excluded: str | None
) -> MotionRecord:
    """A motion without ballots. Refuses ``motion_open`` while the same one stands, ``electorate_small``.

    A decision *about* a group needs two others: of two groups neither decides alone about the other.
    """
    value = state.get(motion_key(motion_id(block.chain_id, kind, content)))
    version = 0
    if value is not None:
        before = MotionRecord.from_json(value)
        if before.status == "open" and block.time_ms <= before.closes_ms:
            raise ConflictError("motion_open", "The same motion stands.", next_step="Vote on it with member.vote.")
        version = before.version + 1
    if excluded is not None and len(electorate(state, excluded)) < _OTHERS_MIN:
        raise RefusedError("electorate_small", "A decision about a control group needs two others that may vote.")
    return MotionRecord(
        version=version,
        kind=kind,
        content=content,
        excluded=excluded,
        yes=(),
        no=(),
        opened_height=block.height,
        opened_ms=block.time_ms,
        closes_ms=block.time_ms + parameter(state, "motion_days") * _DAY_MS,
        status="open",
    )


def open_motion(
    state: StateView, sender: str, block: BlockContext, kind: str, content: JsonObject, excluded: str | None
) -> MotionRecord:
    """A motion with its mover's ballot.

    Refuses ``member_unknown``, ``not_group_voice``, ``motion_open``, ``electorate_small``, ``group_has_no_vote``.
    """
    group = require_voice(state, sender).control_group
    return _count(state, new_motion(state, block, kind, content, excluded), group, "yes")


def cast(state: StateView, sender: str, vote: MotionVote, block: BlockContext) -> MotionRecord:
    """The motion after the sender's group's ballot, which is its first and last (B35).

    Refuses ``motion_unknown``, ``motion_over``, ``member_unknown``, ``not_group_voice``, ``group_has_no_vote``,
    ``group_has_voted``.
    """
    motion = motion_of(state, vote.motion)
    if motion.status != "open" or block.time_ms > motion.closes_ms or motion.opened_height != vote.opened_height:
        raise ConflictError("motion_over", "The motion is decided, past its time, or another than the one meant.")
    group = require_voice(state, sender).control_group
    if group in (*motion.yes, *motion.no):
        raise ConflictError("group_has_voted", "The sender's control group has voted on this motion.")
    return _count(state, motion, group, vote.ballot)


def _count(state: StateView, motion: MotionRecord, group: str, ballot: Ballot) -> MotionRecord:
    """Ballots of groups that have lost their last active member since count no more; neither does their weight."""
    voters = electorate(state, motion.excluded)
    if group not in voters:
        raise RefusedError("group_has_no_vote", "The motion is about the sender's own control group.")
    ballots = {"yes": motion.yes, "no": motion.no}
    ballots[ballot] = (*ballots[ballot], group)
    share = SHARES[motion.kind]
    yes = sum(1 for name in ballots["yes"] if name in voters)
    no = sum(1 for name in ballots["no"] if name in voters)
    status = motion.status
    enough = motion.excluded is None or len(voters) >= _OTHERS_MIN  # a voter that left since must not leave one judge
    if enough and share.reached(yes, len(voters)):
        status = "carried"
    elif not share.reached(len(voters) - no, len(voters)):
        status = "rejected"
    return motion.model_copy(update={"version": motion.version + 1, "status": status, **ballots})


def event_of(motion: MotionRecord, chain_id: str) -> JsonObject:
    """What subscribers see of a motion that was opened or voted on."""
    name = b64u_encode(motion_id(chain_id, motion.kind, motion.content))
    return {"type": f"motion.{motion.status}", "motion": name, "kind": motion.kind, "yes": len(motion.yes)}
