"""Customers stand under the load that brought them, so that one switch changes rows and customers together.

A data set whose customers and rows did not come from one load keeps those who are in both; loading it again mends it.
References of customers need the member's key and are filled in when the node starts.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    # Added in place: making the table anew would drop the old one, and its rows' cascade would empty the data sets.
    op.add_column("compute_dataset_snapshot", sa.Column("digest", sa.LargeBinary(), nullable=True))
    op.add_column("compute_dataset_snapshot", sa.Column("skipped", sa.Integer(), nullable=False, server_default="0"))
    op.create_table(
        "customer_record",
        sa.Column("snapshot", sa.Integer(), nullable=False),
        sa.Column("person", sa.Integer(), nullable=False),
        sa.Column("reference", sa.String(length=32), nullable=True),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(
            ["snapshot", "person"],
            ["compute_dataset_row.snapshot", "compute_dataset_row.person"],
            name=op.f("fk_customer_record_snapshot"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("snapshot", "person", name=op.f("pk_customer_record")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_customer_record_reference"), "customer_record", ["reference"])
    op.execute(
        "INSERT INTO customer_record (snapshot, person, reference, record) "
        "SELECT s.snapshot, p.id, NULL, c.record FROM customer c "
        "JOIN compute_dataset_snapshot s ON s.dataset = c.dataset AND s.status = 'current' "
        "JOIN compute_person p ON p.idnorm = c.idnorm "
        "JOIN compute_dataset_row r ON r.snapshot = s.snapshot AND r.person = p.id"
    )
    op.execute(
        "UPDATE compute_dataset_snapshot SET digest = "
        "(SELECT digest FROM customer_source c WHERE c.dataset = compute_dataset_snapshot.dataset) "
        "WHERE status = 'current'"
    )
    op.drop_table("customer")
    op.drop_table("customer_source")


def downgrade() -> None:
    raise NotImplementedError("a load that has replaced another cannot be taken apart again: restore the backup")
