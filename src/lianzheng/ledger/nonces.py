"""Where a key's nonces stand in the state (LED-3); the rule itself is in ``contracts.nonces``."""

from __future__ import annotations

from lianzheng.ledger.context import StateView

__all__ = ["highest_nonce", "nonce_key"]


def nonce_key(sender: str, key_id: str) -> str:
    """State key of ``{max, used}`` for this sender and key."""
    return f"nonce/{sender}/{key_id}"


def highest_nonce(state: StateView, sender: str, key_id: str) -> int:
    """The highest nonce used so far, 0 where none was."""
    record = state.get(nonce_key(sender, key_id))
    return 0 if record is None else int(record["max"])
