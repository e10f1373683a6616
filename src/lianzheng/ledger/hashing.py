"""What stands in the trees: RFC 9162 leaves and nodes (§2.1.1), and the tagged ones of the sparse state tree (LED-6).

Sparse tree, all SHA-256 over tag and framed parts (CON-2):

    path   = H(tag ``state-key`` ‖ key)
    entry  = H(tag ``state-entry`` ‖ JCS([key, value]))
    leaf   = H(tag ``state-leaf`` ‖ path ‖ entry)
    node   = H(tag ``state-node`` ‖ left ‖ right)
    empty  = SHA-256("")

A subtree of one key *is* its leaf, at whatever depth; one without a key is *empty*. So the root depends on the entries
alone, never on the order in which they came.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from lianzheng.crypto.digest import sha256_raw, sm3_raw
from lianzheng.encoding.framing import tag

__all__ = [
    "EMPTY",
    "NODE_MIDDLE",
    "NODE_START",
    "HashName",
    "digest_of",
    "leaf_hash",
    "node_hash",
    "state_entry",
    "state_leaf",
    "state_node",
    "state_path",
]

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


EMPTY = sha256_raw(b"")
"""Hash of a sparse subtree without keys, the whole tree's included (B29)."""
NODE_MIDDLE = (32).to_bytes(4, "big")
"""Stands before the right child, and before every other part of 32 bytes: its length."""
NODE_START = tag("state-node") + NODE_MIDDLE
"""Stands before the left child. Tag and lengths are spelt out here because a block hashes some 15 nodes a key."""
_PATH_START, _ENTRY_START = tag("state-key"), tag("state-entry")
_LEAF_START = tag("state-leaf") + NODE_MIDDLE


def state_path(key: str) -> bytes:
    """Where a key stands in the sparse tree: bit i of these 32 bytes, the highest first, decides at depth i."""
    data = key.encode()
    return sha256_raw(_PATH_START + len(data).to_bytes(4, "big") + data)


def state_entry(encoded: bytes) -> bytes:
    """Hash of an entry, given as JCS([key, value])."""
    return sha256_raw(_ENTRY_START + len(encoded).to_bytes(4, "big") + encoded)


def state_leaf(path: bytes, entry: bytes) -> bytes:
    """Hash of a leaf; both parts have 32 bytes."""
    return sha256_raw(_LEAF_START + path + NODE_MIDDLE + entry)


def state_node(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node; both parts have 32 bytes."""
    return sha256_raw(NODE_START + left + NODE_MIDDLE + right)
