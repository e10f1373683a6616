"""``EvidenceRepository`` on the member database."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from lianzheng.adapters.storage.database import Database, driver
from lianzheng.adapters.storage.tables.evidence import batches, documents, records
from lianzheng.errors import ConflictError
from lianzheng.evidence.model import AnchorPayload, EvidenceRecord, LeafPair, Promise
from lianzheng.evidence.ports import Batch, CaseEnd, NewRecord, PlacedRecord, StoredRecord

__all__ = ["SqlEvidenceRepository"]

_LEAVES = (records.c.leaf_sha256, records.c.leaf_sm3)
_PLACED = select(records, batches).outerjoin(batches, records.c.batch == batches.c.number)
_PEEKS_MAX = 8
"""Point reads that take no longer than handing them to a thread."""
# As text: records come in by the thousand.
_ADD_DOCUMENT = "INSERT INTO evidence_document (sha256, data) VALUES (?,?) ON CONFLICT DO NOTHING"
_ADD_RECORD = (  # in the order of ``NewRecord``
    "INSERT INTO evidence_record (case_id, seq, record, salt, leaf_sha256, leaf_sm3, promise) VALUES (?,?,?,?,?,?,?)"
)
_CASE_END = "SELECT seq, leaf_sha256, leaf_sm3 FROM evidence_record WHERE case_id = ? ORDER BY seq DESC LIMIT 1"


class SqlEvidenceRepository:
    """Rows are only ever added; a row changes when it enters a batch, a batch when it is anchored and final."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, items: Sequence[NewRecord], document_bytes: Mapping[bytes, bytes]) -> None:
        def work(connection: Connection) -> None:
            raw = driver(connection)
            raw.executemany(_ADD_DOCUMENT, document_bytes.items())
            raw.executemany(_ADD_RECORD, items)

        try:
            await self._database.transact(work)
        except sqlite3.IntegrityError as error:
            raise ConflictError("case_order_conflict", "Another record has taken this place in its case.") from error

    async def case_ends(self, case_ids: Sequence[str]) -> dict[str, CaseEnd]:
        wanted = dict.fromkeys(case_ids)

        def work(connection: sqlite3.Connection) -> dict[str, CaseEnd]:
            found = ((case_id, connection.execute(_CASE_END, (case_id,)).fetchone()) for case_id in wanted)
            return {case_id: CaseEnd(*row) for case_id, row in found if row is not None}

        if len(wanted) <= _PEEKS_MAX:
            return self._database.peek(work)
        return await self._database.query(lambda connection: work(driver(connection)))

    async def case(self, case_id: str) -> tuple[PlacedRecord, ...]:
        query = _PLACED.where(records.c.case_id == case_id).order_by(records.c.seq)
        async with self._database.read() as connection:
            return tuple(_placed(row) for row in await connection.execute(query))

    async def find(self, leaf_sha256: bytes) -> PlacedRecord | None:
        async with self._database.read() as connection:
            row = (await connection.execute(_PLACED.where(records.c.leaf_sha256 == leaf_sha256))).first()
        return None if row is None else _placed(row)

    async def cases(self) -> tuple[str, ...]:
        query = select(records.c.case_id).where(records.c.seq == 0).order_by(records.c.row)
        async with self._database.read() as connection:
            return tuple((await connection.scalars(query)).all())

    async def document(self, sha256: bytes) -> bytes | None:
        query = select(documents.c.data).where(documents.c.sha256 == sha256)
        async with self._database.read() as connection:
            data: bytes | None = await connection.scalar(query)
        return data

    async def unbatched(self, limit: int) -> tuple[tuple[int, LeafPair], ...]:
        query = select(records.c.row, *_LEAVES).where(records.c.batch.is_(None)).order_by(records.c.row).limit(limit)
        async with self._database.read() as connection:
            return tuple((row.row, _leaves(row)) for row in await connection.execute(query))

    async def open_batch(self) -> Batch | None:
        query = select(batches).where(batches.c.final.is_(False), batches.c.log_index.is_(None))
        async with self._database.read() as connection:
            row = (await connection.execute(query)).first()
        return None if row is None else _batch(row)

    async def create_batch(self, payload: AnchorPayload, rows: Sequence[int]) -> Batch:
        place = (
            update(records)
            .where(records.c.row == bindparam("at"), records.c.batch.is_(None))
            .values(batch=bindparam("number"), batch_index=bindparam("position"))
        )
        async with self._database.begin() as connection:
            values = {"payload": payload.to_bytes(), "final": False}
            number = (await connection.execute(insert(batches).values(values).returning(batches.c.number))).scalar_one()
            places = [{"at": row, "number": number, "position": index} for index, row in enumerate(rows)]
            await connection.execute(place, places)
        return Batch(number, payload)

    async def replace_payload(self, number: int, payload: AnchorPayload) -> None:
        await self._update_batch(number, payload=payload.to_bytes())

    async def mark_anchored(self, number: int, log_index: int, height: int, time_ms: int) -> None:
        await self._update_batch(number, log_index=log_index, height=height, time_ms=time_ms)

    async def mark_final(self, number: int) -> None:
        await self._update_batch(number, final=True)

    async def unfinal(self) -> tuple[Batch, ...]:
        query = (
            select(batches)
            .where(batches.c.final.is_(False), batches.c.log_index.is_not(None))
            .order_by(batches.c.number)
        )
        async with self._database.read() as connection:
            return tuple(_batch(row) for row in await connection.execute(query))

    async def batch_leaves(self, number: int) -> tuple[LeafPair, ...]:
        query = select(*_LEAVES).where(records.c.batch == number).order_by(records.c.batch_index)
        async with self._database.read() as connection:
            return tuple(_leaves(row) for row in await connection.execute(query))

    async def _update_batch(self, number: int, **values: Any) -> None:
        async with self._database.begin() as connection:
            await connection.execute(update(batches).where(batches.c.number == number).values(values))


def _leaves(row: Any) -> LeafPair:
    return LeafPair(sha256=row.leaf_sha256, sm3=row.leaf_sm3)


def _batch(row: Any) -> Batch:
    payload = AnchorPayload.from_bytes(row.payload)
    return Batch(row.number, payload, row.log_index, row.height, row.time_ms, row.final)


def _placed(row: Any) -> PlacedRecord:
    stored = StoredRecord(
        record=EvidenceRecord.from_bytes(row.record),
        seq=row.seq,
        salt=row.salt,
        leaves=_leaves(row),
        promise=Promise.from_bytes(row.promise),
    )
    return PlacedRecord(stored, None if row.batch is None else _batch(row), row.batch_index)
