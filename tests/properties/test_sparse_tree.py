"""The sparse state tree (LED-6) against its definition, written out again here; every altered proof is refused."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.encoding.canonical import encode
from lianzheng.errors import VerificationError
from lianzheng.ledger.hashing import state_entry
from lianzheng.ledger.proofs import OtherLeaf, StatePath, verify_state
from lianzheng.ledger.sparse import Node, path_of, root_of, updated

Entries = dict[str, dict[str, int]]


def _hash(tag: str, *parts: bytes) -> bytes:
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return hashlib.sha256(b"lianzheng/v1/" + tag.encode() + b"\0" + framed).digest()


def _bits(key: str) -> str:
    return "".join(f"{byte:08b}" for byte in _hash("state-key", key.encode()))


def _naive(entries: Entries, prefix: str = "") -> bytes:
    """The definition: nothing is SHA-256(""), one key is its leaf, more are a node over the two halves."""
    under = {key: value for key, value in entries.items() if _bits(key).startswith(prefix)}
    if not under:
        return hashlib.sha256(b"").digest()
    if len(under) == 1:
        ((key, value),) = under.items()
        return _hash("state-leaf", _hash("state-key", key.encode()), _hash("state-entry", encode([key, value])))
    return _hash("state-node", _naive(under, prefix + "0"), _naive(under, prefix + "1"))


def _apply(node: Node, batch: Mapping[str, dict[str, int] | None]) -> Node:
    return updated(
        node,
        {key: None if value is None else (state_entry(encode([key, value])), value) for key, value in batch.items()},
    )


def _tree(entries: Entries) -> Node:
    return _apply(None, dict(entries))


KEYS = st.sampled_from([f"k/{index}" for index in range(40)] + ["é", "~", "", "k"])
BATCHES = st.lists(
    st.dictionaries(KEYS, st.one_of(st.none(), st.builds(lambda value: {"v": value}, st.integers(0, 3))), max_size=12),
    max_size=8,
)


@settings(max_examples=150, deadline=None)
@given(BATCHES)
def test_the_root_is_the_definitions_after_every_batch_and_every_proof_holds(batches: list[Any]) -> None:
    node: Node = None
    mirror: Entries = {}
    for batch in batches:
        before, old = node, root_of(node)
        node = _apply(node, batch)
        assert root_of(before) == old, "an older tree never changes"
        mirror = {key: value for key, value in (mirror | batch).items() if value is not None}
        root = root_of(node)
        assert root == _naive(mirror)
        for key in ["k/1", "k/39", "never", *mirror]:
            value, path = path_of(node, key)
            assert value == mirror.get(key)
            verify_state(key, value, path, root)
            assert StatePath.from_bytes(path.to_bytes()) == path
            with pytest.raises(VerificationError, match="state_path_invalid"):
                verify_state(key, {"v": 9}, path, root)
            if key in mirror:
                with pytest.raises(VerificationError, match="state_path_invalid"):
                    verify_state(key, None, path, root)


@settings(max_examples=60, deadline=None)
@given(st.permutations([f"k/{index}" for index in range(24)]), st.lists(st.integers(1, 24), max_size=5), st.data())
def test_the_root_does_not_depend_on_the_order_of_history(keys: list[str], cuts: list[int], data: Any) -> None:
    entries = {key: {"v": int(key[2:])} for key in keys}
    extra = data.draw(st.lists(st.integers(100, 130), unique=True, max_size=10))
    node: Node = None
    edges = sorted({0, *cuts, len(keys)})
    for start, end in pairwise(edges):
        node = _apply(node, {key: entries[key] for key in keys[start:end]} | {f"x/{one}": {"v": 1} for one in extra})
        node = _apply(node, {f"x/{one}": None for one in extra})
    assert root_of(node) == root_of(_tree(entries)) == _naive(entries)


def _altered(path: StatePath) -> Iterator[StatePath]:
    """Every field of a proof with one bit changed, one part dropped, added or exchanged."""
    for index, sibling in enumerate(path.siblings):
        others = [sibling[:-1] + bytes([sibling[-1] ^ 1 << bit]) for bit in range(8)] if sibling else [b"\1" * 32]
        others += [b"" if sibling else bytes(32), hashlib.sha256(b"").digest()]
        for other in others:
            yield path.model_copy(update={"siblings": (*path.siblings[:index], other, *path.siblings[index + 1 :])})
        yield path.model_copy(update={"siblings": path.siblings[:index] + path.siblings[index + 1 :]})
    for more in (b"", b"\2" * 32):
        yield path.model_copy(update={"siblings": (*path.siblings, more)})
        yield path.model_copy(update={"siblings": (more, *path.siblings)})
    if path.other is None:
        yield path.model_copy(update={"other": OtherLeaf(path=bytes(32), entry=bytes(32))})
        return
    yield path.model_copy(update={"other": None})
    for name, value in path.other:
        for bit in range(256):
            changed = bytearray(value)
            changed[bit // 8] ^= 1 << bit % 8
            yield path.model_copy(update={"other": path.other.model_copy(update={name: bytes(changed)})})


def test_no_altered_proof_holds() -> None:
    entries = {f"k/{index}": {"v": index} for index in range(60)}
    node = _tree(entries)
    root, kinds = root_of(node), set()
    for key in [f"k/{index}" for index in range(0, 100, 3)]:
        value, path = path_of(node, key)
        kinds.add((value is None, path.other is None))
        for altered in _altered(path):
            with pytest.raises(VerificationError, match="state_path_invalid"):
                verify_state(key, value, altered, root)
        for bit in range(256):
            changed = bytearray(root)
            changed[bit // 8] ^= 1 << bit % 8
            with pytest.raises(VerificationError, match="state_path_invalid"):
                verify_state(key, value, path, bytes(changed))
        if value is not None:  # an empty place shows every key absent that would stand there
            with pytest.raises(VerificationError, match="state_path_invalid"):
                verify_state(key + "x", value, path, root)
    assert kinds == {(False, True), (True, False), (True, True)}, "present; absent beside a leaf; absent, empty place"


def test_a_present_key_cannot_be_shown_absent() -> None:
    """Not by its own leaf as the other one, nor by another's leaf, nor by a shorter path to a node above it."""
    entries = {f"k/{index}": {"v": index} for index in range(60)}
    node = _tree(entries)
    root = root_of(node)
    for key in entries:
        _, path = path_of(node, key)
        own = OtherLeaf(path=_hash("state-key", key.encode()), entry=state_entry(encode([key, entries[key]])))
        others = [path_of(node, f"absent/{index}")[1].other for index in range(20)]
        for other in [own, None, *others]:
            for depth in range(len(path.siblings) + 1):
                with pytest.raises(VerificationError, match="state_path_invalid"):
                    verify_state(key, None, StatePath(siblings=path.siblings[:depth], other=other), root)


