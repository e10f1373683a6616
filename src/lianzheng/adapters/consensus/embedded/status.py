"""What an engine tells people about itself, the limits of its protection included."""

from __future__ import annotations

from lianzheng.adapters.consensus.embedded.chain import Chain
from lianzheng.ledger.ports import EngineStatus

__all__ = ["engine_status"]

_GROUPS_MIN = 4
_OPERATOR = (
    "The embedded engine does not protect against its own operator: whoever runs the sequencer can leave "
    "transactions out or halt the network."
)


def engine_status(chain: Chain, *, role: str, lag: int, running: bool, trouble: str | None = None) -> EngineStatus:
    """Status of an engine over ``chain`` (CON-7: fewer than four groups tolerate no loss)."""
    groups = {member.control_group for member in chain.genesis.members}
    warnings = [_OPERATOR]
    if len(groups) < _GROUPS_MIN:
        warnings.append(f"The network has {len(groups)} control groups; fewer than four tolerate no loss.")
    if trouble is not None:
        warnings.append(f"The last exchange with the sequencer or a member failed: {trouble}.")
    if chain.checkpoint_fault is not None:
        warnings.append(
            f"The last checkpoint could not be used or written ({chain.checkpoint_fault}); the blocks are complete."
        )
    stopped = None
    if chain.fault is not None:
        stopped = chain.fault.code
    elif not running:
        stopped = "ledger_stopped"
    return EngineStatus(
        engine="embedded",
        chain_id=chain.genesis.chain_id,
        height=chain.height,
        head_hash=chain.head_hash,
        app_hash=chain.application_hash,
        time_ms=chain.time_ms,
        role=role,
        lag=lag,
        stopped=stopped,
        warnings=tuple(warnings),
    )
