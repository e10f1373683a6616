"""Alembic environment and revisions, applied by ``Database.open``."""
