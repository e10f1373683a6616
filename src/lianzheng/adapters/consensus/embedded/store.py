"""Blocks on disk: SQLite in WAL mode, ``synchronous=FULL``, written by one thread of its own."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.embedded.faults import ledger_stopped
from lianzheng.adapters.consensus.embedded.highwater import HighWater
from lianzheng.errors import ConfigError

__all__ = ["BlockRow", "BlockStore"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS genesis (digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    height INTEGER PRIMARY KEY, block BLOB NOT NULL, events BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS transactions (
    tx_id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deltas (height INTEGER PRIMARY KEY, delta BLOB NOT NULL);
"""
"""``deltas`` has what each block since the last checkpoint changed (LED-9); a database without it is replayed."""


@dataclass(frozen=True, slots=True)
class BlockRow:
    """All that one block adds to the database; one database transaction."""

    height: int
    head_hash: bytes
    block: bytes
    events: bytes
    delta: bytes
    transactions: Sequence[tuple[bytes, int]]
    """Id and position of each transaction that can never stand again."""


class BlockStore:
    """Append-only; reads run on the caller's thread and never wait for the writer (WAL)."""

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
            await self._in_writer(self._set_genesis, genesis)
        elif row[0] != genesis:
            raise ConfigError(
                "genesis_mismatch",
                f"{self._database} belongs to a network with another genesis.",
                next_step="Point the node at the data folder of this network.",
            )

    async def append(self, row: BlockRow) -> None:
        """Make a block durable, then note its height outside the database. Raises ``sqlite3.Error``, ``OSError``."""
        await self._in_writer(self._append, row)

    def blocks(self, from_height: int, limit: int, bytes_max: int) -> list[bytes]:
        """Blocks in order, at least one if there is one, ending before their sum exceeds ``bytes_max``."""
        found: list[bytes] = []
        total = 0
        query = "SELECT block FROM blocks WHERE height >= ? ORDER BY height LIMIT ?"
        for (block,) in self._reader.execute(query, (from_height, limit)):
            total += len(block)
            if found and total > bytes_max:
                break
            found.append(block)
        return found

    def blocks_above(self, height: int) -> Iterator[tuple[bytes, bytes | None]]:
        """Every block above ``height`` in order, with its changes where they are kept."""
        query = (
            "SELECT block, delta FROM blocks LEFT JOIN deltas USING (height) WHERE blocks.height > ?"
            " ORDER BY blocks.height"
        )
        yield from self._reader.execute(query, (height,))

    async def forget_deltas(self, height: int) -> None:
        """Drop the changes up to ``height``: a checkpoint holds them. Raises ``sqlite3.Error``."""
        await self._in_writer(self._forget_deltas, height)

    async def begin(self, height: int, head_hash: bytes, block: bytes) -> None:
        """Begin with a block whose state came with a snapshot; its events are not known here.

        Raises ``sqlite3.Error``, ``OSError``.
        """
        await self._in_writer(self._begin, height, head_hash, block)

    def lowest(self) -> int | None:
        """The lowest height on disk, or None."""
        (height,) = self._reader.execute("SELECT MIN(height) FROM blocks").fetchone()
        return None if height is None else int(height)

    def events(self, height: int) -> bytes | None:
        """Canonical JSON of the events of one block, or None."""
        row = self._reader.execute("SELECT events FROM blocks WHERE height = ?", (height,)).fetchone()
        return None if row is None else bytes(row[0])

    def find(self, tx_id: bytes) -> tuple[int, int] | None:
        """Height and position of a transaction, or None."""
        row = self._reader.execute("SELECT height, position FROM transactions WHERE tx_id = ?", (tx_id,)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    async def close(self) -> None:
        """Finish what is being written and release the files."""
        if self._write_connection is not None:
            await self._in_writer(self._write_connection.close)
        self._writer.shutdown(wait=True)
        if self._read_connection is not None:
            self._read_connection.close()
        self._water.close()

    @property
    def _reader(self) -> sqlite3.Connection:
        return _opened(self._read_connection)

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
        connection.executescript(_SCHEMA)
        self._write_connection = connection

    def _set_genesis(self, digest: bytes) -> None:
        _opened(self._write_connection).execute("INSERT INTO genesis VALUES (?)", (digest,))

    def _forget_deltas(self, height: int) -> None:
        _opened(self._write_connection).execute("DELETE FROM deltas WHERE height <= ?", (height,))

    def _begin(self, height: int, head_hash: bytes, block: bytes) -> None:
        _opened(self._write_connection).execute("INSERT INTO blocks VALUES (?, ?, ?)", (height, block, b"[]"))
        self._water.write(height, head_hash)

    def _append(self, row: BlockRow) -> None:
        connection = _opened(self._write_connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("INSERT INTO blocks VALUES (?, ?, ?)", (row.height, row.block, row.events))
            connection.execute("INSERT INTO deltas VALUES (?, ?)", (row.height, row.delta))
            connection.executemany(
                "INSERT OR IGNORE INTO transactions VALUES (?, ?, ?)",
                [(tx_id, row.height, position) for tx_id, position in row.transactions],
            )
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._water.write(row.height, row.head_hash)


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise ledger_stopped()
    return connection
