"""Status lists of this issuer, whose entry is whose, and which credentials it issued (never what they say)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["entries", "issued", "lists"]

lists = Table(
    "status_list",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("purpose", String(40), nullable=False),
    Column("url", String(400), nullable=False),
    Column("bits", LargeBinary, nullable=False),
    Column("changes", Integer, nullable=False),
    Column("published", LargeBinary, nullable=True),
    Column("published_changes", Integer, nullable=False),
    Column("pending", LargeBinary, nullable=True),
    Column("pending_changes", Integer, nullable=False),
    UniqueConstraint("purpose", "number"),
)

issued = Table(
    "credential_issued",
    metadata,
    Column("credential_id", String(200), primary_key=True),
    Column("kind", String(64), nullable=False),
    Column("subject", String(300), nullable=False, index=True),
    Column("digest", LargeBinary(32), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)

entries = Table(
    "status_entry",
    metadata,
    Column("list", String(40), ForeignKey("status_list.name"), primary_key=True),
    Column("index", Integer, primary_key=True, autoincrement=False),
    Column("credential_id", String(200), nullable=False),
    Index("ix_status_entry_credential_id", "credential_id"),
    sqlite_with_rowid=False,
)
"""An index is taken for good, whether or not its credential came to be: nothing is ever said twice with one bit."""
