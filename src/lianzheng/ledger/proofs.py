"""Verification of RFC 9162 inclusion and consistency proofs, and nothing that could build one."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.errors import VerificationError
from lianzheng.ledger.hashing import HashName, digest_of, leaf_hash, node_hash

__all__ = ["verify_consistency", "verify_inclusion", "verify_leaf_inclusion"]

_HASH_BYTES = 32


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


def _inclusion_invalid() -> VerificationError:
    return VerificationError("inclusion_invalid", "An inclusion proof does not lead from the entry to the root.")


def _consistency_invalid() -> VerificationError:
    return VerificationError("consistency_invalid", "A consistency proof does not connect the two roots.")
