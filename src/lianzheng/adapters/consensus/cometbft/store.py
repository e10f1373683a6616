"""What this node keeps of the chain: one row a block, written in Commit in one database transaction with its height.

SQLite in WAL mode, ``synchronous=FULL``, written by one thread of its own; reads never wait for it. The state in
memory is rebuilt from these rows, so that a restart needs nothing of the engine.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.embedded.faults import ledger_stopped
from lianzheng.adapters.consensus.embedded.highwater import HighWater
from lianzheng.errors import ConfigError, FormatError

__all__ = ["AppliedBlock", "ChainStore", "split_frames"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS genesis (digest BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS blocks (
    height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, hash BLOB NOT NULL, app_hash BLOB NOT NULL,
    transactions BLOB NOT NULL, results BLOB NOT NULL, events BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS transactions (
    tx_id BLOB PRIMARY KEY, height INTEGER NOT NULL, position INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS double_votes (
    address BLOB NOT NULL, height INTEGER NOT NULL, PRIMARY KEY (address, height)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS signer_changes (height INTEGER PRIMARY KEY, head BLOB);
CREATE TABLE IF NOT EXISTS base (
    height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, hash BLOB NOT NULL, app_hash BLOB NOT NULL
);
"""
_COLUMNS = "height, time_ms, hash, app_hash, transactions, results, events"


@dataclass(frozen=True, slots=True)
class AppliedBlock:
    """One block as this node applied it."""

    height: int
    time_ms: int
    hash: bytes
    """The engine's block hash."""
    app_hash: bytes
    """After the block (LED-5); the engine's header carries it one block later."""
    transactions: bytes
    """The transactions in order, each behind its length (``framing.frame``)."""
    results: bytes
    """Canonical JSON of the list of ``{code, data}`` (B7)."""
    events: bytes
    """Canonical JSON of the block's events; empty where it was pruned."""

    @property
    def pruned(self) -> bool:
        """Whether transactions and events are gone; what is left is what happened to them."""
        return not self.events

    def wire_transactions(self) -> list[bytes]:
        """The transactions in order."""
        return split_frames(self.transactions)


