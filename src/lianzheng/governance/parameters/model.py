"""The closed list of parameters: what each means, its unit, its value until a vote, and how far a vote may go."""

from __future__ import annotations

from typing import NamedTuple

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.model import Bytes32, Natural, Record
from lianzheng.errors import RefusedError
from lianzheng.governance.model import Parameter, parameter_key
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Word

__all__ = ["PARAMETERS", "ParameterChange", "ParameterSpec", "parameter", "parameter_hash", "parameter_record"]


class ParameterSpec(NamedTuple):
    """One parameter: value until it is set, least, greatest, meaning."""

    default: int
    least: int
    most: int
    meaning: str


PARAMETERS: dict[str, ParameterSpec] = {
    "token_version_min": ParameterSpec(1, 1, 2, "least version of authorisation tokens that a gate takes (ID-8)"),
    "motion_days": ParameterSpec(14, 1, 90, "days for which a motion may be voted on"),
    "assessment_days": ParameterSpec(365, 30, 400, "days for which a security assessment stands"),
    "leave_notice_days": ParameterSpec(30, 1, 365, "days between a member's notice and its leaving"),
    "appeal_days": ParameterSpec(30, 1, 365, "days in which a member may appeal against a settlement"),
    "points_base": ParameterSpec(100, 0, 1_000_000, "points that each active member gets a month"),
    "points_dataset": ParameterSpec(20, 0, 1_000_000, "points a month for each published dataset"),
    "points_indicator": ParameterSpec(5, 0, 1_000_000, "points a month for each indicator offered"),
    "points_fresh": ParameterSpec(10, 0, 1_000_000, "points a month for each dataset that is fresh"),
    "points_fresh_days": ParameterSpec(31, 1, 366, "age in days up to which a dataset is fresh"),
    "points_use": ParameterSpec(1, 0, 1_000_000, "points that a counted use moves from requester to provider"),
    "points_report_missing": ParameterSpec(50, 0, 1_000_000, "points lost for each report that is overdue"),
    "points_query_min": ParameterSpec(0, 0, 1_000_000, "balance below which a member's new tasks are limited"),
    "points_limited_quota": ParameterSpec(100, 1, 1_000_000, "largest quota of a task of a member so limited"),
}
"""Names that begin with ``points_`` change by ``points.rule``, all others by ``parameter.propose``."""


class ParameterChange(Record):
    """Payload of ``parameter.propose`` and ``points.rule``."""

    name: Word
    value: Natural
    prev: Bytes32
    """Hash of the record that is to change (LED-3); of version 0 with the default where it was never set."""


def parameter_record(state: StateView, name: str) -> Parameter:
    """The parameter as it stands. Raises ``RefusedError`` ``parameter_unknown``."""
    spec = PARAMETERS.get(name)
    if spec is None:
        raise RefusedError("parameter_unknown", "The network has no parameter of this name.")
    value = state.get(parameter_key(name))
    return Parameter(version=0, value=spec.default) if value is None else Parameter.from_json(value)


def parameter(state: StateView, name: str) -> int:
    """Its value. Raises ``RefusedError`` ``parameter_unknown``."""
    return parameter_record(state, name).value


def parameter_hash(name: str, record: Parameter) -> bytes:
    """SHA-256(tag ``parameter`` ‖ name ‖ JCS(record)): ``prev`` of the next change (LED-3, B8)."""
    return sha256("parameter", name, record.to_bytes())
