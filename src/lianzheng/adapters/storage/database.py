"""The member database: one writer at a time, durable commits, schema brought up to date on opening.

SQLite runs in WAL mode with ``synchronous=FULL``: a transaction that has returned survives a power cut, which
GATE-8 and EV-3 rely on. Writers begin with ``BEGIN IMMEDIATE``, so a read inside a write transaction sees what
the write will be based on; a plain ``BEGIN`` would let two requests count the same use.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from lianzheng.adapters.files import open_in_place
from lianzheng.adapters.storage import tables
from lianzheng.errors import ConfigError

__all__ = ["Database", "driver", "metadata", "sqlite_url"]

metadata = tables.metadata

_MIGRATIONS = Path(__file__).parent / "migrations"
_BUSY_TIMEOUT_MS = 10_000
_GROUP_MAX = 64
"""Works in one commit; more would make the first one wait noticeably for the last."""
_WRITE = "lianzheng_write"
_MIGRATING = threading.Lock()
T = TypeVar("T")


def driver(connection: Connection) -> sqlite3.Connection:
    """The driver's connection inside ``connection`` and its transaction, for statements of hot paths."""
    return cast(sqlite3.Connection, connection.connection.driver_connection)


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file."""
    return f"sqlite+aiosqlite:///{path}"


@dataclass(frozen=True, slots=True)
class _Work:
    work: Callable[[Connection], object]
    done: asyncio.Future[object]


class Database:
    """A database that is opened once, migrated, and then handed to the repositories."""

    def __init__(self, url: str) -> None:
        """Raises ``ConfigError`` ``database_url_invalid`` or ``database_url_unsupported``."""
        try:
            parsed = make_url(url)
        except ArgumentError as error:
            raise ConfigError("database_url_invalid", "The database URL cannot be read.") from error
        if parsed.drivername != "sqlite+aiosqlite" or parsed.database in (None, "", ":memory:"):
            raise ConfigError(
                "database_url_unsupported",
                "The database must be a SQLite file.",
                next_step="Use sqlite+aiosqlite:///path/to/node.db",
            )
        self._path = Path(str(parsed.database))
        self._engine: AsyncEngine = create_async_engine(url)
        self._writer = self._engine.execution_options(**{_WRITE: True})
        self._write_lock = asyncio.Lock()
        self._sync_engine = create_engine(parsed.set(drivername="sqlite"))
        self._sync_writer = self._sync_engine.execution_options(**{_WRITE: True})
        self._reader: Connection | None = None
        self._peeker: Connection | None = None
        self._waiting: list[_Work] = []
        self._committer: asyncio.Task[None] | None = None
        for engine in (self._engine.sync_engine, self._sync_engine):
            _listen(engine)

    async def open(self) -> None:
        """Create the file with mode 0600 if it is missing, and bring the schema up to date."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # SQLite gives its -wal and -shm files the mode of the database file.
        os.close(open_in_place(self._path))
        async with self._write_lock:
            await asyncio.to_thread(_run, self._sync_writer, _migrate)

    async def close(self) -> None:
        """Close every connection; the last one folds the WAL back into the file."""
        for connection in (self._reader, self._peeker):
            if connection is not None:
                connection.close()
        self._reader = self._peeker = None
        await self._engine.dispose()
        await asyncio.to_thread(self._sync_engine.dispose)

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """As :meth:`begin` for hot paths: ``work`` runs in one thread, with one hop instead of one a statement.

        ``work`` is committed durably when this returns, rolled back if it raises. Works that wait at the same time
        share one commit, each behind a savepoint of its own: one flush to disk instead of one each. If the caller is
        cancelled, what has begun is still finished.
        """
        mine = _Work(work, asyncio.get_running_loop().create_future())
        self._waiting.append(mine)
        if self._committer is None:
            self._committer = asyncio.create_task(self._commit_waiting(), name="database-committer")
        return cast(T, await asyncio.shield(mine.done))

    async def _commit_waiting(self) -> None:
        try:
            while self._waiting:
                async with self._write_lock:
                    group, self._waiting = self._waiting[:_GROUP_MAX], self._waiting[_GROUP_MAX:]
                    outcomes = await asyncio.to_thread(_run_group, self._sync_writer, group)
                for item, outcome in zip(group, outcomes, strict=True):
                    _settle(item.done, outcome)
        finally:
            self._committer = None

    async def query(self, work: Callable[[Connection], T]) -> T:
        """As :meth:`read` for hot paths; see :meth:`transact`."""
        return await asyncio.to_thread(_run, self._sync_engine, work)

    def look(self, work: Callable[[Connection], T]) -> T:
        """As :meth:`query` in the calling thread, for point reads by primary key and nothing longer.

        Such a read takes less time than handing it to another thread, and a reader never waits for the writer (WAL).
        """
        if self._reader is None:
            self._reader = self._sync_engine.connect()
        with self._reader.begin():
            return work(self._reader)

    def peek(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """As :meth:`look` on the driver itself, each statement by itself: for the few reads of every request.

        Building a statement takes several times as long as such a read.
        """
        if self._peeker is None:
            self._peeker = self._sync_engine.connect()
        return work(driver(self._peeker))

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """One write transaction: committed durably on leaving, rolled back if an error leaves it."""
        async with self._write_lock, self._writer.begin() as connection:
            yield connection

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """One read transaction: a consistent snapshot that no writer waits for."""
        async with self._engine.connect() as connection:
            yield connection


def _prepare_connection(connection: Any, _record: Any) -> None:
    # The driver must not begin transactions by itself: ``_begin`` chooses their kind.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        for pragma in (
            f"busy_timeout={_BUSY_TIMEOUT_MS}",
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
    finally:
        cursor.close()


def _begin(connection: Connection) -> None:
    write = connection.get_execution_options().get(_WRITE, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")


def _listen(engine: Engine) -> None:
    event.listen(engine, "connect", _prepare_connection)
    event.listen(engine, "begin", _begin)


def _settle(done: asyncio.Future[object], outcome: object) -> None:
    if isinstance(outcome, BaseException):
        done.set_exception(outcome)
        done.exception()  # marks it as seen: a caller that was cancelled never looks
    else:
        done.set_result(outcome)


def _run_group(engine: Engine, group: Sequence[_Work]) -> list[object]:
    """What each work gave or raised, in order; where the commit itself fails, its error for every one of them."""
    try:
        with engine.begin() as connection:
            return [_attempt(connection, item.work) for item in group]
    except BaseException as error:  # handed to every waiting caller, who raises it
        return [error] * len(group)


def _attempt(connection: Connection, work: Callable[[Connection], object]) -> object:
    try:
        with connection.begin_nested():
            return work(connection)
    except BaseException as error:
        if connection.invalidated or not connection.in_transaction():
            raise
        return error


def _run(engine: Engine, work: Callable[[Connection], T]) -> T:
    with engine.begin() as connection:
        return work(connection)


def _migrate(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _MIGRATING:  # Alembic keeps the running migration in module globals: one at a time in a process
        command.upgrade(config, "head")
