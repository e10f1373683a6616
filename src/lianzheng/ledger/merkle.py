"""Builders of RFC 9162 Merkle trees: append-only, roots and paths at any earlier size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from lianzheng.errors import NotFoundError
from lianzheng.ledger.hashing import HashName, digest_of, leaf_hash, node_hash

__all__ = ["MerkleTree", "root_of"]


class MerkleTree:
    """An append-only tree that keeps every complete subtree's hash, so that roots and paths cost O(log n)."""

    def __init__(self, hash_name: HashName = "sha256") -> None:
        self._digest = digest_of(hash_name)
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """Number of entries."""
        return len(self._levels[0])

    def append(self, entry: bytes) -> int:
        """Add ``entry`` and return its index."""
        index = self.size
        node = leaf_hash(entry, self._digest)
        level = 0
        self._levels[0].append(node)
        while len(self._levels[level]) % 2 == 0:
            node = node_hash(self._levels[level][-2], self._levels[level][-1], self._digest)
            level += 1
            if level == len(self._levels):
                self._levels.append([])
            self._levels[level].append(node)
        return index

    def extend(self, entries: Iterable[bytes]) -> None:
        """Append each of ``entries`` in order."""
        for entry in entries:
            self.append(entry)

    def root(self, size: int | None = None) -> bytes:
        """Root over the first ``size`` entries (all of them by default); the empty root is H("")."""
        size = self._check_size(size)
        return self._subtree(0, size) if size else self._digest(b"")

    def inclusion_path(self, index: int, size: int | None = None) -> tuple[bytes, ...]:
        """PATH(index, D[size]) of RFC 9162 §2.1.3.1. Raises ``NotFoundError`` ``log_entry_unknown``."""
        size = self._check_size(size)
        if not 0 <= index < size:
            raise NotFoundError("log_entry_unknown", "The tree of this size has no such entry.")
        path: list[bytes] = []
        start, end = 0, size
        while end - start > 1:
            split = start + _split(end - start)
            if index < split:
                path.append(self._subtree(split, end))
                end = split
            else:
                path.append(self._subtree(start, split))
                start = split
        return tuple(reversed(path))

    def consistency_path(self, old_size: int, new_size: int | None = None) -> tuple[bytes, ...]:
        """PROOF(old_size, D[new_size]) of RFC 9162 §2.1.4.1; empty where the sizes are equal.

        Raises ``NotFoundError`` ``log_entry_unknown`` where ``old_size`` is over ``new_size``, or 0 below it.
        """
        new_size = self._check_size(new_size)
        if old_size == new_size:
            return ()
        if not 0 < old_size < new_size:
            raise NotFoundError("log_entry_unknown", "The tree never had this size, or it was empty.")
        path: list[bytes] = []
        start, end, whole = 0, new_size, True
        while old_size != end:
            split = start + _split(end - start)
            if old_size <= split:
                path.append(self._subtree(split, end))
                end = split
            else:
                path.append(self._subtree(start, split))
                start, whole = split, False
        if not whole:
            path.append(self._subtree(start, end))
        return tuple(reversed(path))

    def _check_size(self, size: int | None) -> int:
        size = self.size if size is None else size
        if not 0 <= size <= self.size:
            raise NotFoundError("log_entry_unknown", "The tree never had this size.")
        return size

    def _subtree(self, start: int, end: int) -> bytes:
        """Hash over entries start..end; start is a multiple of the least power of two that covers the range."""
        width = end - start
        if width & (width - 1) == 0:
            return self._levels[width.bit_length() - 1][start // width]
        split = start + _split(width)
        return node_hash(self._subtree(start, split), self._subtree(split, end), self._digest)


def root_of(entries: Sequence[bytes], hash_name: HashName = "sha256") -> bytes:
    """Root of the tree over ``entries``."""
    tree = MerkleTree(hash_name)
    tree.extend(entries)
    return tree.root()


def _split(width: int) -> int:
    """The largest power of two below ``width``."""
    return 1 << ((width - 1).bit_length() - 1)
