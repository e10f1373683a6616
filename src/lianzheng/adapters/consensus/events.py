"""What a block says to those who follow the chain, and which of its transactions can never stand again."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.ports import TxResult
from lianzheng.limits import BLOCK_BYTES_MAX

__all__ = ["EVENTS_BYTES_MAX", "block_events", "final_places"]

EVENTS_BYTES_MAX = 4 * BLOCK_BYTES_MAX
"""Of one block's stored events or results, when they are read back."""


def block_events(height: int, time_ms: int, results: Sequence[TxResult]) -> list[JsonObject]:
    """One entry for each transaction that has an origin, in the block's order."""
    return [
        {
            "height": height,
            "time_ms": time_ms,
            "index": index,
            "tx_id": b64u_encode(result.origin.tx_id),
            "kind": result.origin.kind,
            "sender": result.origin.sender,
            "code": result.code,
            "data": result.data,
            "events": list(result.events),
        }
        for index, result in enumerate(results)
        if result.origin is not None
    ]


def final_places(results: Sequence[TxResult]) -> list[tuple[bytes, int]]:
    """Id and position of each transaction that can never stand again."""
    return [
        (result.origin.tx_id, index)
        for index, result in enumerate(results)
        if result.final and result.origin is not None
    ]
