"""Checkpoints that this node signed, and the notes that it collected."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    # A database made by 0001 as it was first may have them: it made every table that its software knew.
    op.create_table(
        "checkpoint_signed",
        sa.Column("height", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("height", name=op.f("pk_checkpoint_signed")),
        if_not_exists=True,
    )
    op.create_table(
        "checkpoint_note",
        sa.Column("height", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sa.Column("standing", sa.LargeBinary(), nullable=False),
        sa.Column("made_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("height", name=op.f("pk_checkpoint_note")),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("checkpoint_note")
    op.drop_table("checkpoint_signed")
