"""Tables under construction in finished chunks, and which views' epochs are renewed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    # A database made by 0001 as it was first may have them: it made every table that its software knew.
    op.create_table(
        "compute_epoch_build",
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("snapshot", sa.Integer(), nullable=False),
        sa.Column("loaded_ms", sa.BigInteger(), nullable=False),
        sa.Column("software", sa.String(length=32), nullable=False),
        sa.Column("key_name", sa.String(length=100), nullable=False),
        sa.Column("salt", sa.LargeBinary(length=32), nullable=False),
        sa.PrimaryKeyConstraint("view", name=op.f("pk_compute_epoch_build")),
        if_not_exists=True,
    )
    op.create_table(
        "compute_epoch_chunk",
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("last", sa.Integer(), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("records", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["view"], ["compute_epoch_build.view"], name=op.f("fk_compute_epoch_chunk_view"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("view", "last", name=op.f("pk_compute_epoch_chunk")),
        if_not_exists=True,
    )
    op.create_table(
        "compute_epoch_rotation",
        sa.Column("view", sa.String(length=130), nullable=False),
        sa.Column("length_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("view", name=op.f("pk_compute_epoch_rotation")),
        if_not_exists=True,
    )


def downgrade() -> None:
    op.drop_table("compute_epoch_rotation")
    op.drop_table("compute_epoch_chunk")
    op.drop_table("compute_epoch_build")
