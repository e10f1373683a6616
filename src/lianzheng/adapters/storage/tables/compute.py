"""Tables of compute. Elements and amounts are personal data: they stay in this database (ID-2)."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, Integer, LargeBinary, String, Table, UniqueConstraint

from lianzheng.adapters.storage.tables._base import metadata

__all__ = [
    "dataset_row",
    "dataset_snapshot",
    "gate_nonce",
    "gate_receipt",
    "gate_task",
    "gate_task_use",
    "gate_use",
    "peer_table",
    "person",
    "received_receipt",
    "received_task_salt",
    "view_epoch",
]

person = Table(
    "compute_person",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("idnorm", LargeBinary, nullable=False, unique=True),
    Column("element", LargeBinary(48), nullable=False),
)

dataset_snapshot = Table(
    "compute_dataset_snapshot",
    metadata,
    Column("snapshot", Integer, primary_key=True),
    Column("dataset", String(64), nullable=False, index=True),
    Column("as_of", String(10), nullable=False),
    Column("status", String(16), nullable=False),
    Column("people", Integer, nullable=False),
    Column("loaded_ms", Integer, nullable=False),
    Column("digest", LargeBinary),
    Column("skipped", Integer, nullable=False, server_default="0"),
)

dataset_row = Table(
    "compute_dataset_row",
    metadata,
    Column("snapshot", Integer, ForeignKey("compute_dataset_snapshot.snapshot", ondelete="CASCADE"), primary_key=True),
    Column("person", Integer, ForeignKey("compute_person.id"), primary_key=True),
    Column("amounts", LargeBinary, nullable=False),
    Index("ix_compute_dataset_row_person", "person"),
    sqlite_with_rowid=False,
)

view_epoch = Table(
    "compute_view_epoch",
    metadata,
    Column("view", String(130), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("snapshot", Integer, nullable=False),
    Column("key_name", String(100), nullable=False, unique=True),
    Column("status", String(16), nullable=False),
    Column("answers", Integer, nullable=False),
    Column("commit_bytes", LargeBinary, nullable=False),
    Column("table_bytes", LargeBinary),
)

gate_nonce = Table(
    "gate_nonce",
    metadata,
    Column("requester", String(100), primary_key=True),
    Column("nonce", LargeBinary(32), primary_key=True),
    Column("request_hash", LargeBinary(32), nullable=False),
    Column("time_ms", Integer, nullable=False, index=True),
    sqlite_with_rowid=False,
)

gate_use = Table(
    "gate_use",
    metadata,
    Column("cid", LargeBinary(32), primary_key=True),
    Column("view", String(130), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    sqlite_with_rowid=False,
)

gate_task_use = Table(
    "gate_task_use",
    metadata,
    Column("task", LargeBinary(32), primary_key=True),
    Column("cid", LargeBinary(32), primary_key=True),
    Column("view", String(130), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    sqlite_with_rowid=False,
)

gate_receipt = Table(
    "gate_receipt",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("request_hash", LargeBinary(32), nullable=False, unique=True),
    Column("task", LargeBinary(32), nullable=False, index=True),
    Column("cid", LargeBinary(32), nullable=False),
    Column("request", LargeBinary, nullable=False),
    Column("answer", LargeBinary, nullable=False),
    Column("time_ms", Integer, nullable=False),
)

gate_task = Table(
    "gate_task",
    metadata,
    Column("task", LargeBinary(32), primary_key=True),
    Column("salt", LargeBinary(32), nullable=False),
    Column("uses", Integer, nullable=False),
)

received_receipt = Table(
    "received_receipt",
    metadata,
    Column("sequence", Integer, primary_key=True),
    Column("request_hash", LargeBinary(32), nullable=False),
    Column("task", LargeBinary(32), nullable=False),
    Column("provider", String(100), nullable=False),
    Column("cid", LargeBinary(32), nullable=False),
    Column("receipt", LargeBinary, nullable=False),
    Column("time_ms", Integer, nullable=False),
    UniqueConstraint("provider", "request_hash"),
    Index("ix_received_receipt_task", "task", "provider"),
)

received_task_salt = Table(
    "received_task_salt",
    metadata,
    Column("task", LargeBinary(32), primary_key=True),
    Column("provider", String(100), primary_key=True),
    Column("salt", LargeBinary(32), nullable=False),
)

peer_table = Table(
    "peer_table",
    metadata,
    Column("view", String(130), primary_key=True),
    Column("epoch", Integer, primary_key=True),
    Column("until_ms", Integer, nullable=False, index=True),
    Column("table_bytes", LargeBinary, nullable=False),
)
