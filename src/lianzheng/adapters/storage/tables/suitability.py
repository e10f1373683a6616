"""Tables of the suitability slice: local customers, and records that are only ever added."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["customers", "records", "sources"]

sources = Table(
    "customer_source",
    metadata,
    Column("dataset", String(64), primary_key=True),
    Column("digest", LargeBinary, nullable=False),
    Column("count", BigInteger, nullable=False),
)

customers = Table(
    "customer",
    metadata,
    Column("dataset", ForeignKey("customer_source.dataset"), primary_key=True),
    Column("idnorm", LargeBinary, primary_key=True),
    Column("record", LargeBinary, nullable=False),
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
