"""The database: settings, one writer, rollback, reopening, file mode."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import Connection, text

from lianzheng.adapters.storage.database import Database, metadata, sqlite_url
from lianzheng.errors import ConfigError


async def test_opens_with_durable_settings_and_every_table(tmp_path: Path) -> None:
    path = tmp_path / "a b%.db"
    database = Database(sqlite_url(path))
    await database.open()
    async with database.read() as connection:
        settings = {
            name: (await connection.execute(text(f"PRAGMA {name}"))).scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        }
        tables = set((await connection.execute(text("SELECT name FROM sqlite_master WHERE type='table'"))).scalars())
    assert settings == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert set(metadata.tables) <= tables
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    await database.close()


async def test_opening_again_keeps_rows_and_opening_many_at_once_works(tmp_path: Path) -> None:
    databases = [Database(sqlite_url(tmp_path / f"{number}.db")) for number in range(4)]
    await asyncio.gather(*(database.open() for database in databases))
    async with databases[0].begin() as connection:
        await connection.execute(text("INSERT INTO compute_person VALUES (1, x'01', x'02')"))
    for database in databases:
        await database.close()
    again = Database(sqlite_url(tmp_path / "0.db"))
    await again.open()
    async with again.read() as connection:
        assert (await connection.execute(text("SELECT count(*) FROM compute_person"))).scalar_one() == 1
    await again.close()


async def test_writers_take_turns_and_an_error_rolls_back(tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()

    async def add_next() -> None:
        async with database.begin() as connection:
            count = (await connection.execute(text("SELECT count(*) FROM compute_person"))).scalar_one()
            await asyncio.sleep(0)  # lets the others try to slip in between reading and writing
            values = {"id": count + 1, "idnorm": bytes([count])}
            await connection.execute(text("INSERT INTO compute_person VALUES (:id, :idnorm, x'00')"), values)

    await asyncio.gather(*(add_next() for _ in range(10)))
    with pytest.raises(KeyError):
        async with database.begin() as connection:
            await connection.execute(text("DELETE FROM compute_person"))
            raise KeyError
    async with database.read() as connection:
        assert (await connection.execute(text("SELECT max(id) FROM compute_person"))).scalar_one() == 10
    await database.close()


@pytest.mark.parametrize("url", ["nonsense", "postgresql+asyncpg://h/d", "sqlite+aiosqlite://", "sqlite:///x.db"])
def test_other_databases_are_refused(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Database(url)
    assert refused.value.code in ("database_url_invalid", "database_url_unsupported")


async def test_works_that_wait_together_share_a_commit_and_fail_apart(tmp_path: Path) -> None:
    """One bad work among many is undone alone; the others are durable, each with its own result."""
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()
    await database.transact(lambda c: c.exec_driver_sql("CREATE TABLE shared (n INTEGER PRIMARY KEY)"))

    def insert(number: int) -> Callable[[Connection], int]:
        def work(connection: Connection) -> int:
            connection.execute(text("INSERT INTO shared VALUES (:number)"), {"number": number})
            if number == 7:
                raise ValueError("seven")
            return number

        return work

    outcomes = await asyncio.gather(
        *(database.transact(insert(number)) for number in range(20)), return_exceptions=True
    )
    assert isinstance(outcomes[7], ValueError)
    assert [outcome for outcome in outcomes if not isinstance(outcome, ValueError)] == [*range(7), *range(8, 20)]
    rows = await database.query(lambda c: [row[0] for row in c.exec_driver_sql("SELECT n FROM shared ORDER BY n")])
    assert rows == [*range(7), *range(8, 20)]
    await database.close()
