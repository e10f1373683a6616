"""Tables of the evidence slice. Salts and documents stand here and nowhere else (EV-2)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table, UniqueConstraint

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["batches", "documents", "records"]

batches = Table(
    "evidence_batch",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("payload", LargeBinary, nullable=False),
    Column("log_index", BigInteger),
    Column("height", BigInteger),
    Column("time_ms", BigInteger),
    Column("final", Boolean, nullable=False, default=False, index=True),
)

records = Table(
    "evidence_record",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("case_id", String(64), nullable=False),
    Column("seq", Integer, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Column("salt", LargeBinary, nullable=False),
    Column("leaf_sha256", LargeBinary, nullable=False, index=True),
    Column("leaf_sm3", LargeBinary, nullable=False),
    Column("promise", LargeBinary, nullable=False),
    Column("batch", ForeignKey("evidence_batch.number")),
    Column("batch_index", Integer),
    UniqueConstraint("case_id", "seq"),
    UniqueConstraint("batch", "batch_index"),
    sqlite_autoincrement=True,
)

documents = Table(
    "evidence_document",
    metadata,
    Column("sha256", LargeBinary, primary_key=True),
    Column("data", LargeBinary, nullable=False),
)
