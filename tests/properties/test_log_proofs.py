"""Log proofs (RFC 9162): no proof holds with one bit, one node or one number changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lianzheng.errors import VerificationError
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.proofs import verify_consistency, verify_inclusion

SIZES = (1, 2, 3, 5, 8, 11)


def _tree() -> MerkleTree:
    tree = MerkleTree()
    tree.extend(f"entry {index}".encode() for index in range(max(SIZES)))
    return tree


def _bits(value: bytes) -> Iterator[bytes]:
    for bit in range(8 * len(value)):
        changed = bytearray(value)
        changed[bit // 8] ^= 1 << bit % 8
        yield bytes(changed)


def _paths(path: tuple[bytes, ...]) -> Iterator[tuple[bytes, ...]]:
    for index, node in enumerate(path):
        for changed in _bits(node):
            yield (*path[:index], changed, *path[index + 1 :])
        yield path[:index] + path[index + 1 :]
        yield (*path[:index], node[:-1], *path[index + 1 :])
    yield (*path, bytes(32))
    yield (bytes(32), *path)


@pytest.mark.parametrize("size", SIZES)
def test_inclusion(size: int) -> None:
    tree = _tree()
    root = tree.root(size)
    for index in range(size):
        entry, path = f"entry {index}".encode(), tree.inclusion_path(index, size)
        verify_inclusion(entry, index, size, path, root)
        lies = [(entry, index, size, lie, root) for lie in _paths(path)]
        lies += [(entry, index, size, path, lie) for lie in _bits(root)]
        lies += [(lie, index, size, path, root) for lie in _bits(entry)]
        lies += [(entry, lie, size, path, root) for lie in (index - 1, index + 1, -1, size)]
        for lie in lies:
            with pytest.raises(VerificationError, match="inclusion_invalid"):
                verify_inclusion(*lie)


@pytest.mark.parametrize("size", SIZES[1:])
def test_consistency(size: int) -> None:
    tree = _tree()
    for old in range(1, size):
        path, roots = tree.consistency_path(old, size), (tree.root(old), tree.root(size))
        verify_consistency(old, size, *roots, path)
        lies = [(old, size, *roots, lie) for lie in _paths(path)]
        lies += [(old, size, lie, roots[1], path) for lie in _bits(roots[0])]
        lies += [(old, size, roots[0], lie, path) for lie in _bits(roots[1])]
        lies += [(old, size, roots[1], roots[0], path), (size, old, *roots, path), (0, size, *roots, path)]
        for lie in lies:
            with pytest.raises(VerificationError, match="consistency_invalid"):
                verify_consistency(*lie)
