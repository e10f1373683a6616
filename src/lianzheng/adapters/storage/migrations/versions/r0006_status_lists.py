"""Status lists, their entries, and which credentials this node issued."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "credential_issued",
        sa.Column("credential_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=300), nullable=False),
        sa.Column("digest", sa.LargeBinary(length=32), nullable=False),
        sa.Column("time_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("credential_id", name=op.f("pk_credential_issued")),
    )
    op.create_index(op.f("ix_credential_issued_subject"), "credential_issued", ["subject"], unique=False)
    op.create_table(
        "status_list",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("purpose", sa.String(length=40), nullable=False),
        sa.Column("url", sa.String(length=400), nullable=False),
        sa.Column("bits", sa.LargeBinary(), nullable=False),
        sa.Column("changes", sa.Integer(), nullable=False),
        sa.Column("published", sa.LargeBinary(), nullable=True),
        sa.Column("published_changes", sa.Integer(), nullable=False),
        sa.Column("pending", sa.LargeBinary(), nullable=True),
        sa.Column("pending_changes", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_status_list")),
        sa.UniqueConstraint("purpose", "number", name=op.f("uq_status_list_purpose_number")),
    )
    op.create_table(
        "status_entry",
        sa.Column("list", sa.String(length=40), nullable=False),
        sa.Column("index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("credential_id", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["list"], ["status_list.name"], name=op.f("fk_status_entry_list")),
        sa.PrimaryKeyConstraint("list", "index", name=op.f("pk_status_entry")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_status_entry_credential_id", "status_entry", ["credential_id"], unique=False)


def downgrade() -> None:
    for table in ("status_entry", "status_list", "credential_issued"):
        op.drop_table(table)