def test_the_empty_tree_has_the_root_of_nothing_and_every_key_is_absent_in_it() -> None:
    assert root_of(None).hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    value, path = path_of(None, "any")
    assert value is None and path == StatePath(siblings=(), other=None)
    verify_state("any", None, path, root_of(None))
    with pytest.raises(VerificationError, match="state_path_invalid"):
        verify_state("any", {"v": 1}, path, root_of(None))


def test_paths_that_agree_for_long_still_part(monkeypatch: pytest.MonkeyPatch) -> None:
    """Someone may search for keys whose hashes agree at the start: 250 common bits cost depth, nothing else."""
    from lianzheng.ledger.hashing import state_path as real

    def crafted(key: str) -> bytes:
        return b"\xaa" * 31 + key[4:5].encode() if key.startswith("near") else real(key)

    monkeypatch.setattr("lianzheng.ledger.sparse.state_path", crafted)
    monkeypatch.setattr("lianzheng.ledger.proofs.state_path", crafted)
    batch = {f"near{letter}": {"v": 1} for letter in "abc"} | {f"k/{index}": {"v": index} for index in range(10)}
    node = _tree(batch)
    for key in [*batch, "neard", "near~"]:
        value, path = path_of(node, key)
        verify_state(key, value, path, root_of(node))
    assert len(path_of(node, "nearb")[1].siblings) == 256
    smaller = _apply(node, {"neara": None, "nearc": None})
    assert len(path_of(smaller, "nearb")[1].siblings) < 10
    assert root_of(smaller) == root_of(
        _tree({key: value for key, value in batch.items() if key not in ("neara", "nearc")})
    )


def test_proofs_of_a_large_tree_are_short() -> None:
    """Of n keys with uniform hashes a path has log2(n) + 1.33 nodes on average (trie of random bits)."""
    node = _tree({f"key/{index}": {"v": index} for index in range(2**13)})
    lengths = [len(path_of(node, f"key/{index}")[1].siblings) for index in range(0, 2**13, 16)]
    assert 13 <= sum(lengths) / len(lengths) <= 15.5
    assert max(lengths) <= 2 * 13 + 10
