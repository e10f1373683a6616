"""A database of an earlier version is brought up to date with what it holds; a new one is the same schema."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from lianzheng.adapters.storage import database as storage
from lianzheng.adapters.storage.compute import DatasetRepository
from lianzheng.adapters.storage.database import Database, metadata, sqlite_url
from lianzheng.adapters.storage.suitability import SqlCustomerStore
from lianzheng.encoding.canonical import encode
from lianzheng.flows.clients import ClientBook

RECORD = {
    "document_type": "RESIDENT_ID", "country": "CN", "number": "x", "name": "张", "birth_date": "1980-05-20",
    "opened_on": "2020-01-01", "financial_assets_yuan": 5, "leverage_percent": None, "products_traded": ["bonds"],
    "counts": {"I05": 1},
}  # fmt: skip


async def test_the_revisions_make_what_the_code_uses(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "new.db"))
    await database.open()
    async with database.read() as connection:
        found = await connection.run_sync(lambda one: compare_metadata(MigrationContext.configure(one), metadata))
    await database.close()
    assert found == [], "a changed table needs a revision"


def _at_revision(path: Path, revision: str) -> sqlite3.Connection:
    config = Config()
    config.set_main_option("script_location", str(storage._MIGRATIONS).replace("%", "%%"))
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
    return sqlite3.connect(path)


async def test_customers_of_an_earlier_version_stay_known(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    old = _at_revision(path, "0002")
    old.execute("INSERT INTO compute_person VALUES (1, x'01', x'aa'), (2, x'02', x'bb')")
    old.execute("INSERT INTO compute_dataset_snapshot VALUES (7, 'clients', '2026-01-01', 'current', 2, 5)")
    old.executemany(
        "INSERT INTO compute_dataset_row VALUES (7, ?, ?)", [(1, encode({"I01": 5})), (2, encode({"I01": 6}))]
    )
    old.execute("INSERT INTO customer_source VALUES ('clients', x'dd', 1)")
    old.execute("INSERT INTO customer VALUES ('clients', x'01', ?)", (encode(RECORD),))
    old.execute("INSERT INTO customer VALUES ('clients', x'03', ?)", (encode(RECORD),))  # in no row: a crash between
    old.commit()
    old.close()
    database = Database(sqlite_url(path))
    await database.open()
    book = ClientBook(SqlCustomerStore(database), b"key")
    await book.open()
    record = await book.record(book.reference_of(b"\x01"))
    assert (record.name, record.products_traded, dict(record.counts)) == ("张", ("bonds",), {"I05": 1})
    assert await book.find_customer(b"\x03") is None
    rows = DatasetRepository(database)
    load = await rows.current("clients")
    assert load is not None and (load.snapshot, load.people, load.digest, load.skipped) == (7, 2, b"\xdd", 0)
    assert [person.amounts["I01"] async for people in rows.people("clients") for person in people] == [5, 6]
    await database.close()


@pytest.mark.parametrize("revision", ["0001", "0002", "0003"])
async def test_any_earlier_revision_comes_up_to_date(tmp_path: Path, revision: str) -> None:
    _at_revision(tmp_path / "old.db", revision).close()
    database = Database(sqlite_url(tmp_path / "old.db"))
    await database.open()
    async with database.read() as connection:
        assert not await connection.run_sync(lambda one: compare_metadata(MigrationContext.configure(one), metadata))
    await database.close()
