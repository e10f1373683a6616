"""Verification of RFC 9162 proofs and of paths in the sparse state tree, and nothing that could build one (LED-6)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.encoding.model import Bytes, Bytes32, Record, Seq
from lianzheng.errors import VerificationError
from lianzheng.ledger.hashing import (
    EMPTY,
    HashName,
    digest_of,
    leaf_hash,
    node_hash,
    state_entry,
    state_leaf,
    state_node,
    state_path,
)

__all__ = ["OtherLeaf", "StatePath", "verify_consistency", "verify_inclusion", "verify_leaf_inclusion", "verify_state"]

_HASH_BYTES = 32
_DEPTH_MAX = 8 * _HASH_BYTES


class OtherLeaf(Record):
    """The leaf that stands where an absent key would: what its hash is made of, without key or value."""

    path: Bytes32
    entry: Bytes32


class StatePath(Record):
    """From the root of the sparse tree down to where a key stands, or would."""

    siblings: Annotated[tuple[Annotated[Bytes, Field(max_length=_HASH_BYTES)], ...], Seq, Field(max_length=_DEPTH_MAX)]
    """Hash beside the path at each depth, the root's child first; no bytes for an empty subtree."""
    other: OtherLeaf | None
    """Of an absent key only: the leaf in its place; null where its place is empty."""


def verify_inclusion(
    entry: bytes, index: int, size: int, path: Sequence[bytes], root: bytes, hash_name: HashName = "sha256"
) -> None:
    """Return only if ``entry`` is at ``index`` of the tree of ``size`` entries under ``root`` (RFC 9162 §2.1.3.2).

    Raises ``VerificationError`` ``inclusion_invalid``.
    """
    verify_leaf_inclusion(leaf_hash(entry, digest_of(hash_name)), index, size, path, root, hash_name)


def verify_leaf_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes, hash_name: HashName = "sha256"
) -> None:
    """As :func:`verify_inclusion`, for a leaf that is hashed already."""
    digest = digest_of(hash_name)
    if not 0 <= index < size or any(len(node) != _HASH_BYTES for node in (leaf, *path)):
        raise _inclusion_invalid()
    position, last, result = index, size - 1, leaf
    for node in path:
        if last == 0:
            raise _inclusion_invalid()
        if position & 1 or position == last:
            result = node_hash(node, result, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            result = node_hash(result, node, digest)
        position, last = position >> 1, last >> 1
    if last != 0 or result != root:
        raise _inclusion_invalid()


def verify_consistency(
    old_size: int,
    new_size: int,
    old_root: bytes,
    new_root: bytes,
    path: Sequence[bytes],
    hash_name: HashName = "sha256",
) -> None:
    """Return only if the old tree is a prefix of the new one (RFC 9162 §2.1.4.2).

    An empty old tree under a larger one is refused: everything follows it, so nothing would be proven.
    Raises ``VerificationError`` ``consistency_invalid``.
    """
    digest = digest_of(hash_name)
    if not 0 <= old_size <= new_size or any(len(node) != _HASH_BYTES for node in path):
        raise _consistency_invalid()
    if old_size == new_size:
        if path or old_root != new_root or (old_size == 0 and old_root != digest(b"")):
            raise _consistency_invalid()
        return
    if old_size == 0:
        raise _consistency_invalid()
    nodes = list(path)
    if old_size & (old_size - 1) == 0:
        nodes.insert(0, old_root)
    if not nodes:
        raise _consistency_invalid()
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old_result = new_result = nodes[0]
    for node in nodes[1:]:
        if last == 0:
            raise _consistency_invalid()
        if position & 1 or position == last:
            old_result = node_hash(node, old_result, digest)
            new_result = node_hash(node, new_result, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new_result = node_hash(new_result, node, digest)
        position, last = position >> 1, last >> 1
    if last != 0 or old_result != old_root or new_result != new_root:
        raise _consistency_invalid()


def verify_state(key: str, value: JsonObject | None, path: StatePath, root: bytes) -> None:
    """Return only if the sparse tree under ``root`` holds ``value`` at ``key``; None: only if it has no such key.

    Raises ``VerificationError`` ``state_path_invalid``; ``FormatError`` of ``encode`` for a value without an encoding.
    """
    own, other = state_path(key), path.other
    position, depth = int.from_bytes(own, "big"), len(path.siblings)
    if any(len(node) not in (0, _HASH_BYTES) or node == EMPTY for node in path.siblings) or depth > _DEPTH_MAX:
        raise _state_path_invalid()
    if value is not None:
        if other is not None:
            raise _state_path_invalid()
        result = state_leaf(own, state_entry(encode([key, value])))
    elif other is not None:
        shift = _DEPTH_MAX - depth
        if other.path == own or int.from_bytes(other.path, "big") >> shift != position >> shift:
            raise _state_path_invalid()
        result = state_leaf(other.path, other.entry)
    else:
        result = EMPTY
    for level in range(depth - 1, -1, -1):
        sibling = path.siblings[level] or EMPTY
        right = position >> (_DEPTH_MAX - 1 - level) & 1
        result = state_node(sibling, result) if right else state_node(result, sibling)
    if result != root:
        raise _state_path_invalid()


def _inclusion_invalid() -> VerificationError:
    return VerificationError("inclusion_invalid", "An inclusion proof does not lead from the entry to the root.")


def _consistency_invalid() -> VerificationError:
    return VerificationError("consistency_invalid", "A consistency proof does not connect the two roots.")


def _state_path_invalid() -> VerificationError:
    return VerificationError("state_path_invalid", "A proof about the ledger's state does not lead to its root.")
