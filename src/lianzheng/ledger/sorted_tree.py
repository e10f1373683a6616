"""Builder of the state tree of schema 1: RFC 9162 over JCS([key, value]) in the order of the keys (LED-6, B30)."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping

from lianzheng.ledger.hashing import digest_of, node_hash

__all__ = ["SortedTree"]

_DIGEST = digest_of("sha256")


class SortedTree:
    """Hashes of unchanged parts are kept from root to root; an inserted key moves everything behind it."""

    def __init__(self) -> None:
        self._keys: list[str] = []  # code-point order, which is the order of UTF-8 bytes
        self._leaves: dict[str, bytes] = {}
        self._levels: list[list[bytes]] = [[]]
        self._changed: set[str] = set()
        self._moved_from: str | None = None  # least key inserted or deleted since the last root

    def update(self, changes: Mapping[str, bytes | None]) -> None:
        """Set leaf hashes; None takes a key out, if it stands."""
        for key, leaf in changes.items():
            known = key in self._leaves
            if leaf is None:
                if known:
                    self._delete(key)
                continue
            if not known:
                insort(self._keys, key)
                self._note_move(key)
            self._leaves[key] = leaf
            self._changed.add(key)

    def root(self) -> bytes:
        """Root of the tree; SHA-256("") where nothing stands."""
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

    def _delete(self, key: str) -> None:
        del self._leaves[key]
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


def _parent(below: list[bytes], index: int) -> bytes:
    left = 2 * index
    if left + 1 == len(below):
        return below[left]
    return node_hash(below[left], below[left + 1], _DIGEST)
