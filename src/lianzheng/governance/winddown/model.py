"""Steps of the wind-down. State ``winddown/<step>`` → :class:`WinddownRecord`."""

from __future__ import annotations

from typing import Literal

from lianzheng.encoding.model import Bytes32, Record, TimeMs
from lianzheng.governance.model import NetworkPhase

__all__ = ["STEPS", "Step", "WinddownRecord", "WinddownStep", "winddown_key"]

Step = Literal["plan", "start", "freeze", "disconnect", "close"]

STEPS: dict[Step, tuple[tuple[NetworkPhase, ...], NetworkPhase]] = {
    "plan": (("running", "contained"), "winding_down_planned"),
    "start": (("winding_down_planned",), "winding_down_started"),
    "freeze": (("winding_down_started",), "winding_down_frozen"),
    "disconnect": (("winding_down_frozen",), "winding_down_disconnected"),
    "close": (("winding_down_disconnected",), "winding_down_closed"),
}
"""Step → phases of the network before it, phase after it."""


class WinddownStep(Record):
    """Payload of ``network.winddown.*``."""

    document: Bytes32
    """SHA-256 of the plan, or of the paper that signs the step off."""
    not_before_ms: TimeMs
    """The step takes effect in no earlier block; users and members have that long to read the notice."""


class WinddownRecord(Record):
    """A step that was carried."""

    document: Bytes32
    time_ms: TimeMs


def winddown_key(step: Step) -> str:
    """State key."""
    return f"winddown/{step}"
