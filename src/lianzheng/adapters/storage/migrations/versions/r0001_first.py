"""The first schema, written out: later changes of the metadata must not change what this revision makes."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    _compute()
    _gate()
    _received()
    _consent()
    _evidence()
    _identity()
    _suitability()


def downgrade() -> None:
    for table in reversed(_TABLES):
        op.drop_table(table)


def _compute() -> None:
    op.create_table(
        "compute_dataset_snapshot",
        sa.Column("snapshot", sa.Integer(), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("as_of", sa.String(length=10), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("loaded_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("snapshot", name=op.f("pk_compute_dataset_snapshot")),
    )
    op.create_index(op.f("ix_compute_dataset_snapshot_dataset"), "compute_dataset_snapshot", ["dataset"], unique=False)
    op.create_table(
        "compute_person",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("idnorm", sa.LargeBinary(), nullable=False),
        sa.Column("element", sa.LargeBinary(length=48), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_compute_person")),
        sa.UniqueConstraint("idnorm", name=op.f("uq_compute_person_idnorm")),
    )
    op.create_table(
        "compute_view_epoch",
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.Integer(), nullable=False),
        sa.Column("key_name", sa.String(length=100), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("answers", sa.Integer(), nullable=False),
        sa.Column("commit_bytes", sa.LargeBinary(), nullable=False),
        sa.Column("table_bytes", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("view", "epoch", name=op.f("pk_compute_view_epoch")),
        sa.UniqueConstraint("key_name", name=op.f("uq_compute_view_epoch_key_name")),
    )
    op.create_table(
        "compute_dataset_row",
        sa.Column("snapshot", sa.Integer(), nullable=False),
        sa.Column("person", sa.Integer(), nullable=False),
        sa.Column("amounts", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["person"], ["compute_person.id"], name=op.f("fk_compute_dataset_row_person")),
        sa.ForeignKeyConstraint(
            ["snapshot"],
            ["compute_dataset_snapshot.snapshot"],
            name=op.f("fk_compute_dataset_row_snapshot"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("snapshot", "person", name=op.f("pk_compute_dataset_row")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_compute_dataset_row_person", "compute_dataset_row", ["person"], unique=False)


def _gate() -> None:
    op.create_table(
        "gate_nonce",
        sa.Column("requester", sa.String(length=100), nullable=False),
        sa.Column("nonce", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("requester", "nonce", name=op.f("pk_gate_nonce")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_gate_nonce_time_ms"), "gate_nonce", ["time_ms"], unique=False)
    op.create_table(
        "gate_receipt",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("task", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_gate_receipt")),
        sa.UniqueConstraint("request_hash", name=op.f("uq_gate_receipt_request_hash")),
    )
    op.create_index(op.f("ix_gate_receipt_task"), "gate_receipt", ["task"], unique=False)
    op.create_table(
        "gate_task",
        sa.Column("task", sa.LargeBinary(length=32), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task", name=op.f("pk_gate_task")),
    )
    op.create_table(
        "gate_task_use",
        sa.Column("task", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("task", "cid", "view", "epoch", name=op.f("pk_gate_task_use")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "gate_use",
        sa.Column("cid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("cid", "view", "epoch", name=op.f("pk_gate_use")),
        sqlite_with_rowid=False,
    )


def _received() -> None:
    op.create_table(
        "peer_table",
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("until_ms", sa.Integer(), nullable=False),
        sa.Column("table_bytes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("view", "epoch", name=op.f("pk_peer_table")),
    )
    op.create_index(op.f("ix_peer_table_until_ms"), "peer_table", ["until_ms"], unique=False)
    op.create_table(
        "received_receipt",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("task", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provider", sa.String(length=100), nullable=False),
        sa.Column("cid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("receipt", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_received_receipt")),
        sa.UniqueConstraint("provider", "request_hash", name=op.f("uq_received_receipt_provider_request_hash")),
    )
    op.create_index("ix_received_receipt_task", "received_receipt", ["task", "provider"], unique=False)
    op.create_table(
        "received_task_salt",
        sa.Column("task", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provider", sa.String(length=100), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("task", "provider", name=op.f("pk_received_task_salt")),
    )


def _consent() -> None:
    op.create_table(
        "consent",
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("consent_id", sa.String(length=22), nullable=False),
        sa.Column("client_reference", sa.String(length=200), nullable=False),
        sa.Column("subject", sa.String(length=120), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_consent")),
        sa.UniqueConstraint("consent_id", name=op.f("uq_consent_consent_id")),
    )
    op.create_index(op.f("ix_consent_client_reference"), "consent", ["client_reference"], unique=False)
    op.create_table(
        "consent_refusal",
        sa.Column("cid", sa.LargeBinary(), nullable=False),
        sa.Column("transaction_bytes", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("posted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("cid", name=op.f("pk_consent_refusal")),
    )
    op.create_index(op.f("ix_consent_refusal_posted"), "consent_refusal", ["posted"], unique=False)
    op.create_table(
        "consent_token",
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("cid", sa.LargeBinary(), nullable=False),
        sa.Column("consent_id", sa.String(length=22), nullable=False),
        sa.Column("provider", sa.String(length=120), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=False),
        sa.Column("r", sa.LargeBinary(), nullable=True),
        sa.Column("grant_bytes", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.Column("queued_ms", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["consent_id"], ["consent.consent_id"], name=op.f("fk_consent_token_consent_id")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_consent_token")),
        sa.UniqueConstraint("cid", name=op.f("uq_consent_token_cid")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_consent_token_consent_id"), "consent_token", ["consent_id"], unique=False)
    op.create_index(op.f("ix_consent_token_state"), "consent_token", ["state"], unique=False)


def _evidence() -> None:
    op.create_table(
        "evidence_batch",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.Column("height", sa.BigInteger(), nullable=True),
        sa.Column("time_ms", sa.BigInteger(), nullable=True),
        sa.Column("final", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_evidence_batch")),
    )
    op.create_index(op.f("ix_evidence_batch_final"), "evidence_batch", ["final"], unique=False)
    op.create_table(
        "evidence_document",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_evidence_document")),
    )
    op.create_table(
        "evidence_record",
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("leaf_sm3", sa.LargeBinary(), nullable=False),
        sa.Column("promise", sa.LargeBinary(), nullable=False),
        sa.Column("batch", sa.Integer(), nullable=True),
        sa.Column("batch_index", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(["batch"], ["evidence_batch.number"], name=op.f("fk_evidence_record_batch")),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_evidence_record")),
        sa.UniqueConstraint("batch", "batch_index", name=op.f("uq_evidence_record_batch_batch_index")),
        sa.UniqueConstraint("case_id", "seq", name=op.f("uq_evidence_record_case_id_seq")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_evidence_record_leaf_sha256"), "evidence_record", ["leaf_sha256"], unique=False)


def _identity() -> None:
    op.create_table(
        "enrolment_challenge",
        sa.Column("nonce", sa.LargeBinary(), nullable=False),
        sa.Column("did", sa.String(length=120), nullable=False),
        sa.Column("expires_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("nonce", name=op.f("pk_enrolment_challenge")),
    )
    op.create_index(op.f("ix_enrolment_challenge_expires_ms"), "enrolment_challenge", ["expires_ms"], unique=False)
    op.create_table(
        "enrolment_holder",
        sa.Column("holder", sa.LargeBinary(), nullable=False),
        sa.Column("element", sa.LargeBinary(), nullable=False),
        sa.Column("did", sa.String(length=120), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder", name=op.f("pk_enrolment_holder")),
    )
    op.create_index(op.f("ix_enrolment_holder_element"), "enrolment_holder", ["element"], unique=False)
    op.create_table(
        "enrolment_issued",
        sa.Column("row", sa.Integer(), nullable=False),
        sa.Column("did", sa.String(length=120), nullable=False),
        sa.Column("period", sa.Integer(), nullable=False),
        sa.Column("client_reference", sa.String(length=200), nullable=False),
        sa.Column("credential", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("row", name=op.f("pk_enrolment_issued")),
    )
    op.create_index(op.f("ix_enrolment_issued_did"), "enrolment_issued", ["did"], unique=False)


def _suitability() -> None:
    op.create_table(
        "customer_source",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_customer_source")),
    )
    op.create_table(
        "suitability_record",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("case_id", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_suitability_record")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_suitability_record_case_id"), "suitability_record", ["case_id"], unique=False)
    op.create_index("suitability_record_subject", "suitability_record", ["subject", "kind"], unique=False)
    op.create_table(
        "customer",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("idnorm", sa.LargeBinary(), nullable=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["customer_source.dataset"], name=op.f("fk_customer_dataset")),
        sa.PrimaryKeyConstraint("dataset", "idnorm", name=op.f("pk_customer")),
    )


_TABLES = (
    "compute_dataset_snapshot",
    "compute_person",
    "compute_view_epoch",
    "compute_dataset_row",
    "gate_nonce",
    "gate_receipt",
    "gate_task",
    "gate_task_use",
    "gate_use",
    "peer_table",
    "received_receipt",
    "received_task_salt",
    "consent",
    "consent_refusal",
    "consent_token",
    "evidence_batch",
    "evidence_document",
    "evidence_record",
    "enrolment_challenge",
    "enrolment_holder",
    "enrolment_issued",
    "customer_source",
    "suitability_record",
    "customer",
)
