"""Tables of the suitability slice: local customers, and records that are only ever added."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKeyConstraint, Index, Integer, LargeBinary, String, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["customers", "records"]

customers = Table(
    "customer_record",
    metadata,
    Column("snapshot", Integer, primary_key=True),
    Column("person", Integer, primary_key=True),
    Column("reference", String(32), index=True),
    Column("record", LargeBinary, nullable=False),
    ForeignKeyConstraint(
        ["snapshot", "person"], ["compute_dataset_row.snapshot", "compute_dataset_row.person"], ondelete="CASCADE"
    ),
    sqlite_with_rowid=False,
)

records = Table(
    "suitability_record",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("kind", String(32), nullable=False),
    Column("case_id", String(64), nullable=False, index=True),
    Column("subject", String(128), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("record", LargeBinary, nullable=False),
    Index("suitability_record_subject", "subject", "kind"),
    sqlite_autoincrement=True,
)
