"""``AccessBook`` on the member database: the uses of one consent, as this member gave or had them."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select
from sqlalchemy.dialects.sqlite import insert as upsert

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.accesses import received_bands
from lianzheng.adapters.storage.tables.compute import gate_receipt, received_receipt
from lianzheng.compute.ports import KnownUse
from lianzheng.encoding.canonical import decode_object, encode

__all__ = ["AccessRepository"]


class AccessRepository:
    """Implements ``compute.ports.AccessBook``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def given(self, cid: bytes, skip: int, limit: int) -> list[KnownUse]:
        query = (
            select(gate_receipt.c.request, gate_receipt.c.answer)
            .where(gate_receipt.c.cid == cid)
            .order_by(gate_receipt.c.sequence)
            .offset(skip)
            .limit(limit)
        )
        async with self._database.read() as connection:
            return [KnownUse(row.request, row.answer, None) for row in await connection.execute(query)]

    async def had(self, cid: bytes, skip: int, limit: int) -> list[KnownUse]:
        query = (
            select(received_receipt.c.receipt, received_bands.c.bands)
            .outerjoin(received_bands, received_bands.c.request_hash == received_receipt.c.request_hash)
            .where(received_receipt.c.cid == cid)
            .order_by(received_receipt.c.sequence)
            .offset(skip)
            .limit(limit)
        )
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [KnownUse(None, row.receipt, None if row.bands is None else decode_object(row.bands)) for row in rows]

    async def keep_bands(self, request_hash: bytes, bands: Mapping[str, int]) -> None:
        values = {"request_hash": request_hash, "bands": encode(dict(bands))}
        async with self._database.begin() as connection:
            statement = upsert(received_bands).values(**values)
            await connection.execute(
                statement.on_conflict_do_update(index_elements=["request_hash"], set_={"bands": values["bands"]})
            )
