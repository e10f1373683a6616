"""RFC 9162 trees against the definition, written out anew here."""

from __future__ import annotations

import hashlib

import pytest

from lianzheng.errors import NotFoundError, VerificationError
from lianzheng.ledger.merkle import MerkleTree, root_of
from lianzheng.ledger.proofs import verify_consistency, verify_inclusion


def _reference_root(entries: list[bytes], name: str) -> bytes:
    """MTH(D[n]) of RFC 9162 §2.1.1, literally."""
    if not entries:
        return hashlib.new(name, b"").digest()
    if len(entries) == 1:
        return hashlib.new(name, b"\x00" + entries[0]).digest()
    split = 1
    while split * 2 < len(entries):
        split *= 2
    left, right = _reference_root(entries[:split], name), _reference_root(entries[split:], name)
    return hashlib.new(name, b"\x01" + left + right).digest()


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_roots_of_every_size_equal_the_definition(name: str) -> None:
    entries = [f"entry {index}".encode() for index in range(20)]
    tree = MerkleTree(name)  # type: ignore[arg-type]
    for size in range(21):
        assert tree.size == size
        assert tree.root() == _reference_root(entries[:size], name) == root_of(entries[:size], name)  # type: ignore[arg-type]
        if size < 20:
            assert tree.append(entries[size]) == size
    assert [tree.root(size) for size in range(21)] == [_reference_root(entries[:size], name) for size in range(21)]


@pytest.mark.parametrize("name", ["sha256", "sm3"])
def test_paths_of_every_index_and_size_verify(name: str) -> None:
    entries = [f"entry {index}".encode() for index in range(17)]
    tree = MerkleTree(name)  # type: ignore[arg-type]
    tree.extend(entries)
    for size in range(1, 18):
        for index in range(size):
            path = tree.inclusion_path(index, size)
            verify_inclusion(entries[index], index, size, path, tree.root(size), name)  # type: ignore[arg-type]
            with pytest.raises(VerificationError, match="inclusion_invalid"):
                verify_inclusion(b"other", index, size, path, tree.root(size), name)  # type: ignore[arg-type]
        for old in range(1, size + 1):
            path = tree.consistency_path(old, size)
            verify_consistency(old, size, tree.root(old), tree.root(size), path, name)  # type: ignore[arg-type]


def test_the_duplicated_last_leaf_is_another_tree() -> None:
    assert root_of([b"a", b"b", b"c"]) != root_of([b"a", b"b", b"c", b"c"])


def test_what_the_tree_does_not_hold_is_named() -> None:
    tree = MerkleTree()
    tree.append(b"only")
    for call in (lambda: tree.inclusion_path(1), lambda: tree.root(2), lambda: tree.consistency_path(2, 1)):
        with pytest.raises(NotFoundError, match="log_entry_unknown"):
            call()
