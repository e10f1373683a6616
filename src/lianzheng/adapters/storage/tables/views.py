"""Tables of epochs under construction and of their renewal. Records are what the finished table will hold."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Integer, LargeBinary, String, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["epoch_build", "epoch_chunk", "epoch_rotation"]

epoch_build = Table(
    "compute_epoch_build",
    metadata,
    Column("view", String(130), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("snapshot", Integer, nullable=False),
    Column("loaded_ms", BigInteger, nullable=False),
    Column("software", String(32), nullable=False),
    Column("key_name", String(100), nullable=False),
    Column("salt", LargeBinary(32), nullable=False),
)

epoch_chunk = Table(
    "compute_epoch_chunk",
    metadata,
    Column("view", String(130), ForeignKey("compute_epoch_build.view", ondelete="CASCADE"), primary_key=True),
    Column("last", Integer, primary_key=True),
    Column("people", Integer, nullable=False),
    Column("records", LargeBinary, nullable=False),
)

epoch_rotation = Table(
    "compute_epoch_rotation",
    metadata,
    Column("view", String(130), primary_key=True),
    Column("length_ms", BigInteger, nullable=False),
)
