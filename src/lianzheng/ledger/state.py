"""The ledger's state in memory, its root under schema 1 (LED-6, B30), and the committed view beside a block in flight.

Leaf:  JCS([key, value]); the tree is RFC 9162 over the leaves in the order of the keys' bytes.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Sequence

from lianzheng.encoding.canonical import JsonObject, decode, encode
from lianzheng.encoding.framing import frame
from lianzheng.errors import FormatError
from lianzheng.ledger.hashing import digest_of, leaf_hash, node_hash
from lianzheng.limits import SNAPSHOT_CHUNK_BYTES

__all__ = ["CommittedView", "MemoryState", "Writes"]

Writes = Sequence[tuple[str, JsonObject | None]]
_DIGEST = digest_of("sha256")


class MemoryState:
    """All entries, sorted by key; hashes of unchanged parts of the tree are kept from root to root."""

    def __init__(self) -> None:
        self._values: dict[str, JsonObject] = {}
        self._keys: list[str] = []  # code-point order, which is the order of UTF-8 bytes
        self._leaves: dict[str, bytes] = {}
        self._levels: list[list[bytes]] = [[]]
        self._changed: set[str] = set()
        self._moved_from: str | None = None  # least key inserted or deleted since the last root
        self._undo: dict[str, JsonObject | None] = {}

    def __len__(self) -> int:
        return len(self._keys)

    def get(self, key: str) -> JsonObject | None:
        """The value at ``key``, or None. Never modify it."""
        return self._values.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        """All entries under ``prefix`` in key order; safe against writes made meanwhile."""
        return iter([(key, self._values[key]) for key in self._range(prefix)])

    def apply(self, writes: Writes) -> None:
        """Make all of ``writes``, or none where one has no canonical form (``FormatError`` of ``encode``)."""
        leaves = [None if value is None else leaf_hash(encode([key, value]), _DIGEST) for key, value in writes]
        for (key, value), leaf in zip(writes, leaves, strict=True):
            old = self._values.get(key)
            self._undo.setdefault(key, old)
            if value is None or leaf is None:
                if old is not None:
                    self._delete(key)
                continue
            if old is None:
                insort(self._keys, key)
                self._note_move(key)
            self._values[key] = value
            self._leaves[key] = leaf
            self._changed.add(key)

    def commit(self) -> None:
        """Make the present values the committed ones (the block in flight is durable)."""
        self._undo.clear()

    def committed(self) -> CommittedView:
        """A view that does not see writes since the last :meth:`commit`."""
        return CommittedView(self)

    def root(self) -> bytes:
        """Root of the state tree (B30); SHA-256("") where nothing stands."""
        if not self._keys:
            self._levels, self._moved_from = [[]], None
            self._changed.clear()
            return _DIGEST(b"")
        moved = len(self._keys)
        if self._moved_from is not None:
            moved = bisect_left(self._keys, self._moved_from)
            bottom = self._levels[0]
            bottom[moved:] = [self._leaves[key] for key in self._keys[moved:]]
        dirty = []
        for key in sorted(self._changed):
            index = bisect_left(self._keys, key)
            if index < moved:
                self._levels[0][index] = self._leaves[key]
                dirty.append(index)
        self._rebuild(dirty, moved)
        self._changed.clear()
        self._moved_from = None
        return self._levels[-1][0]

    def snapshot(self, chunk_bytes: int = SNAPSHOT_CHUNK_BYTES) -> Iterator[bytes]:
        """The ordered dump, byte-identical on every node, in chunks of at most ``chunk_bytes`` (LED-8)."""
        buffer = bytearray()
        for key in self._keys:
            buffer += frame(encode([key, self._values[key]]))
            while len(buffer) >= chunk_bytes:
                yield bytes(buffer[:chunk_bytes])
                del buffer[:chunk_bytes]
        if buffer:
            yield bytes(buffer)

    @classmethod
    def restore(cls, chunks: Sequence[bytes]) -> MemoryState:
        """State of a dump; the caller compares the root. Raises ``FormatError`` ``snapshot_invalid``."""
        data = b"".join(chunks)
        state, position, last = cls(), 0, ""
        while position < len(data):
            start = position + 4
            end = start + int.from_bytes(data[position:start], "big")
            if start > len(data) or end > len(data):
                raise FormatError("snapshot_invalid", "A snapshot ends inside an entry.")
            entry = decode(data[start:end])
            match entry:
                case [str() as key, dict() as value] if position == 0 or last < key:
                    state.apply([(key, value)])
                    last = key
                case _:
                    raise FormatError("snapshot_invalid", "A snapshot's entries are malformed or out of order.")
            position = end
        state.commit()
        return state

    def _range(self, prefix: str) -> list[str]:
        keys = []
        for index in range(bisect_left(self._keys, prefix), len(self._keys)):
            if not self._keys[index].startswith(prefix):
                break
            keys.append(self._keys[index])
        return keys

    def _delete(self, key: str) -> None:
        del self._values[key], self._leaves[key]
        del self._keys[bisect_left(self._keys, key)]
        self._changed.discard(key)
        self._note_move(key)

    def _note_move(self, key: str) -> None:
        if self._moved_from is None or key < self._moved_from:
            self._moved_from = key

    def _rebuild(self, dirty: list[int], moved: int) -> None:
        """Recompute the parents of ``dirty`` entries and of everything from index ``moved`` on, level by level.

        Pairing neighbours and passing a lone last node up unchanged gives RFC 9162's tree.
        """
        level = 0
        while len(self._levels[level]) > 1:
            below = self._levels[level]
            size = (len(below) + 1) // 2
            if level + 1 == len(self._levels):
                self._levels.append([])
            above = self._levels[level + 1]
            moved = min(moved // 2, len(above))
            parents = sorted({index // 2 for index in dirty if index // 2 < moved})
            for index in parents:
                above[index] = _parent(below, index)
            if moved < size or len(above) > size:
                above[moved:] = [_parent(below, index) for index in range(moved, size)]
            dirty = parents
            level += 1
        del self._levels[level + 1 :]


class CommittedView:
    """State as of the last commit, while a block in flight has already changed the working values."""

    def __init__(self, state: MemoryState) -> None:
        self._state = state

    def get(self, key: str) -> JsonObject | None:
        """The committed value at ``key``, or None."""
        undo = self._state._undo
        return undo[key] if key in undo else self._state.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        """Committed entries under ``prefix`` in key order."""
        undo = {key: value for key, value in self._state._undo.items() if key.startswith(prefix)}
        if not undo:
            return self._state.scan(prefix)
        entries = dict(self._state.scan(prefix))
        for key, value in undo.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        return iter(sorted(entries.items(), key=lambda item: item[0]))


def _parent(below: list[bytes], index: int) -> bytes:
    left = 2 * index
    if left + 1 == len(below):
        return below[left]
    return node_hash(below[left], below[left + 1], _DIGEST)
