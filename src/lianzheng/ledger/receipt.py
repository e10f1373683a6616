"""Receipts as they travel from the sequencer to a follower."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Bytes32, Natural, Record, TimeMs
from lianzheng.ledger.block import BlockResult
from lianzheng.ledger.ports import Receipt, TxResult

__all__ = ["decode_receipt", "encode_receipt"]


class _ReceiptMessage(Record):
    tx_id: Bytes32
    height: Natural
    index: Natural
    time_ms: TimeMs
    result: BlockResult


def encode_receipt(receipt: Receipt) -> JsonObject:
    """JSON of a receipt."""
    return _ReceiptMessage(
        tx_id=receipt.tx_id,
        height=receipt.height,
        index=receipt.index,
        time_ms=receipt.time_ms,
        result=BlockResult(code=receipt.result.code, data=receipt.result.data),
    ).to_json()


def decode_receipt(value: JsonObject) -> Receipt:
    """Inverse of :func:`encode_receipt`. Raises ``FormatError`` ``field_invalid``."""
    message = _ReceiptMessage.from_json(value)
    result = TxResult(message.result.code, message.result.data)
    return Receipt(message.tx_id, message.height, message.index, message.time_ms, result)
