"""Repository behind ``ledger.sender.Outbox``: signed transactions, durable before they are sent (LED-3)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select, update

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.resume import transaction_outbox as box

__all__ = ["SqlOutbox"]


class SqlOutbox:
    """Implements ``ledger.sender.Outbox``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, act: bytes) -> bytes | None:
        query = select(box.c.wire).where(box.c.act == act)
        return self._database.look(lambda c: c.execute(query).scalar_one_or_none())

    async def put(self, act: bytes, kind: str, wire: bytes, time_ms: int) -> None:
        def work(connection: Connection) -> None:
            connection.execute(delete(box).where(box.c.act == act))
            values = {"act": act, "kind": kind, "wire": wire, "time_ms": time_ms, "settled": 0}
            connection.execute(insert(box).values(**values))

        await self._database.transact(work)

    async def settle(self, act: bytes, keep: bool) -> None:
        mine = box.c.act == act
        change = update(box).where(mine).values(settled=1) if keep else delete(box).where(mine)
        await self._database.transact(lambda c: c.execute(change))

    async def overtake(self, act: bytes) -> None:
        def work(connection: Connection) -> None:
            row = connection.execute(select(box.c.sequence, box.c.kind).where(box.c.act == act)).one_or_none()
            if row is not None:
                upto = (box.c.kind == row.kind, box.c.settled == 0, box.c.sequence <= row.sequence)
                connection.execute(delete(box).where(*upto))

        await self._database.transact(work)

    async def forget(self, before_ms: int) -> None:
        """Bytes that were signed before then are not sent again."""
        await self._database.transact(lambda c: c.execute(delete(box).where(box.c.time_ms < before_ms)))
