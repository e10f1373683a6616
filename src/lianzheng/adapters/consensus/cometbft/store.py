"""What this node keeps of the chain: one row a block, written in Commit in one database transaction with its height.

The state in memory is rebuilt from these rows, so that a restart needs nothing of the engine.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lianzheng.adapters.consensus.database import ChainDatabase, insert_places
from lianzheng.errors import FormatError

__all__ = ["AppliedBlock", "ChainStore", "split_frames"]

_TABLES = """
CREATE TABLE IF NOT EXISTS blocks (
    height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, hash BLOB NOT NULL, app_hash BLOB NOT NULL,
    transactions BLOB NOT NULL, results BLOB NOT NULL, events BLOB NOT NULL
);
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


class ChainStore(ChainDatabase):
    """Append-only but for what is pruned."""

    tables = _TABLES

    async def append(self, block: AppliedBlock, transactions: Sequence[tuple[bytes, int]], signers: bool) -> None:
        """Make a block durable, then note its height outside the database.

        ``transactions`` are id and position of those that can never stand again; ``signers`` says that the block
        changes the validators. Raises ``sqlite3.Error``, ``OSError``.
        """

        def insert(connection: sqlite3.Connection) -> None:
            _insert_block(connection, block)
            insert_places(connection, block.height, transactions)
            if signers:  # in force two heights later: the next header is the one that names them
                connection.execute("INSERT INTO signer_changes VALUES (?, NULL)", (block.height + 1,))

        await self._write(insert, (block.height, block.hash))

    def signer_changes(self) -> list[tuple[int, bytes | None]]:
        """Heights of the headers that name other validators for the next block, with the kept head if there is one."""
        rows = self._reader.execute("SELECT height, head FROM signer_changes ORDER BY height")
        return [(int(height), head) for height, head in rows]

    async def keep_signer_change(self, height: int, head: bytes) -> None:
        """Keep the head of a change of signers: the engine may prune its block."""
        row = (height, head)
        await self._write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO signer_changes VALUES (?, ?)", row)
        )

    async def keep_double_votes(self, found: Sequence[tuple[bytes, int]]) -> None:
        """Keep what a block says of validators that signed two votes: address and height of the votes.

        Raises ``sqlite3.Error``.
        """
        await self._write(
            lambda connection: connection.executemany("INSERT OR IGNORE INTO double_votes VALUES (?, ?)", found)
        )

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
        query = "UPDATE blocks SET transactions = x'', events = x'' WHERE height < ? AND events <> x''"
        await self._write(lambda connection: connection.execute(query, (below,)))

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

        def replace(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM base")
            connection.execute("DELETE FROM signer_changes")
            row = (base.height, base.time_ms, base.hash, base.app_hash)
            connection.execute("INSERT INTO base VALUES (?, ?, ?, ?)", row)
            connection.executemany("INSERT INTO signer_changes VALUES (?, ?)", changes)

        await self._write(replace, (base.height, base.hash))


def _insert_block(connection: sqlite3.Connection, block: AppliedBlock) -> None:
    row = (block.height, block.time_ms, block.hash, block.app_hash, block.transactions, block.results, block.events)
    connection.execute("INSERT INTO blocks VALUES (?, ?, ?, ?, ?, ?, ?)", row)


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
