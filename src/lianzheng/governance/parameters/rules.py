"""Changing a parameter by vote (LED-3, LED-7)."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.model import Parameter, parameter_key
from lianzheng.governance.motions.model import MotionRecord
from lianzheng.governance.motions.rules import open_motion
from lianzheng.governance.parameters.model import (
    PARAMETERS,
    ParameterChange,
    parameter_hash,
    parameter_record,
)
from lianzheng.ledger.context import BlockContext, Sender, StateView, Write

__all__ = ["carry_parameter", "propose_parameter", "propose_points_rule"]


def propose_parameter(state: StateView, sender: Sender, payload: ParameterChange, block: BlockContext) -> MotionRecord:
    """A motion to set a parameter.

    Refuses ``parameter_unknown``, ``parameter_out_of_bounds``, ``prev_mismatch``, and as ``open_motion``.
    """
    if payload.name.startswith("points_"):
        raise RefusedError("parameter_unknown", "Rules of points change by points.rule.")
    return _propose(state, sender, payload, block, "parameter.propose")


def propose_points_rule(
    state: StateView, sender: Sender, payload: ParameterChange, block: BlockContext
) -> MotionRecord:
    """A motion to set a rule of points. Refuses as :func:`propose_parameter`."""
    if not payload.name.startswith("points_"):
        raise RefusedError("parameter_unknown", "This is no rule of points.")
    return _propose(state, sender, payload, block, "points.rule")


def _propose(
    state: StateView, sender: Sender, payload: ParameterChange, block: BlockContext, kind: str
) -> MotionRecord:
    record = parameter_record(state, payload.name)
    spec = PARAMETERS[payload.name]
    if not spec.least <= payload.value <= spec.most:
        raise RefusedError("parameter_out_of_bounds", f"The parameter lies between {spec.least} and {spec.most}.")
    if payload.prev != parameter_hash(payload.name, record):
        raise ConflictError("prev_mismatch", "The parameter has changed meanwhile.", next_step="Read it and ask again.")
    return open_motion(state, sender.name, block, kind, payload.to_json(), None)


def carry_parameter(state: StateView, content: JsonObject, block: BlockContext) -> tuple[Write, ...]:
    """The parameter has the new value. Refuses ``prev_mismatch``: another change was carried first."""
    change = ParameterChange.from_json(content)
    before = parameter_record(state, change.name)
    if change.prev != parameter_hash(change.name, before):
        raise ConflictError("prev_mismatch", "Another change of this parameter was carried first.")
    after = Parameter(version=before.version + 1, value=change.value)
    return ((parameter_key(change.name), after.to_json()),)
