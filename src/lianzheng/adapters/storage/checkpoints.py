"""Repository behind ``ledger.history.CheckpointStore``: durable before anything signed leaves the node."""

from __future__ import annotations

from sqlalchemy import Connection, select
from sqlalchemy.dialects.sqlite import insert

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.checkpoints import checkpoint_note as notes
from lianzheng.adapters.storage.tables.checkpoints import checkpoint_signed as signed
from lianzheng.encoding.canonical import decode_object, encode
from lianzheng.ledger.history import KeptCheckpoint, Standing
from lianzheng.limits import BUNDLE_BYTES_MAX

__all__ = ["SqlCheckpointStore"]


class SqlCheckpointStore:
    """Implements ``ledger.history.CheckpointStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def last_signed(self) -> str | None:
        query = select(signed.c.text).order_by(signed.c.height.desc()).limit(1)
        found = await self._database.query(lambda c: c.execute(query).scalar_one_or_none())
        return None if found is None else bytes(found).decode()

    async def remember(self, height: int, text: str) -> str:
        def work(connection: Connection) -> str:
            values = {"height": height, "text": text.encode()}
            connection.execute(insert(signed).values(**values).on_conflict_do_nothing())
            query = select(signed.c.text).where(signed.c.height == height)
            return bytes(connection.execute(query).scalar_one()).decode()

        return await self._database.transact(work)

    async def keep(self, kept: KeptCheckpoint) -> None:
        values = {
            "height": kept.height,
            "note": kept.note.encode(),
            "standing": encode(kept.standing.to_json()),
            "made_ms": kept.made_ms,
        }
        change = insert(notes).values(**values).on_conflict_do_update(index_elements=["height"], set_=values)
        await self._database.transact(lambda c: c.execute(change))

    async def get(self, height: int | None = None) -> KeptCheckpoint | None:
        query = select(notes).order_by(notes.c.height.desc()).limit(1)
        if height is not None:
            query = query.where(notes.c.height == height)
        row = await self._database.query(lambda c: c.execute(query).one_or_none())
        if row is None:
            return None
        standing = Standing.from_json(decode_object(row.standing, BUNDLE_BYTES_MAX))
        return KeptCheckpoint(row.height, bytes(row.note).decode(), standing, row.made_ms)

    async def page(self, before: int | None, limit: int) -> tuple[tuple[int, str, int], ...]:
        query = select(notes.c.height, notes.c.note, notes.c.made_ms).order_by(notes.c.height.desc()).limit(limit)
        if before is not None:
            query = query.where(notes.c.height < before)
        rows = await self._database.query(lambda c: c.execute(query).all())
        return tuple((row.height, bytes(row.note).decode(), row.made_ms) for row in rows)
