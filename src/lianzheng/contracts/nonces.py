"""Replay protection by a sliding window of nonces per sender and key (LED-3, B6)."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError
from lianzheng.ledger.context import StateView
from lianzheng.ledger.nonces import nonce_key
from lianzheng.limits import NONCE_WINDOW

__all__ = ["use_nonce"]

_MASK = 2**NONCE_WINDOW - 1


def use_nonce(state: StateView, sender: str, key_id: str, nonce: int) -> tuple[str, JsonObject]:
    """The write that marks ``nonce`` used, for an unused n with max−64 < n ≤ max+64 (LED-3).

    The record is ``{max, used}``: bit i of the hexadecimal mask stands for max−i.
    Raises ``RefusedError``: ``nonce_too_old``, ``nonce_too_far``, ``nonce_used``.
    """
    key = nonce_key(sender, key_id)
    record = state.get(key)
    highest, used = (0, 0) if record is None else (record["max"], int(record["used"], 16))
    if nonce <= highest - NONCE_WINDOW:
        raise RefusedError("nonce_too_old", "The nonce lies behind the window of its key.")
    if nonce > highest + NONCE_WINDOW:
        raise RefusedError("nonce_too_far", "The nonce lies ahead of the window of its key.")
    if nonce > highest:
        used = (used << (nonce - highest)) & _MASK
        highest = nonce
    bit = 1 << (highest - nonce)
    if used & bit:
        raise RefusedError("nonce_used", "This nonce was used before.", next_step="Send again with a new nonce.")
    return key, {"max": highest, "used": f"{used | bit:016x}"}
