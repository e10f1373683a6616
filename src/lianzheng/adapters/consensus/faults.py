"""Why an engine stops or does not serve: each reason once, with what to do about it."""

from __future__ import annotations

from lianzheng.errors import LianzhengError, NotFoundError, UnavailableError

__all__ = [
    "ledger_busy",
    "ledger_forked",
    "ledger_rolled_back",
    "ledger_stale",
    "ledger_stopped",
    "ledger_storage_failed",
    "ledger_unavailable",
    "log_entry_unknown",
    "state_diverged",
    "stop_error",
]


def state_diverged(height: int) -> UnavailableError:
    """This node's replay gives another result than the signed head says."""
    return UnavailableError(
        "state_diverged",
        f"The state of this node differs from the signed head at height {height}.",
        next_step="Compare software versions and genesis with the sequencer's; keep the data folder for inquiry.",
    )


def ledger_forked(height: int) -> UnavailableError:
    """The sequencer signed two heads of one height."""
    return UnavailableError(
        "ledger_forked",
        f"The sequencer signed two different heads around height {height}; both are kept as proof.",
        next_step="Do not delete the file ending in .fork.json; show it to the other members.",
    )


def ledger_rolled_back(height: int) -> UnavailableError:
    """The database is older than what this node has served."""
    return UnavailableError(
        "ledger_rolled_back",
        f"The ledger database is older than height {height}, which this node has already served.",
        next_step="A follower catches up by itself; a sequencer needs the newer database back.",
    )


def ledger_stale(text: str) -> UnavailableError:
    """The head is not known to be fresh (GATE-4)."""
    return UnavailableError("ledger_stale", text, next_step="Check the connection to the sequencer's node.")


def ledger_stopped() -> UnavailableError:
    """The engine is not running."""
    return UnavailableError("ledger_stopped", "The ledger engine is not running.")


def ledger_busy() -> UnavailableError:
    """More transactions wait than a few blocks hold."""
    return UnavailableError("ledger_busy", "Too many transactions are waiting.", next_step="Send again later.")


def ledger_unavailable() -> UnavailableError:
    """The transaction's fate is not known here yet."""
    return UnavailableError(
        "ledger_unavailable",
        "The ledger gave no final result in time.",
        next_step="Send the same transaction again: a repeat returns the earlier receipt.",
    )


def log_entry_unknown() -> NotFoundError:
    """No provable log is that long."""
    return NotFoundError("log_entry_unknown", "The evidence log has no such entry yet.")


def ledger_storage_failed() -> UnavailableError:
    """A block could not be made durable."""
    return UnavailableError(
        "ledger_storage_failed",
        "The ledger could not write its database.",
        next_step="Check disk space and permissions, then restart the node.",
    )


def stop_error(reason: LianzhengError | None) -> LianzhengError:
    """The reason of a stop, or ``ledger_stopped`` where there is none."""
    return reason or ledger_stopped()
