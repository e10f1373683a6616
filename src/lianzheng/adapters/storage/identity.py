"""``EnrolmentStore`` on the member database."""

from __future__ import annotations

from sqlalchemy import delete, func, insert, select

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.identity import challenges, holders, issued
from lianzheng.errors import ConflictError, RefusedError, UnavailableError
from lianzheng.limits import ENROLMENT_CHALLENGES_MAX

__all__ = ["SqlEnrolmentStore"]


class SqlEnrolmentStore:
    """Implements ``identity.ports.EnrolmentStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_challenge(self, nonce: bytes, did: str, expires_ms: int, now_ms: int) -> None:
        async with self._database.begin() as connection:
            kept = await connection.scalar(select(func.count()).select_from(challenges)) or 0
            if kept >= ENROLMENT_CHALLENGES_MAX:
                gone = await connection.execute(delete(challenges).where(challenges.c.expires_ms < now_ms))
                kept -= gone.rowcount
            if kept >= ENROLMENT_CHALLENGES_MAX:
                raise UnavailableError(
                    "rate_limited", "Too many people enrol just now.", next_step="Try again in a few minutes."
                )
            await connection.execute(insert(challenges).values(nonce=nonce, did=did, expires_ms=expires_ms))

    async def take_challenge(self, nonce: bytes, did: str, now_ms: int) -> None:
        mine = delete(challenges).where(
            challenges.c.nonce == nonce, challenges.c.did == did, challenges.c.expires_ms >= now_ms
        )
        async with self._database.begin() as connection:
            taken = (await connection.execute(mine)).rowcount
            await connection.execute(delete(challenges).where(challenges.c.expires_ms < now_ms))
        if taken != 1:
            raise RefusedError(
                "enrolment_nonce_unknown",
                "The issuer has no such open challenge for this DID.",
                next_step="Ask for a new challenge.",
            )

    async def claim_holder(self, holder: bytes, element: bytes, did: str, time_ms: int) -> None:
        async with self._database.begin() as connection:
            known = await connection.scalar(select(holders.c.element).where(holders.c.holder == holder))
            if known is None:
                await connection.execute(
                    insert(holders).values(holder=holder, element=element, did=did, time_ms=time_ms)
                )
            elif known != element:
                raise ConflictError("holder_key_reused", "This holder key stands with another person.")

    async def add_issued(self, did: str, period: int, client_reference: str, credential: bytes, time_ms: int) -> None:
        row = {
            "did": did,
            "period": period,
            "client_reference": client_reference,
            "credential": credential,
            "time_ms": time_ms,
        }
        async with self._database.begin() as connection:
            await connection.execute(insert(issued).values(row))
