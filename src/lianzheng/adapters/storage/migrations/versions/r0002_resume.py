"""The outbox of transactions and the requester's open questions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    # A database made by 0001 as it was first may have them: it made every table that its software knew.
    op.create_table(
        "transaction_outbox",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("act", sa.LargeBinary(length=32), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("wire", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.Column("settled", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_transaction_outbox")),
        sa.UniqueConstraint("act", name=op.f("uq_transaction_outbox_act")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_transaction_outbox_time_ms"), "transaction_outbox", ["time_ms"], if_not_exists=True)
    op.create_table(
        "gate_ask",
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("request_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("provider", sa.String(length=100), nullable=False),
        sa.Column("task", sa.LargeBinary(length=32), nullable=False),
        sa.Column("cid", sa.LargeBinary(length=32), nullable=False),
        sa.Column("call", sa.LargeBinary(), nullable=False),
        sa.Column("time_ms", sa.Integer(), nullable=False),
        sa.Column("until_ms", sa.Integer(), nullable=False),
        sa.Column("code", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("sequence", name=op.f("pk_gate_ask")),
        sa.UniqueConstraint("request_hash", name=op.f("uq_gate_ask_request_hash")),
        if_not_exists=True,
    )
    op.create_index(op.f("ix_gate_ask_until_ms"), "gate_ask", ["until_ms"], if_not_exists=True)
    op.create_index("ix_gate_ask_use", "gate_ask", ["cid", "task"], if_not_exists=True)


def downgrade() -> None:
    op.drop_table("gate_ask")
    op.drop_table("transaction_outbox")
