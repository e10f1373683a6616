"""Repositories of compute: datasets, epochs, and tables of other members; the counts stand in ``gate``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, true, update
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.compute import dataset_row, dataset_snapshot, peer_table, person, view_epoch
from lianzheng.compute.ports import DatasetLoad, EpochStatus, LocalEpoch, StoredPerson
from lianzheng.compute.views.model import EpochCommit
from lianzheng.encoding.canonical import decode_object, encode
from lianzheng.errors import ConflictError, NotFoundError

__all__ = ["DatasetRepository", "EpochRepository", "PeerTableRepository"]

_CHUNK = 500
"""Rows of one statement: SQLite takes 32,766 parameters, PostgreSQL as many."""
_PURGE = 5_000
"""Rows deleted in one transaction: some ten milliseconds in which the gate waits."""


class DatasetRepository:
    """Implements ``compute.ports.DatasetStore``.

    A load writes its rows under a new snapshot in short transactions, so that the gate keeps counting meanwhile, and
    becomes visible in one.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin_load(self, dataset: str, as_of: str, digest: bytes | None = None, skipped: int = 0) -> int:
        row = {
            "dataset": dataset,
            "as_of": as_of,
            "status": "loading",
            "people": 0,
            "loaded_ms": 0,
            "digest": digest,
            "skipped": skipped,
        }
        async with self._database.begin() as connection:
            statement = insert(dataset_snapshot).values(**row).returning(dataset_snapshot.c.snapshot)
            return int((await connection.execute(statement)).scalar_one())

    async def elements(self, idnorms: Sequence[bytes]) -> dict[bytes, bytes]:
        found: dict[bytes, bytes] = {}
        async with self._database.read() as connection:
            for start in range(0, len(idnorms), _CHUNK):
                query = select(person.c.idnorm, person.c.element).where(
                    person.c.idnorm.in_(idnorms[start : start + _CHUNK])
                )
                found.update((row.idnorm, row.element) for row in await connection.execute(query))
        return found

    async def add_people(self, snapshot: int, people: Sequence[StoredPerson]) -> None:
        for start in range(0, len(people), _CHUNK):
            await self._add_chunk(snapshot, people[start : start + _CHUNK])

    async def _add_chunk(self, snapshot: int, people: Sequence[StoredPerson]) -> None:
        new = [{"idnorm": row.idnorm, "element": row.element} for row in people]
        async with self._database.begin() as connection:
            await connection.execute(upsert(person).on_conflict_do_nothing(), new)
            query = select(person.c.idnorm, person.c.id).where(person.c.idnorm.in_([row.idnorm for row in people]))
            ids = {row.idnorm: row.id for row in await connection.execute(query)}
            rows = [
                {"snapshot": snapshot, "person": ids[row.idnorm], "amounts": encode(dict(row.amounts))}
                for row in people
            ]
            try:
                await connection.execute(insert(dataset_row), rows)
            except IntegrityError as error:
                raise ConflictError("person_duplicate", "A person stands in the source twice.") from error

    async def finish_load(self, snapshot: int, now_ms: int) -> DatasetLoad:
        async with self._database.begin() as connection:
            query = select(dataset_snapshot).where(
                dataset_snapshot.c.snapshot == snapshot, dataset_snapshot.c.status == "loading"
            )
            found = (await connection.execute(query)).one_or_none()
            if found is None:
                raise NotFoundError("snapshot_unknown", "This load was abandoned or finished before.")
            count = select(func.count()).select_from(dataset_row).where(dataset_row.c.snapshot == snapshot)
            people = int((await connection.execute(count)).scalar_one())
            await connection.execute(
                update(dataset_snapshot)
                .where(dataset_snapshot.c.dataset == found.dataset, dataset_snapshot.c.status == "current")
                .values(status="replaced")
            )
            await connection.execute(
                update(dataset_snapshot)
                .where(dataset_snapshot.c.snapshot == snapshot)
                .values(status="current", people=people, loaded_ms=now_ms)
            )
        return DatasetLoad(found.dataset, snapshot, found.as_of, people, now_ms, found.digest, found.skipped)

    async def abandon_load(self, snapshot: int) -> None:
        await self._replace(dataset_snapshot.c.snapshot == snapshot)
        await self.purge()

    async def abandon_unfinished(self) -> None:
        await self._replace(true())
        await self.purge()

    async def purge(self) -> None:
        query = select(dataset_snapshot.c.snapshot).where(dataset_snapshot.c.status == "replaced")
        async with self._database.read() as connection:
            replaced = list(await connection.scalars(query))
        for snapshot in replaced:
            while await self._purge_step(snapshot):
                pass
        if replaced:
            await self._purge_orphans()

    async def _replace(self, condition: Any) -> None:
        statement = update(dataset_snapshot).where(condition, dataset_snapshot.c.status == "loading")
        async with self._database.begin() as connection:
            await connection.execute(statement.values(status="replaced"))

    async def _purge_step(self, snapshot: int) -> bool:
        """Some rows of a load that no reader sees; True while there are more."""
        first = select(dataset_row.c.person).where(dataset_row.c.snapshot == snapshot).limit(_PURGE)
        rows = delete(dataset_row).where(dataset_row.c.snapshot == snapshot, dataset_row.c.person.in_(first))
        async with self._database.begin() as connection:
            gone = (await connection.execute(rows)).rowcount
            if gone < _PURGE:
                await connection.execute(delete(dataset_snapshot).where(dataset_snapshot.c.snapshot == snapshot))
        return bool(gone == _PURGE)

    async def _purge_orphans(self) -> None:
        """People who stand in no snapshot any more are deleted: storage limitation."""
        used = select(dataset_row.c.person).where(dataset_row.c.person == person.c.id)
        async with self._database.read() as connection:
            last = int((await connection.scalar(select(func.max(person.c.id)))) or 0)
        for after in range(0, last, _PURGE):
            chunk = person.c.id.between(after + 1, after + _PURGE)
            async with self._database.begin() as connection:
                await connection.execute(delete(person).where(chunk, ~used.exists()))

    async def current(self, dataset: str) -> DatasetLoad | None:
        query = select(dataset_snapshot).where(
            dataset_snapshot.c.dataset == dataset, dataset_snapshot.c.status == "current"
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            return None
        return DatasetLoad(row.dataset, row.snapshot, row.as_of, row.people, row.loaded_ms, row.digest, row.skipped)

    async def people(self, dataset: str) -> AsyncIterator[list[StoredPerson]]:
        query = (
            _rows()
            .where(dataset_snapshot.c.dataset == dataset, dataset_snapshot.c.status == "current")
            .order_by(person.c.id)
        )
        async with self._database.read() as connection:
            after = 0
            while rows := (await connection.execute(query.where(person.c.id > after).limit(_CHUNK))).all():
                yield [_stored(row) for row in rows]
                after = rows[-1].id

    async def person(self, dataset: str, idnorm: bytes) -> StoredPerson | None:
        query = _rows().where(
            dataset_snapshot.c.dataset == dataset,
            dataset_snapshot.c.status == "current",
            person.c.idnorm == idnorm,
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _stored(row)


def _rows() -> Any:
    return (
        select(person.c.id, person.c.idnorm, person.c.element, dataset_row.c.amounts)
        .join(dataset_row, dataset_row.c.person == person.c.id)
        .join(dataset_snapshot, dataset_snapshot.c.snapshot == dataset_row.c.snapshot)
    )


def _stored(row: Any) -> StoredPerson:
    return StoredPerson(row.idnorm, row.element, decode_object(row.amounts))


class EpochRepository:
    """Implements ``compute.ports.EpochStore``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, epoch: LocalEpoch, table: bytes) -> None:
        values = {
            "view": epoch.commit.view,
            "epoch": epoch.commit.epoch,
            "snapshot": epoch.snapshot,
            "key_name": epoch.key_name,
            "status": epoch.status,
            "answers": epoch.answers,
            "commit_bytes": epoch.commit.to_bytes(),
            "table_bytes": table,
        }
        async with self._database.begin() as connection:
            try:
                await connection.execute(insert(view_epoch).values(**values))
            except IntegrityError as error:
                raise ConflictError("epoch_exists", "This node has an epoch of this number.") from error

    async def set_status(self, view: str, epoch: int, status: EpochStatus) -> None:
        values: dict[str, Any] = {"status": status}
        if status == "erased":
            values["table_bytes"] = None
        statement = update(view_epoch).where(view_epoch.c.view == view, view_epoch.c.epoch == epoch).values(**values)
        async with self._database.begin() as connection:
            if (await connection.execute(statement)).rowcount != 1:
                raise NotFoundError("epoch_unknown", "This node has no such epoch.")

    async def drop(self, view: str, epoch: int) -> None:
        async with self._database.begin() as connection:
            await connection.execute(delete(view_epoch).where(view_epoch.c.view == view, view_epoch.c.epoch == epoch))

    async def get(self, view: str, epoch: int) -> LocalEpoch | None:
        found = await self._select(view_epoch.c.view == view, view_epoch.c.epoch == epoch)
        return found[0] if found else None

    async def all(self) -> list[LocalEpoch]:
        return await self._select()

    async def table(self, view: str, epoch: int) -> bytes | None:
        query = select(view_epoch.c.table_bytes).where(view_epoch.c.view == view, view_epoch.c.epoch == epoch)
        async with self._database.read() as connection:
            value: bytes | None = (await connection.execute(query)).scalar_one_or_none()
        return value

    async def end_open(self) -> list[tuple[str, int]]:
        open_ = view_epoch.c.status.in_(("built", "committed", "published"))
        async with self._database.begin() as connection:
            rows = (await connection.execute(select(view_epoch.c.view, view_epoch.c.epoch).where(open_))).all()
            await connection.execute(update(view_epoch).where(open_).values(status="ended"))
        return [(row.view, row.epoch) for row in rows]

    async def _select(self, *conditions: Any) -> list[LocalEpoch]:
        columns = [column for column in view_epoch.c if column.name != "table_bytes"]
        query = select(*columns).where(*conditions).order_by(view_epoch.c.view, view_epoch.c.epoch)
        async with self._database.read() as connection:
            rows = (await connection.execute(query)).all()
        return [
            LocalEpoch(EpochCommit.from_bytes(row.commit_bytes), row.snapshot, row.key_name, row.status, row.answers)
            for row in rows
        ]


class PeerTableRepository:
    """Implements ``compute.ports.TableCache``."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def get(self, view: str, epoch: int) -> bytes | None:
        query = select(peer_table.c.table_bytes).where(peer_table.c.view == view, peer_table.c.epoch == epoch)
        async with self._database.read() as connection:
            value: bytes | None = (await connection.execute(query)).scalar_one_or_none()
        return value

    async def put(self, view: str, epoch: int, table: bytes, until_ms: int) -> None:
        values = {"view": view, "epoch": epoch, "table_bytes": table, "until_ms": until_ms}
        async with self._database.begin() as connection:
            await connection.execute(upsert(peer_table).values(**values).on_conflict_do_nothing())

    async def forget(self, before_ms: int) -> None:
        async with self._database.begin() as connection:
            await connection.execute(delete(peer_table).where(peer_table.c.until_ms < before_ms))
