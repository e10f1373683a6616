"""``ConsentStore`` and ``RefusalStore`` on the member database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.dialects.sqlite import insert as insert_or
from sqlalchemy.exc import IntegrityError

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.consent import consents, refusals
from lianzheng.adapters.storage.tables.consent import tokens as token_table
from lianzheng.consent.model import Grant
from lianzheng.consent.ports import StoredConsent, StoredToken
from lianzheng.errors import ConflictError

__all__ = ["SqlConsentStore", "SqlRefusalStore"]


class SqlConsentStore:
    """Implements ``consent.ports.ConsentStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, consent: StoredConsent, tokens: Sequence[StoredToken]) -> None:
        try:
            async with self._database.begin() as connection:
                await connection.execute(insert(consents).values(_consent_row(consent)))
                await connection.execute(insert(token_table), [_token_row(token) for token in tokens])
        except IntegrityError as error:
            raise ConflictError("consent_exists", "This consent, or one of its tokens, is here already.") from error

    async def consent(self, consent_id: str) -> StoredConsent | None:
        found = await self._consents(select(consents).where(consents.c.consent_id == consent_id))
        return found[0] if found else None

    async def consents_of(self, client_reference: str) -> tuple[StoredConsent, ...]:
        mine = consents.c.client_reference == client_reference
        return await self._consents(select(consents).where(mine).order_by(consents.c.row))

    async def tokens(self, consent_id: str) -> tuple[StoredToken, ...]:
        return await self._tokens(
            select(token_table).where(token_table.c.consent_id == consent_id).order_by(token_table.c.row)
        )

    async def token(self, cid: bytes) -> StoredToken | None:
        found = await self._tokens(select(token_table).where(token_table.c.cid == cid))
        return found[0] if found else None

    async def queued(self, limit: int) -> tuple[StoredToken, ...]:
        waiting = select(token_table).where(token_table.c.state == "queued").order_by(token_table.c.row).limit(limit)
        return await self._tokens(waiting)

    async def held(self) -> tuple[bytes, ...]:
        query = select(token_table.c.cid).where(token_table.c.state.in_(("granted", "queued")))
        async with self._database.read() as connection:
            return tuple(await connection.scalars(query))

    async def settle(self, codes: Mapping[bytes, str]) -> None:
        async with self._database.begin() as connection:
            for cid, code in codes.items():
                state = "granted" if code == "ok" else "refused"
                # A withdrawal that came meanwhile stands.
                mine = (token_table.c.cid == cid) & (token_table.c.state == "queued")
                await connection.execute(update(token_table).where(mine).values(state=state, code=code))

    async def withdraw(self, cids: Sequence[bytes], *, whole: str | None = None) -> None:
        async with self._database.begin() as connection:
            for cid in cids:
                await connection.execute(
                    update(token_table).where(token_table.c.cid == cid).values(state="revoked", r=None)
                )
            if whole is not None:
                mine = consents.c.consent_id == whole
                await connection.execute(update(consents).where(mine).values(status="withdrawn"))

    async def _consents(self, query: Any) -> tuple[StoredConsent, ...]:
        async with self._database.read() as connection:
            return tuple(
                StoredConsent(
                    row.consent_id, row.client_reference, row.subject, row.document, row.status, row.received_ms
                )
                for row in await connection.execute(query)
            )

    async def _tokens(self, query: Any) -> tuple[StoredToken, ...]:
        async with self._database.read() as connection:
            return tuple(_token(row) for row in await connection.execute(query))


class SqlRefusalStore:
    """Implements ``consent.ports.RefusalStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # Asked at every gate, so held in memory; one process owns the database. What is added while the rest is
        # being read must not be lost, so it stands by itself.
        self._stored: set[bytes] | None = None
        self._added: set[bytes] = set()

    async def add_refusal(self, cid: bytes, transaction: bytes, time_ms: int) -> bool:
        row = {"cid": cid, "transaction_bytes": transaction, "time_ms": time_ms, "posted": False}
        async with self._database.begin() as connection:
            done = await connection.execute(insert_or(refusals).on_conflict_do_nothing().values(row))
        self._added.add(cid)
        return done.rowcount == 1

    async def is_refused(self, cid: bytes) -> bool:
        if self._stored is None:
            async with self._database.read() as connection:
                self._stored = set(await connection.scalars(select(refusals.c.cid)))
        return cid in self._stored or cid in self._added

    async def unposted(self, limit: int) -> tuple[tuple[bytes, bytes], ...]:
        query = (
            select(refusals.c.cid, refusals.c.transaction_bytes)
            .where(refusals.c.posted.is_(False))
            .order_by(refusals.c.time_ms)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return tuple((row.cid, row.transaction_bytes) for row in await connection.execute(query))

    async def mark_posted(self, cid: bytes) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(refusals).where(refusals.c.cid == cid).values(posted=True))


def _consent_row(consent: StoredConsent) -> dict[str, Any]:
    return {
        "consent_id": consent.consent_id,
        "client_reference": consent.client_reference,
        "subject": consent.subject,
        "document": consent.document,
        "status": consent.status,
        "received_ms": consent.received_ms,
    }


def _token_row(token: StoredToken) -> dict[str, Any]:
    return {
        "cid": token.cid,
        "consent_id": token.consent_id,
        "provider": token.provider,
        "token": token.token,
        "r": token.r,
        "grant_bytes": token.grant.to_bytes(),
        "state": token.state,
        "code": token.code,
        "queued_ms": token.queued_ms,
    }


def _token(row: Any) -> StoredToken:
    return StoredToken(
        cid=row.cid,
        consent_id=row.consent_id,
        provider=row.provider,
        token=row.token,
        r=row.r,
        grant=Grant.from_bytes(row.grant_bytes),
        state=row.state,
        code=row.code,
        queued_ms=row.queued_ms,
    )
