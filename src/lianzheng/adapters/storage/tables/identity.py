"""Tables of enrolment. Elements are as good as identity numbers: they stay in this database (ID-2)."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, String, Table

from lianzheng.adapters.storage.tables._base import metadata

__all__ = ["challenges", "holders", "issued"]

challenges = Table(
    "enrolment_challenge",
    metadata,
    Column("nonce", LargeBinary, primary_key=True),
    Column("did", String(120), nullable=False),
    Column("expires_ms", BigInteger, nullable=False, index=True),
)

holders = Table(
    "enrolment_holder",
    metadata,
    Column("holder", LargeBinary, primary_key=True),
    Column("element", LargeBinary, nullable=False, index=True),
    Column("did", String(120), nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)

issued = Table(
    "enrolment_issued",
    metadata,
    Column("row", Integer, primary_key=True),
    Column("did", String(120), nullable=False, index=True),
    Column("period", Integer, nullable=False),
    Column("client_reference", String(200), nullable=False),
    Column("credential", LargeBinary, nullable=False),
    Column("time_ms", BigInteger, nullable=False),
)
