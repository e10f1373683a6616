"""Repository behind ``compute.ports.AskStore``: questions of the requester that were sent and not answered (GATE-8)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.resume import gate_ask as table
from lianzheng.compute.ports import Ask

__all__ = ["AskRepository"]

_COLUMNS = (
    table.c.request_hash, table.c.provider, table.c.task, table.c.cid, table.c.call, table.c.time_ms, table.c.until_ms
)  # fmt: skip


class AskRepository:
    """Implements ``compute.ports.AskStore``; ``ReceiptRepository.save_receipt`` deletes what is answered."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def keep(self, asks: Sequence[Ask]) -> None:
        rows = [
            {
                "request_hash": ask.request_hash,
                "provider": ask.provider,
                "task": ask.task,
                "cid": ask.cid,
                "call": ask.call,
                "time_ms": ask.time_ms,
                "until_ms": ask.until_ms,
                "code": "",
            }
            for ask in asks
        ]
        if rows:
            await self._database.transact(lambda c: c.execute(upsert(table).on_conflict_do_nothing(), rows))

    async def open_for(self, task: bytes, cid: bytes) -> list[Ask]:
        query = _open().where(table.c.cid == cid, table.c.task == task)
        return self._database.look(lambda c: [Ask(*row) for row in c.execute(query)])

    async def open(self) -> list[Ask]:
        return await self._database.query(lambda c: [Ask(*row) for row in c.execute(_open())])

    async def close(self, request_hash: bytes, code: str) -> None:
        mine = table.c.request_hash == request_hash
        await self._database.transact(lambda c: c.execute(update(table).where(mine).values(code=code)))

    async def drop(self, request_hash: bytes) -> None:
        mine = table.c.request_hash == request_hash
        await self._database.transact(lambda c: c.execute(delete(table).where(mine)))

    async def forget(self, before_ms: int) -> None:
        await self._database.transact(lambda c: c.execute(delete(table).where(table.c.until_ms < before_ms)))


def _open() -> Any:
    return select(*_COLUMNS).where(table.c.code == "").order_by(table.c.sequence)
