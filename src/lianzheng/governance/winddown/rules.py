"""Ledger rules of the wind-down (pure, LED-1)."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError
from lianzheng.governance.model import NETWORK_KEY, NetworkRecord
from lianzheng.governance.motions.model import MotionRecord
from lianzheng.governance.motions.rules import open_motion
from lianzheng.governance.winddown.model import STEPS, Step, WinddownRecord, WinddownStep, winddown_key
from lianzheng.ledger.context import BlockContext, Sender, StateView, Write

__all__ = ["carry_step", "propose_step"]


def _network_before(state: StateView, step: Step) -> NetworkRecord:
    network = NetworkRecord.from_json(state.get(NETWORK_KEY))
    if network.phase not in STEPS[step][0]:
        raise RefusedError("winddown_step", "The steps of a wind-down follow one another.")
    return network


def propose_step(
    state: StateView, sender: Sender, payload: WinddownStep, block: BlockContext, step: Step
) -> MotionRecord:
    """A motion to take the step. Refuses ``winddown_step``, ``winddown_document``, and as ``open_motion``."""
    _network_before(state, step)
    return open_motion(state, sender.name, block, f"network.winddown.{step}", payload.to_json(), None)


def carry_step(state: StateView, content: JsonObject, block: BlockContext, step: Step) -> tuple[Write, ...]:
    """The network is in the next phase. Refuses ``winddown_step``, ``winddown_early``."""
    payload = WinddownStep.from_json(content)
    network = _network_before(state, step)
    if block.time_ms < payload.not_before_ms:
        raise RefusedError(
            "winddown_early", "The step's time has not come.", next_step="Cast the deciding vote after that time."
        )
    after = network.model_copy(update={"version": network.version + 1, "phase": STEPS[step][1]})
    record = WinddownRecord(document=payload.document, time_ms=block.time_ms)
    return ((NETWORK_KEY, after.to_json()), (winddown_key(step), record.to_json()))