class ChainStore:
    """Append-only but for what is pruned; at most one process has it open."""

    def __init__(self, database: Path, height_file: Path) -> None:
        self._database = database
        self._water = HighWater(height_file)
        self._writer = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger-writer")
        self._write_connection: sqlite3.Connection | None = None
        self._read_connection: sqlite3.Connection | None = None
        self.served: tuple[int, bytes] | None = None

    async def open(self, genesis: bytes) -> None:
        """Create or open. Raises ``ConfigError`` ``genesis_mismatch``, ``ledger_in_use``."""
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

    async def append(self, block: AppliedBlock, transactions: Sequence[tuple[bytes, int]], signers: bool) -> None:
        """Make a block durable, then note its height outside the database.

        ``transactions`` are id and position of those that can never stand again; ``signers`` says that the block
        changes the validators. Raises ``sqlite3.Error``, ``OSError``.
        """
        await self._in_writer(self._append, block, transactions, signers)

    def signer_changes(self) -> list[tuple[int, bytes | None]]:
        """Heights of the headers that name other validators for the next block, with the kept head if there is one."""
        rows = self._reader.execute("SELECT height, head FROM signer_changes ORDER BY height")
        return [(int(height), head) for height, head in rows]

    async def keep_signer_change(self, height: int, head: bytes) -> None:
        """Keep the head of a change of signers: the engine may prune its block."""
        await self._in_writer(self._keep_signer_change, height, head)

    async def keep_double_votes(self, found: Sequence[tuple[bytes, int]]) -> None:
        """Keep what a block says of validators that signed two votes: address and height of the votes.

        Raises ``sqlite3.Error``.
        """
        await self._in_writer(self._keep_double_votes, found)

    def double_votes(self) -> list[tuple[bytes, int, int]]:
        """Address of each validator that signed two votes, how often, and the last height."""
        rows = self._reader.execute("SELECT address, count(*), max(height) FROM double_votes GROUP BY address")
        return [(address, int(count), int(height)) for address, count, height in rows]

    def block(self, height: int) -> AppliedBlock | None:
        """The block of a height, or None."""
        row = self._reader.execute(f"SELECT {_COLUMNS} FROM blocks WHERE height = ?", (height,)).fetchone()  # noqa: S608
        return None if row is None else AppliedBlock(*row)

    def blocks_above(self, height: int) -> Iterator[AppliedBlock]:
        """Every block above a height in order."""
        query = f"SELECT {_COLUMNS} FROM blocks WHERE height > ? ORDER BY height"  # noqa: S608
        for row in self._reader.execute(query, (height,)):
            yield AppliedBlock(*row)

    async def prune(self, below: int) -> None:
        """Drop transactions and events below a height; hashes and results stay. Raises ``sqlite3.Error``."""
        await self._in_writer(self._prune, below)

    def base(self) -> AppliedBlock | None:
        """Where this node began if it took over a snapshot: the block without its contents."""
        row = self._reader.execute("SELECT height, time_ms, hash, app_hash FROM base").fetchone()
        return None if row is None else AppliedBlock(row[0], row[1], row[2], row[3], b"", b"[]", b"[]")

    def has_blocks(self) -> bool:
        """Whether any block is on disk; the beginning from a snapshot is none."""
        return self._reader.execute("SELECT 1 FROM blocks LIMIT 1").fetchone() is not None

    async def set_base(self, base: AppliedBlock, changes: Sequence[tuple[int, bytes]]) -> None:
        """Begin at a snapshot, or anew at another one; ``changes`` are the signers' before it.

        Raises ``sqlite3.Error``, ``OSError``.
        """
        await self._in_writer(self._set_base, base, changes)

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

    def _set_base(self, base: AppliedBlock, changes: Sequence[tuple[int, bytes]]) -> None:
        connection = _opened(self._write_connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute("DELETE FROM base")
            connection.execute("DELETE FROM signer_changes")
            row = (base.height, base.time_ms, base.hash, base.app_hash)
            connection.execute("INSERT INTO base VALUES (?, ?, ?, ?)", row)
            connection.executemany("INSERT INTO signer_changes VALUES (?, ?)", changes)
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._water.write(base.height, base.hash)

    def _keep_double_votes(self, found: Sequence[tuple[bytes, int]]) -> None:
        _opened(self._write_connection).executemany("INSERT OR IGNORE INTO double_votes VALUES (?, ?)", found)

    def _keep_signer_change(self, height: int, head: bytes) -> None:
        _opened(self._write_connection).execute("INSERT OR REPLACE INTO signer_changes VALUES (?, ?)", (height, head))

    def _prune(self, below: int) -> None:
        _opened(self._write_connection).execute(
            "UPDATE blocks SET transactions = x'', events = x'' WHERE height < ? AND events <> x''", (below,)
        )

    def _append(self, block: AppliedBlock, transactions: Sequence[tuple[bytes, int]], signers: bool) -> None:
        connection = _opened(self._write_connection)
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.execute(
                "INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    block.height,
                    block.time_ms,
                    block.hash,
                    block.app_hash,
                    block.transactions,
                    block.results,
                    block.events,
                ),
            )
            connection.executemany(
                "INSERT OR IGNORE INTO transactions VALUES (?, ?, ?)",
                [(tx_id, block.height, position) for tx_id, position in transactions],
            )
            if signers:  # in force two heights later: the next header is the one that names them
                connection.execute("INSERT INTO signer_changes VALUES (?, NULL)", (block.height + 1,))
        except sqlite3.Error:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
        self._water.write(block.height, block.hash)


def split_frames(data: bytes) -> list[bytes]:
    """Inverse of ``framing.frame`` over bytes. Raises ``FormatError`` ``block_row_invalid``."""
    parts: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 4
        end = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or end > len(data):
            raise FormatError("block_row_invalid", "A stored block ends inside a transaction.")
        parts.append(data[start:end])
        position = end
    return parts


def _opened(connection: sqlite3.Connection | None) -> sqlite3.Connection:
    if connection is None:
        raise ledger_stopped()
    return connection
