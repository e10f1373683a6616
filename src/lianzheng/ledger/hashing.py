"""Leaf and node hashes of RFC 9162 §2.1.1: distinct prefixes, so that no node can pass for a leaf."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from lianzheng.crypto.digest import sha256_raw, sm3_raw

__all__ = ["HashName", "digest_of", "leaf_hash", "node_hash"]

HashName = Literal["sha256", "sm3"]
Digest = Callable[[bytes], bytes]
_DIGESTS: dict[str, Digest] = {"sha256": sha256_raw, "sm3": sm3_raw}


def digest_of(hash_name: HashName) -> Digest:
    """The raw hash function of this name."""
    return _DIGESTS[hash_name]


def leaf_hash(entry: bytes, digest: Digest) -> bytes:
    """Hash of a leaf: H(0x00 ‖ entry)."""
    return digest(b"\x00" + entry)


def node_hash(left: bytes, right: bytes, digest: Digest) -> bytes:
    """Hash of an inner node: H(0x01 ‖ left ‖ right)."""
    return digest(b"\x01" + left + right)
