"""The ledger's state in memory, its root under each schema (LED-6), and the committed view beside a block in flight.

Schema 1: RFC 9162 tree over the sorted entries (``sorted_tree``). Schema 2: compressed sparse Merkle tree (``sparse``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.ledger.hashing import digest_of, leaf_hash, state_entry
from lianzheng.ledger.keys import SortedKeys
from lianzheng.ledger.sorted_tree import SortedTree
from lianzheng.ledger.sparse import Node, root_of, updated

__all__ = ["CommittedView", "MemoryState", "Writes"]

Writes = Sequence[tuple[str, JsonObject | None]]
_DIGEST = digest_of("sha256")


class MemoryState:
    """All entries, and the tree over them; the hashes of a block are computed together, when its root is asked for."""

    def __init__(self, schema: int = 1) -> None:
        self._schema = schema
        self._values: dict[str, JsonObject] = {}
        self._keys = SortedKeys()
        self._pending: dict[str, bytes | None] = {}  # hashes of entries changed since the last root
        self._sorted = SortedTree()
        self._node: Node = None
        self._undo: dict[str, JsonObject | None] = {}

    @classmethod
    def load(cls, schema: int, entries: Iterable[tuple[str, JsonObject, bytes]]) -> MemoryState:
        """A state of entries in the order of their keys, each with the bytes of JCS([key, value])."""
        state = cls(schema)
        for key, value, encoded in entries:
            state._values[key] = value
            state._pending[key] = state._hash(encoded)
        state._keys = SortedKeys(state._values)
        return state

    def __len__(self) -> int:
        return len(self._values)

    @property
    def schema(self) -> int:
        """Which tree the root is of."""
        return self._schema

    def get(self, key: str) -> JsonObject | None:
        """The value at ``key``, or None. Never modify it."""
        return self._values.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        """All entries under ``prefix`` in key order; safe against writes made meanwhile."""
        return iter([(key, self._values[key]) for key in self._keys.with_prefix(prefix)])

    def apply(self, writes: Writes) -> None:
        """Make all of ``writes``, or none where one has no canonical form (``FormatError`` of ``encode``)."""
        hashes = [None if value is None else self._hash(encode([key, value])) for key, value in writes]
        for (key, value), entry in zip(writes, hashes, strict=True):
            old = self._values.get(key)
            self._undo.setdefault(key, old)
            if value is not None:
                if old is None:
                    self._keys.add(key)
                self._values[key] = value
            elif old is not None:
                self._keys.remove(key)
                del self._values[key]
            self._pending[key] = entry

    def upgrade(self, schema: int) -> None:
        """Go over to the tree of ``schema``, at once and for all entries if it is another (LED-7)."""
        same_tree, self._schema = self._schema > 1 and schema > 1, schema
        if same_tree:  # schemas differ in rules alone from 2 on
            return
        self._sorted, self._node = SortedTree(), None
        self._pending = {key: self._hash(encode([key, self._values[key]])) for key in self._keys}

    def changes(self) -> tuple[tuple[str, JsonObject | None], ...]:
        """What differs from the last :meth:`commit`, in the order of the keys."""
        return tuple((key, self._values.get(key)) for key in sorted(self._undo))

    def commit(self) -> None:
        """Make the present values the committed ones (the block in flight is durable)."""
        self._undo.clear()

    def committed(self) -> CommittedView:
        """A view that does not see writes since the last :meth:`commit`."""
        return CommittedView(self)

    def copy(self) -> Mapping[str, JsonObject]:
        """The committed entries, fixed: later writes do not reach them."""
        entries = self._values.copy()
        for key, value in self._undo.items():
            if value is None:
                entries.pop(key, None)
            else:
                entries[key] = value
        return entries

    def root(self) -> bytes:
        """Root of the tree; SHA-256("") where nothing stands."""
        if self._schema == 1:
            self._sorted.update(self._pending)
            self._pending = {}
            return self._sorted.root()
        return root_of(self.tree())

    def tree(self) -> Node:
        """The sparse tree as it is now; it never changes afterwards. None under schema 1."""
        if self._schema > 1 and self._pending:
            values = self._values
            self._node = updated(
                self._node,
                {key: None if entry is None else (entry, values[key]) for key, entry in self._pending.items()},
            )
            self._pending = {}
        return self._node

    def _hash(self, encoded: bytes) -> bytes:
        return leaf_hash(encoded, _DIGEST) if self._schema == 1 else state_entry(encoded)


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
