"""What this node has signed of the ledger, and the checkpoint notes that it collected (EV-6, B33)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, LargeBinary, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["checkpoint_note", "checkpoint_signed"]

checkpoint_signed = Table(
    "checkpoint_signed",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("text", LargeBinary, nullable=False),
)
"""One text a height, never replaced: this node signs no two of one height."""

checkpoint_note = Table(
    "checkpoint_note",
    metadata,
    Column("height", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("standing", LargeBinary, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
)
