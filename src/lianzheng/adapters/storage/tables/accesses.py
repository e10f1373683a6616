"""What a person asks about the uses of a consent: receipts by cid, and the bands that a requester has read."""

from __future__ import annotations

from sqlalchemy import Column, Index, LargeBinary, Table

from lianzheng.adapters.storage.tables._base import metadata
from lianzheng.adapters.storage.tables.compute import gate_receipt, received_receipt

__all__ = ["received_bands"]

received_bands = Table(
    "received_bands",
    metadata,
    Column("request_hash", LargeBinary(32), primary_key=True),
    Column("bands", LargeBinary, nullable=False),
    sqlite_with_rowid=False,
)

Index("ix_gate_receipt_cid", gate_receipt.c.cid)
Index("ix_received_receipt_cid", received_receipt.c.cid)
