"""``CustomerStore`` and ``SuitabilityStore`` on the member database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Select, delete, insert, select
from sqlalchemy.exc import IntegrityError

from lianzheng.adapters.storage.database import Database
from lianzheng.adapters.storage.tables.suitability import customers, records, sources
from lianzheng.encoding.canonical import JsonObject, decode_object, encode
from lianzheng.errors import ConflictError, NotFoundError
from lianzheng.suitability.customers import CustomerRecord

__all__ = ["SqlCustomerStore", "SqlSuitabilityStore"]

_BATCH_ROWS = 10_000
_PLAIN = tuple(field.name for field in fields(CustomerRecord) if field.name != "idnorm")


class SqlCustomerStore:
    """Customers of each data set; a load replaces the whole set in one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def replace_customers(self, dataset: str, records: Sequence[CustomerRecord], digest: bytes) -> None:
        try:
            async with self._database.begin() as connection:
                await connection.execute(delete(customers).where(customers.c.dataset == dataset))
                await connection.execute(delete(sources).where(sources.c.dataset == dataset))
                await connection.execute(insert(sources).values(dataset=dataset, digest=digest, count=len(records)))
                for start in range(0, len(records), _BATCH_ROWS):
                    rows = [_row(dataset, record) for record in records[start : start + _BATCH_ROWS]]
                    await connection.execute(insert(customers), rows)
        except IntegrityError as error:
            raise ConflictError("customer_duplicate", "A source names one person twice; nothing was loaded.") from error

    async def datasets(self) -> list[str]:
        async with self._database.read() as connection:
            return list(await connection.scalars(select(sources.c.dataset).order_by(sources.c.dataset)))

    async def customer(self, dataset: str, idnorm: bytes) -> CustomerRecord:
        query = select(customers).where(customers.c.dataset == dataset, customers.c.idnorm == idnorm)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        if row is None:
            raise NotFoundError("customer_unknown", "No customer of this data set has this identity.")
        return _customer(row.idnorm, row.record)

    async def customers(self, dataset: str) -> list[CustomerRecord]:
        query = select(customers).where(customers.c.dataset == dataset).order_by(customers.c.idnorm)
        async with self._database.read() as connection:
            return [_customer(row.idnorm, row.record) for row in await connection.execute(query)]


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


def _row(dataset: str, record: CustomerRecord) -> dict[str, object]:
    plain = {name: getattr(record, name) for name in _PLAIN}
    return {"dataset": dataset, "idnorm": record.idnorm, "record": encode(plain)}


def _customer(idnorm: bytes, data: bytes) -> CustomerRecord:
    plain = decode_object(data)
    return CustomerRecord(idnorm=idnorm, **(plain | {"products_traded": tuple(plain["products_traded"])}))
