"""Receipts are found by consent, and a requester keeps the bands that each use has brought it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_table(
        "received_bands",
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("bands", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("request_hash", name=op.f("pk_received_bands")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_gate_receipt_cid", "gate_receipt", ["cid"], unique=False)
    op.create_index("ix_received_receipt_cid", "received_receipt", ["cid"], unique=False)


def downgrade() -> None:
    op.drop_index("ix_received_receipt_cid", "received_receipt")
    op.drop_index("ix_gate_receipt_cid", "gate_receipt")
    op.drop_table("received_bands")
