"""What happens when a motion is carried: one function a kind, the same whichever ballot decides (LED-4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError
from lianzheng.governance.admission.rules import (
    carry_admission,
    carry_phase,
    carry_regroup,
)
from lianzheng.governance.incidents.rules import carry_close, carry_contain
from lianzheng.governance.issuers.rules import carry_accreditation
from lianzheng.governance.motions.model import MotionRecord, MotionVote, motion_id, motion_key, motion_of
from lianzheng.governance.motions.rules import cast, event_of
from lianzheng.governance.parameters.rules import carry_parameter
from lianzheng.governance.points.rules import carry_appeal
from lianzheng.governance.schema import carry_upgrade
from lianzheng.governance.winddown.model import STEPS
from lianzheng.governance.winddown.rules import carry_step
from lianzheng.ledger.context import BlockContext, Effects, Rule, Sender, StateView, Write
from lianzheng.ledger.transaction import TransactionBody

__all__ = ["CARRIES", "decide", "opening", "voting"]

Carry = Callable[[StateView, JsonObject, BlockContext], tuple[Write, ...]]

CARRIES: dict[str, Carry] = {
    "member.admit": carry_admission,
    "member.suspend": partial(carry_phase, kind="member.suspend"),
    "member.reinstate": partial(carry_phase, kind="member.reinstate"),
    "member.expel": partial(carry_phase, kind="member.expel"),
    "member.regroup": carry_regroup,
    "parameter.propose": carry_parameter,
    "points.rule": carry_parameter,
    "points.appeal": carry_appeal,
    "incident.contain": carry_contain,
    "incident.close": carry_close,
    "schema.upgrade": carry_upgrade,
    "issuer.accredit": partial(carry_accreditation, kind="issuer.accredit"),
    "issuer.withdraw": partial(carry_accreditation, kind="issuer.withdraw"),
    **{f"network.winddown.{step}": partial(carry_step, step=step) for step in STEPS},
}


def decide(state: StateView, motion: MotionRecord, block: BlockContext) -> Effects:
    """The motion as it now stands, and its effects if this ballot carried it.

    Where the effects are refused (the world has changed since the motion was opened), so is the ballot, and nothing
    changes.
    """
    name = motion_id(block.chain_id, motion.kind, motion.content)
    writes: tuple[Write, ...] = ((motion_key(name), motion.to_json()),)
    events: tuple[JsonObject, ...] = (event_of(motion, block.chain_id),)
    if motion.status == "carried":
        writes += CARRIES[motion.kind](state, motion.content, block)
        events += ({"type": motion.kind, **_named(motion.content)},)
    return Effects(writes=writes, events=events, data={"motion": b64u_encode(name), "status": motion.status})


def _named(content: JsonObject) -> JsonObject:
    names = ("credential", "issuer", "member", "name", "scope", "target")
    return {name: content[name] for name in names if name in content}


def opening(open_motion: Callable[..., MotionRecord], **fixed: Any) -> Rule:
    """The rule of a kind that opens a motion with its mover's ballot."""

    def rule(state: StateView, sender: Sender, payload: Any, body: TransactionBody, block: BlockContext) -> Effects:
        return decide(state, open_motion(state, sender, payload, block, **fixed), block)

    return rule


def voting(*, parameters: bool) -> Rule:
    """The rule of ``parameter.vote`` (parameters only) and of ``member.vote`` (everything else).

    Refuses as ``cast``, ``vote_kind``, and what the carried motion's effects refuse.
    """

    def rule(
        state: StateView, sender: Sender, payload: MotionVote, body: TransactionBody, block: BlockContext
    ) -> Effects:
        if (motion_of(state, payload.motion).kind in ("parameter.propose", "points.rule")) != parameters:
            raise RefusedError("vote_kind", "Parameters are voted on with parameter.vote, all else with member.vote.")
        return decide(state, cast(state, sender.name, payload, block), block)

    return rule
