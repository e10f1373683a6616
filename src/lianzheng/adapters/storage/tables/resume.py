"""What was sent and may have been answered unheard: transactions, and requests at other members' gates."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, LargeBinary, String, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["gate_ask", "transaction_outbox"]

transaction_outbox = Table(
    "transaction_outbox",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("act", LargeBinary(32), nullable=False, unique=True),
    Column("kind", String(64), nullable=False),
    Column("wire", LargeBinary, nullable=False),
    Column("time_ms", Integer, nullable=False, index=True),
    Column("settled", Integer, nullable=False),
)

gate_ask = Table(
    "gate_ask",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("request_hash", LargeBinary(32), nullable=False, unique=True),
    Column("provider", String(100), nullable=False),
    Column("task", LargeBinary(32), nullable=False),
    Column("cid", LargeBinary(32), nullable=False),
    Column("call", LargeBinary, nullable=False),
    Column("time_ms", Integer, nullable=False),
    Column("until_ms", Integer, nullable=False, index=True),
    Column("code", String(64), nullable=False),
    Index("ix_gate_ask_use", "cid", "task"),
)
