"""Runs the revisions on the connection, and inside the transaction, that ``Database.open`` hands over."""

from __future__ import annotations

from alembic import context

from lianzheng.adapters.storage.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
