"""Tables of consent. ``r`` is as good as the identity number and is erased with the withdrawal (AUTH-2)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, String, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["consents", "refusals", "tokens"]

consents = Table(
    "consent",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("consent_id", String(22), nullable=False, unique=True),
    Column("client_reference", String(200), nullable=False, index=True),
    Column("subject", String(120), nullable=False),
    Column("document", LargeBinary, nullable=False),
    Column("status", String(16), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
)

tokens = Table(
    "consent_token",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("cid", LargeBinary, nullable=False, unique=True),
    Column("consent_id", ForeignKey("consent.consent_id"), nullable=False, index=True),
    Column("provider", String(120), nullable=False),
    Column("token", LargeBinary, nullable=False),
    Column("r", LargeBinary),
    Column("grant_bytes", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False, index=True),
    Column("code", String(64), nullable=False),
    Column("queued_ms", BigInteger, nullable=False),
    sqlite_autoincrement=True,
)

refusals = Table(
    "consent_refusal",
    metadata,
    Column("cid", LargeBinary, primary_key=True),
    Column("transaction_bytes", LargeBinary, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
    Column("posted", Boolean, nullable=False, default=False, index=True),
)
