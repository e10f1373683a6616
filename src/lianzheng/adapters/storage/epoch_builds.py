"""Repository of tables under construction (GATE-0, PIR-1)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, insert, select
from sqlalchemy.dialects.sqlite import insert as upsert

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.compute import dataset_row, person
from lianzheng.adapters.storage.tables.views import epoch_build, epoch_chunk, epoch_rotation
from lianzheng.compute.views.ports import BuildRow, EpochBuild

__all__ = ["EpochBuildRepository"]

_DROPPED = 50
"""Chunks deleted in one transaction, 3 MB overwritten with zeros: some ten milliseconds in which the gate waits."""


class EpochBuildRepository:
    """Implements ``compute.views.ports.BuildStore`` and ``RotationStore``; each call is one short transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, build: EpochBuild) -> None:
        values = {name: getattr(build, name) for name in EpochBuild.__dataclass_fields__}
        async with self._database.begin() as connection:
            await connection.execute(insert(epoch_build).values(**values))

    async def all(self) -> list[EpochBuild]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(epoch_build).order_by(epoch_build.c.view))).all()
        return [EpochBuild(**row._asdict()) for row in rows]

    async def get(self, view: str) -> EpochBuild | None:
        return next((build for build in await self.all() if build.view == view), None)

    async def rows(self, snapshot: int, after: int, count: int) -> list[BuildRow]:
        query = (
            select(dataset_row.c.person, person.c.element, dataset_row.c.amounts)
            .join(person, person.c.id == dataset_row.c.person)
            .where(dataset_row.c.snapshot == snapshot, dataset_row.c.person > after)
            .order_by(dataset_row.c.person)
            .limit(count)
        )

        def work(connection: Connection) -> list[BuildRow]:
            return [BuildRow(*row) for row in connection.execute(query)]

        return await self._database.query(work)

    async def add_chunk(self, view: str, last: int, people: int, records: bytes) -> None:
        values = {"view": view, "last": last, "people": people, "records": records}

        def work(connection: Connection) -> None:
            connection.execute(insert(epoch_chunk).values(**values))

        await self._database.transact(work)

    async def position(self, view: str) -> tuple[int, int]:
        query = select(func.max(epoch_chunk.c.last), func.sum(epoch_chunk.c.people)).where(epoch_chunk.c.view == view)
        async with self._database.read() as connection:
            last, people = (await connection.execute(query)).one()
        return int(last or 0), int(people or 0)

    async def chunks(self, view: str) -> list[bytes]:
        query = select(epoch_chunk.c.records).where(epoch_chunk.c.view == view).order_by(epoch_chunk.c.last)

        def work(connection: Connection) -> list[bytes]:
            return list(connection.scalars(query))

        return await self._database.query(work)

    async def drop(self, view: str) -> None:
        first = select(epoch_chunk.c.last).where(epoch_chunk.c.view == view).limit(_DROPPED)
        some = delete(epoch_chunk).where(epoch_chunk.c.view == view, epoch_chunk.c.last.in_(first))
        gone = _DROPPED
        while gone == _DROPPED:
            async with self._database.begin() as connection:
                gone = (await connection.execute(some)).rowcount
                if gone < _DROPPED:
                    await connection.execute(delete(epoch_build).where(epoch_build.c.view == view))

    async def set_rotation(self, view: str, length_ms: int) -> None:
        async with self._database.begin() as connection:
            if length_ms:
                statement = upsert(epoch_rotation).values(view=view, length_ms=length_ms)
                await connection.execute(
                    statement.on_conflict_do_update(index_elements=["view"], set_={"length_ms": length_ms})
                )
            else:
                await connection.execute(delete(epoch_rotation).where(epoch_rotation.c.view == view))

    async def rotations(self) -> dict[str, int]:
        async with self._database.read() as connection:
            rows = (await connection.execute(select(epoch_rotation).order_by(epoch_rotation.c.view))).all()
        return {row.view: row.length_ms for row in rows}
