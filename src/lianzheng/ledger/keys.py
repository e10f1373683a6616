"""Sorted texts in blocks: insertion, deletion and ranges without moving a million entries."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

__all__ = ["SortedKeys"]

_BLOCK = 512
"""Blocks hold up to twice as many; moving these costs less than finding the block."""


class SortedKeys:
    """Each key once, in code-point order, which is the order of UTF-8 bytes."""

    def __init__(self, ordered: Iterable[str] = ()) -> None:
        """``ordered`` are distinct keys, in order."""
        keys = list(ordered)
        self._blocks = [keys[start : start + _BLOCK] for start in range(0, len(keys), _BLOCK)]
        self._firsts = [block[0] for block in self._blocks]

    def __iter__(self) -> Iterator[str]:
        for block in self._blocks:
            yield from block

    def add(self, key: str) -> None:
        """Insert ``key``, which is not there yet."""
        if not self._blocks:
            self._blocks, self._firsts = [[key]], [key]
            return
        index = max(bisect_right(self._firsts, key) - 1, 0)
        block = self._blocks[index]
        block.insert(bisect_left(block, key), key)
        self._firsts[index] = block[0]
        if len(block) > 2 * _BLOCK:
            self._blocks[index : index + 1] = [block[:_BLOCK], block[_BLOCK:]]
            self._firsts[index : index + 1] = [block[0], block[_BLOCK]]

    def remove(self, key: str) -> None:
        """Take ``key`` out, which is there."""
        index = bisect_right(self._firsts, key) - 1
        block = self._blocks[index]
        del block[bisect_left(block, key)]
        if block:
            self._firsts[index] = block[0]
        else:
            del self._blocks[index], self._firsts[index]

    def with_prefix(self, prefix: str) -> list[str]:
        """All keys that start with ``prefix``, in order."""
        found: list[str] = []
        index = max(bisect_right(self._firsts, prefix) - 1, 0)
        for block in self._blocks[index:]:
            start = bisect_left(block, prefix)
            for position in range(start, len(block)):
                if not block[position].startswith(prefix):
                    return found
                found.append(block[position])
        return found
