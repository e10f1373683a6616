"""``CustomerStore`` and ``SuitabilityStore`` on the member database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Select, insert, select, update
from sqlalchemy.exc import IntegrityError

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.compute import dataset_snapshot, person
from lianzheng.adapters.storage.tables.suitability import customers as customers_table
from lianzheng.adapters.storage.tables.suitability import records
from lianzheng.encoding.canonical import JsonObject, decode_object, encode
from lianzheng.errors import ConflictError, NotFoundError
from lianzheng.suitability.customers import CustomerRecord

__all__ = ["SqlCustomerStore", "SqlSuitabilityStore"]

_BATCH_ROWS = 500
_PLAIN = tuple(field.name for field in fields(CustomerRecord) if field.name != "idnorm")
_CURRENT = dataset_snapshot.c.status == "current"


class SqlCustomerStore:
    """Implements ``suitability.ports.CustomerStore``: customers stand under the load that brought them.

    They become visible, and vanish, with the rows of that load: ``DatasetRepository.finish_load`` is the one switch.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add_customers(self, snapshot: int, customers: Sequence[tuple[str, CustomerRecord]]) -> None:
        for start in range(0, len(customers), _BATCH_ROWS):
            batch = customers[start : start + _BATCH_ROWS]
            async with self._database.begin() as connection:
                query = select(person.c.idnorm, person.c.id).where(
                    person.c.idnorm.in_([one.idnorm for _, one in batch])
                )
                ids = {row.idnorm: row.id for row in await connection.execute(query)}
                rows = [_row(snapshot, ids[one.idnorm], reference, one) for reference, one in batch]
                try:
                    await connection.execute(insert(customers_table), rows)
                except IntegrityError as error:
                    raise ConflictError("customer_duplicate", "A source names one person twice.") from error

    async def datasets(self) -> list[str]:
        query = select(dataset_snapshot.c.dataset).where(_CURRENT).order_by(dataset_snapshot.c.dataset)
        async with self._database.read() as connection:
            return list(await connection.scalars(query))

    async def customer(self, dataset: str, idnorm: bytes) -> CustomerRecord:
        found = await self._one(dataset_snapshot.c.dataset == dataset, person.c.idnorm == idnorm)
        if found is None:
            raise NotFoundError("customer_unknown", "No customer of this data set has this identity.")
        return found

    async def customer_named(self, reference: str) -> CustomerRecord | None:
        return await self._one(customers_table.c.reference == reference)

    async def name_customers(self, reference_of: Callable[[bytes], str]) -> None:
        query = select(customers_table.c.snapshot, customers_table.c.person, person.c.idnorm).join(
            person, person.c.id == customers_table.c.person
        )
        while True:
            async with self._database.begin() as connection:
                open_ = query.where(customers_table.c.reference.is_(None)).limit(_BATCH_ROWS)
                rows = (await connection.execute(open_)).all()
                for row in rows:
                    await connection.execute(
                        update(customers_table)
                        .where(customers_table.c.snapshot == row.snapshot, customers_table.c.person == row.person)
                        .values(reference=reference_of(row.idnorm))
                    )
            if not rows:
                return

    async def _one(self, *conditions: Any) -> CustomerRecord | None:
        query = (
            select(person.c.idnorm, customers_table.c.record)
            .join(dataset_snapshot, dataset_snapshot.c.snapshot == customers_table.c.snapshot)
            .join(person, person.c.id == customers_table.c.person)
            .where(_CURRENT, *conditions)
            .order_by(dataset_snapshot.c.dataset)
            .limit(1)
        )
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _customer(row.idnorm, row.record)


class SqlSuitabilityStore:
    """Records are added and read; nothing here changes or deletes one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def append(self, kind: str, case_id: str, subject: str, time_ms: int, record: JsonObject) -> int:
        values = {"kind": kind, "case_id": case_id, "subject": subject, "time_ms": time_ms, "record": encode(record)}
        async with self._database.begin() as connection:
            result = await connection.execute(insert(records).values(**values))
        return int(result.lastrowid)

    async def of_subject(self, kind: str, subject: str) -> list[JsonObject]:
        return await self._entries(select(records).where(records.c.subject == subject, records.c.kind == kind))

    async def of_case(self, case_id: str) -> list[JsonObject]:
        return await self._entries(select(records).where(records.c.case_id == case_id))

    async def _entries(self, query: Select[Any]) -> list[JsonObject]:
        async with self._database.read() as connection:
            rows = (await connection.execute(query.order_by(records.c.number))).all()
        return [
            {
                "kind": row.kind,
                "case_id": row.case_id,
                "time_ms": row.time_ms,
                "record": decode_object(row.record),
            }
            for row in rows
        ]


def _row(snapshot: int, number: int, reference: str, record: CustomerRecord) -> dict[str, object]:
    plain = {name: getattr(record, name) for name in _PLAIN}
    return {"snapshot": snapshot, "person": number, "reference": reference, "record": encode(plain)}


def _customer(idnorm: bytes, data: bytes) -> CustomerRecord:
    plain = decode_object(data)
    return CustomerRecord(idnorm=idnorm, **(plain | {"products_traded": tuple(plain["products_traded"])}))
