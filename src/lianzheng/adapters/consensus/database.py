"""The database of a node's chain: SQLite in WAL mode, ``synchronous=FULL``, written by one thread of its own.

Reads run on the caller's thread and never wait for the writer (WAL). Each engine adds its tables.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

from lianzheng.adapters.consensus.faults import ledger_stopped
from lianzheng.adapters.consensus.highwater import HighWater
from lianzheng.errors import ConfigError

__all__ = ["ChainDatabase", "insert_places"]

_TABLES = """
CREATE TABLE IF NOT EXISTS genesis (digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS transactions (
    tx_id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL
) WITHOUT ROWID;
"""


class ChainDatabase:
    """Belongs to one network; at most one process has it open."""

    tables: ClassVar[str]
    """SQL that makes the engine's own tables where they are missing."""

    def __init__(self, database: Path, height_file: Path) -> None:
        self._database = database
        self._water = HighWater(height_file)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-writer")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None
        self.served: tuple[int, bytes] | None = None

    async def open(self, genesis: bytes) -> None:
        """Create or open.

        Raises ``ConfigError``: ``genesis_mismatch`` for another network's database, ``ledger_in_use``.
        """
        self.served = self._water.open()
        await self._in_writer(self._open_writer)
        self._read_connection = self._connect()
        row = self._reader.execute("SELECT digest FROM genesis").fetchone()
        if row is None:
            await self._write(lambda connection: connection.execute("INSERT INTO genesis VALUES (?)", (genesis,)))
        elif row[0] != genesis:
            raise ConfigError(
                "genesis_mismatch",
                f"{self._database} belongs to a network with another genesis.",
                next_step="Point the node at the data folder of this network.",
            )

    def find(self, tx_id: bytes) -> tuple[int, int] | None:
        """Height and position of a transaction, or None."""
        row = self._reader.execute("SELECT height, position FROM transactions WHERE tx_id = ?", (tx_id,)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    async def close(self) -> None:
        """Finish what is being written and release the files."""
        if self._write_connection is not None:
            await self._in_writer(self._write_connection.close)
            self._write_connection = None
        self._writer.shutdown(wait=True)
        if self._read_connection is not None:
            self._read_connection.close()
            self._read_connection = None
        self._water.close()

    @property
    def _reader(self) -> sqlite3.Connection:
        return _opened(self._read_connection)

    async def _write(
        self, work: Callable[[sqlite3.Connection], object], applied: tuple[int, bytes] | None = None
    ) -> None:
        """Do ``work`` in one durable transaction; then note height and hash in ``applied`` outside the database.

        Raises ``sqlite3.Error``, with nothing of ``work`` done; ``OSError`` for the note.
        """
        await self._in_writer(self._transact, work, applied)

    def _transact(self, work: Callable[[sqlite3.Connection], object], applied: tuple[int, bytes] | None) -> None:
        connection = _opened(self._write_connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            work(connection)
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        if applied is not None:
            self._water.write(*applied)

    async def _in_writer(self, function: Callable[..., None], *arguments: object) -> None:
        await asyncio.get_running_loop().run_in_executor(self._writer, function, *arguments)

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._database, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA busy_timeout = 5000")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _open_writer(self) -> None:
        self._database.parent.mkdir(parents=True, exist_ok=True)
        connection = self._connect()
        connection.execute("PRAGMA journal_mode = WAL")
        connection.executescript(_TABLES + self.tables)
        self._write_connection = connection


def insert_places(connection: sqlite3.Connection, height: int, transactions: Sequence[tuple[bytes, int]]) -> None:
    """Note where transactions stand, by id and position in their block; an earlier place of one stays."""
    connection.executemany(
        "INSERT OR IGNORE INTO transactions VALUES (?, ?, ?)",
        [(tx_id, height, position) for tx_id, position in transactions],
    )


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise ledger_stopped()
    return connection
