"""Repository behind ``identity.status.ports.StatusStore``: an index is taken and a bit is set in one transaction."""

from __future__ import annotations

import secrets

from sqlalchemy import Connection, func, select, update
from sqlalchemy.dialects.sqlite import insert

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.status import entries, issued, lists
from lianzheng.errors import ConflictError, NotFoundError
from lianzheng.identity.status.bitstring import get_status, set_status
from lianzheng.identity.status.ports import IssuedEntry, StoredList

__all__ = ["SqlStatusStore"]

_TRIES = 256


class SqlStatusStore:
    """Implements ``identity.status.ports.StatusStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_list(self, purpose: str) -> StoredList | None:
        query = select(lists.c.name).where(lists.c.purpose == purpose).order_by(lists.c.number.desc()).limit(1)

        def work(connection: Connection) -> StoredList | None:
            name = connection.execute(query).scalar_one_or_none()
            return None if name is None else _load(connection, name)

        return await self._database.query(work)

    async def add_list(self, name: str, purpose: str, url: str, bits: bytes) -> None:
        def work(connection: Connection) -> None:
            number = connection.execute(
                select(func.count()).select_from(lists).where(lists.c.purpose == purpose)
            ).scalar_one()
            values = {"name": name, "number": number, "purpose": purpose, "url": url, "bits": bits}
            counts = {"changes": 0, "published_changes": 0, "pending_changes": 0}
            change = insert(lists).values(**values, **counts).on_conflict_do_nothing(index_elements=["name"])
            connection.execute(change)

        await self._database.transact(work)

    async def load_list(self, name: str) -> StoredList:
        return await self._database.query(lambda connection: _load(connection, name))

    async def names(self) -> tuple[str, ...]:
        query = select(lists.c.name).order_by(lists.c.name)
        return tuple(await self._database.query(lambda connection: connection.execute(query).scalars().all()))

    async def used(self, name: str) -> int:
        query = select(func.count()).select_from(entries).where(entries.c.list == name)
        return await self._database.query(lambda connection: int(connection.execute(query).scalar_one()))

    async def take_index(self, name: str, credential_id: str, entries_max: int) -> int:
        def work(connection: Connection) -> int:
            for _ in range(_TRIES):  # at nine in ten taken it fails once in 10^11
                index = secrets.randbelow(entries_max)
                values = {"list": name, "index": index, "credential_id": credential_id}
                if connection.execute(insert(entries).values(**values).on_conflict_do_nothing()).rowcount == 1:
                    return index
            raise ConflictError(
                "status_list_full", "The status list has hardly a free entry left.", next_step="Open another."
            )

        return await self._database.transact(work)

    async def entries_of(self, credential_id: str) -> tuple[IssuedEntry, ...]:
        query = (
            select(entries.c.list, entries.c.index, lists.c.purpose)
            .join(lists, lists.c.name == entries.c.list)
            .where(entries.c.credential_id == credential_id)
            .order_by(entries.c.list)
        )
        rows = await self._database.query(lambda connection: connection.execute(query).all())
        return tuple(IssuedEntry(credential_id, row[0], row[1], row[2]) for row in rows)

    async def flip(self, entry: IssuedEntry, value: bool) -> bool:
        def work(connection: Connection) -> bool:
            found = _load(connection, entry.name)
            bits = bytearray(found.bits)
            if get_status(bits, entry.index) == int(value):
                return False
            set_status(bits, entry.index, int(value))
            changed = {"bits": bytes(bits), "changes": found.changes + 1}
            connection.execute(update(lists).where(lists.c.name == entry.name).values(**changed))
            return True

        return await self._database.transact(work)

    async def set_pending(self, name: str, document: bytes, changes: int) -> None:
        change = update(lists).where(lists.c.name == name).values(pending=document, pending_changes=changes)
        await self._database.transact(lambda connection: connection.execute(change))

    async def promote(self, name: str) -> None:
        change = (
            update(lists)
            .where(lists.c.name == name, lists.c.pending.is_not(None))
            .values(published=lists.c.pending, published_changes=lists.c.pending_changes, pending=None)
        )
        await self._database.transact(lambda connection: connection.execute(change))

    async def add_issued(self, credential_id: str, kind: str, subject: str, digest: bytes, time_ms: int) -> None:
        values = {"credential_id": credential_id, "kind": kind, "subject": subject, "digest": digest}

        def work(connection: Connection) -> None:
            change = insert(issued).values(**values, time_ms=time_ms).on_conflict_do_nothing()
            if connection.execute(change).rowcount != 1:
                raise ConflictError("credential_exists", "A credential of this id was issued before.")

        await self._database.transact(work)


def _load(connection: Connection, name: str) -> StoredList:
    row = connection.execute(select(lists).where(lists.c.name == name)).one_or_none()
    if row is None:
        raise NotFoundError("status_list_unknown", "This node has no status list of this name.")
    return StoredList(
        name=row.name,
        purpose=row.purpose,
        url=row.url,
        bits=bytes(row.bits),
        changes=row.changes,
        published=None if row.published is None else bytes(row.published),
        published_changes=row.published_changes,
        pending=None if row.pending is None else bytes(row.pending),
        pending_changes=row.pending_changes,
    )
