"""The transaction index in an SQLite file of its own, beside the ledger's: deleted, it is built again."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from lianzheng.encoding.binary import b64u_decode
from lianzheng.encoding.canonical import JsonObject, decode_object, encode
from lianzheng.ledger.index import BlockLine, Place, TransactionFilter
from lianzheng.limits import INT_MAX, TRANSACTION_BYTES_MAX

__all__ = ["SqliteTransactionIndex"]

_FORM = 1
"""Of the tables below; a file of another form is built anew."""
_SCHEMA = """
CREATE TABLE IF NOT EXISTS indexed (height INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS entries (
    height INTEGER NOT NULL, position INTEGER NOT NULL, tx_id BLOB NOT NULL, time_ms INTEGER NOT NULL,
    kind TEXT NOT NULL, sender TEXT NOT NULL, code TEXT NOT NULL, event BLOB NOT NULL,
    PRIMARY KEY (height, position)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS entries_tx ON entries (tx_id);
CREATE INDEX IF NOT EXISTS entries_kind ON entries (kind, height, position);
CREATE INDEX IF NOT EXISTS entries_sender ON entries (sender, height, position);
CREATE INDEX IF NOT EXISTS entries_code ON entries (code, height, position) WHERE code <> 'ok';
"""
_EVENT_BYTES_MAX = 8 * TRANSACTION_BYTES_MAX


class SqliteTransactionIndex:
    """``TransactionIndex``; all work runs in one thread of its own."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="explorer")
        self._connection: sqlite3.Connection | None = None
        self._height = 0

    @property
    def height(self) -> int:
        """All blocks up to this one are indexed."""
        return self._height

    async def open(self) -> None:
        """Create or open; a damaged file, or one of another form, is replaced by an empty one."""
        await self._run(self._open_connection)

    async def close(self) -> None:
        """Release the file."""
        if self._connection is not None:
            await self._run(self._connection.close)
            self._connection = None
        self._thread.shutdown(wait=True)

    async def add(self, height: int, events: Sequence[JsonObject]) -> None:
        """Take ``events``, again if they are known; all up to and with ``height`` are there."""
        await self._run(self._add, max(height, self._height), events)
        self._height = max(height, self._height)

    async def get(self, tx_id: bytes) -> JsonObject | None:
        """The engine's event of a transaction, or None; of two places of one transaction, the first that stood."""
        query = "SELECT event FROM entries WHERE tx_id = ? ORDER BY code <> 'ok', height, position LIMIT 1"
        rows = await self._run(self._rows, query, (tx_id,))
        return decode_object(rows[0][0], _EVENT_BYTES_MAX) if rows else None

    async def search(
        self, wanted: TransactionFilter, before: Place | None, limit: int
    ) -> tuple[list[JsonObject], Place | None]:
        """Events, newest first, from just before a place; and where the next page begins."""
        conditions, values = _conditions(wanted)
        if before is not None:
            conditions.append("(height, position) < (?, ?)")
            values += [before.height, before.index]
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        # Every condition is a constant of this file; what was asked for is bound.
        query = f"SELECT event FROM entries {where} ORDER BY height DESC, position DESC LIMIT ?"  # noqa: S608
        rows = await self._run(self._rows, query, (*values, limit + 1))
        found = [decode_object(row[0], _EVENT_BYTES_MAX) for row in rows[:limit]]
        more = len(rows) > limit
        return found, Place(found[-1]["height"], found[-1]["index"]) if more else None

    async def blocks(self, before: int | None, limit: int) -> list[BlockLine]:
        """Blocks with transactions, newest first, below height ``before``."""
        query = (
            "SELECT height, MAX(time_ms), COUNT(*), SUM(code <> 'ok') FROM entries WHERE height < ?"
            " GROUP BY height ORDER BY height DESC LIMIT ?"
        )
        rows = await self._run(self._rows, query, (INT_MAX if before is None else before, limit))
        return [BlockLine(*row) for row in rows]

    async def _run(self, function: Callable[..., Any], *arguments: object) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    def _open(self) -> int:
        try:
            return self._open_file()
        except sqlite3.DatabaseError:
            if self._connection is not None:
                self._connection.close()
            self._path.unlink(missing_ok=True)
            return self._open_file()

    def _open_file(self) -> int:
        connection = self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        # What a crash takes back is indexed again: the ledger is elsewhere.
        connection.execute("PRAGMA synchronous = NORMAL")
        form = connection.execute("PRAGMA user_version").fetchone()[0]
        if form not in (0, _FORM):
            raise sqlite3.DatabaseError("another form")
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version = {_FORM}")
        row = connection.execute("SELECT height FROM indexed").fetchone()
        return 0 if row is None else int(row[0])

    def _add(self, height: int, events: Sequence[JsonObject]) -> None:
        connection = self._open_connection()
        connection.execute("BEGIN")
        try:
            connection.executemany(
                "INSERT OR REPLACE INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [_row(event) for event in events]
            )
            connection.execute("DELETE FROM indexed")
            connection.execute("INSERT INTO indexed VALUES (?)", (height,))
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise

    def _rows(self, query: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        return self._open_connection().execute(query, values).fetchall()

    def _open_connection(self) -> sqlite3.Connection:
        if self._connection is None:
            self._height = self._open()
        return _opened(self._connection)


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise RuntimeError("the index has no connection")
    return connection


def _row(event: JsonObject) -> tuple[Any, ...]:
    names = ("height", "index")
    tx_id = b64u_decode(event["tx_id"], 32)
    plain = (event["time_ms"], event["kind"], event["sender"], event["code"])
    return (*(event[name] for name in names), tx_id, *plain, encode(event))


def _conditions(wanted: TransactionFilter) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []
    if wanted.kind is not None and wanted.kind.endswith("."):
        conditions.append("kind >= ? AND kind < ?")
        values += [wanted.kind, wanted.kind[:-1] + "/"]  # the character after the full stop
    elif wanted.kind is not None:
        conditions.append("kind = ?")
        values.append(wanted.kind)
    for condition, value in (
        ("sender = ?", wanted.sender),
        ("code = ?", wanted.code),
        ("time_ms >= ?", wanted.from_ms),
        ("time_ms < ?", wanted.to_ms),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    return conditions, values
