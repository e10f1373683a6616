"""Blocks on disk, under the embedded engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lianzheng.adapters.consensus.database import ChainDatabase, insert_places

__all__ = ["BlockRow", "BlockStore"]

_TABLES = """
CREATE TABLE IF NOT EXISTS blocks (
    height INTEGER PRIMARY KEY, block BLOB NOT NULL, events BLOB NOT NULL
);
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


class BlockStore(ChainDatabase):
    """Append-only."""

    tables = _TABLES

    async def append(self, row: BlockRow) -> None:
        """Make a block durable, then note its height outside the database. Raises ``sqlite3.Error``, ``OSError``."""
        await self._write(lambda connection: _insert(connection, row), (row.height, row.head_hash))

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
        await self._write(lambda connection: connection.execute("DELETE FROM deltas WHERE height <= ?", (height,)))

    async def begin(self, height: int, head_hash: bytes, block: bytes) -> None:
        """Begin with a block whose state came with a snapshot; its events are not known here.

        Raises ``sqlite3.Error``, ``OSError``.
        """
        row = (height, block, b"[]")
        await self._write(
            lambda connection: connection.execute("INSERT INTO blocks VALUES (?, ?, ?)", row), (height, head_hash)
        )

    def lowest(self) -> int | None:
        """The lowest height on disk, or None."""
        (height,) = self._reader.execute("SELECT MIN(height) FROM blocks").fetchone()
        return None if height is None else int(height)

    def events(self, height: int) -> bytes | None:
        """Canonical JSON of the events of one block, or None."""
        row = self._reader.execute("SELECT events FROM blocks WHERE height = ?", (height,)).fetchone()
        return None if row is None else bytes(row[0])


def _insert(connection: sqlite3.Connection, row: BlockRow) -> None:
    connection.execute("INSERT INTO blocks VALUES (?, ?, ?)", (row.height, row.block, row.events))
    connection.execute("INSERT INTO deltas VALUES (?, ?)", (row.height, row.delta))
    insert_places(connection, row.height, row.transactions)
