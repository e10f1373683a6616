"""Builder of the compressed sparse Merkle tree of schema 2 (LED-6); hashes as in ``ledger.hashing``.

A node is a plain tuple that never changes, so that an older root stays whole for as long as it is kept:

    inner  (hash, left, right)     left, right: node or None (empty)
    leaf   (hash, key, value)      key: text

A batch walks the tree once: the hashes that its keys share are computed once.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Any

from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.ledger.hashing import (
    EMPTY,
    NODE_MIDDLE,
    NODE_START,
    state_entry,
    state_leaf,
    state_path,
)
from lianzheng.ledger.proofs import OtherLeaf, StatePath

__all__ = ["Node", "path_of", "root_of", "updated"]

Node = tuple[Any, Any, Any] | None
Change = tuple[bytes, JsonObject] | None
"""Hash of the entry and the value; None deletes."""
_Item = tuple[int, str, Node]
"""Path as an integer, key, and its new leaf; None deletes."""
_TOP = 255
_SHA256 = hashlib.sha256
_position: Callable[[_Item], int] = itemgetter(0)


def root_of(node: Node) -> bytes:
    """Root of the tree; SHA-256("") where it is empty (B29)."""
    return EMPTY if node is None else node[0]


def updated(node: Node, changes: Mapping[str, Change]) -> Node:
    """The tree after ``changes``; ``node`` stays as it is. Keys to delete that do not stand are passed over."""
    items: list[_Item] = []
    for key, change in changes.items():
        path = state_path(key)
        leaf = None if change is None else (state_leaf(path, change[0]), key, change[1])
        items.append((int.from_bytes(path, "big"), key, leaf))
    items.sort(key=_position)
    return _update(node, 0, items, 0, len(items)) if items else node


def path_of(node: Node, key: str) -> tuple[JsonObject | None, StatePath]:
    """The value at ``key`` and its path; of an absent key None and the path to its place."""
    position, depth = int.from_bytes(state_path(key), "big"), 0
    siblings: list[bytes] = []
    while node is not None and type(node[1]) is not str:
        right = position >> (_TOP - depth) & 1
        beside = node[1] if right else node[2]
        siblings.append(b"" if beside is None else beside[0])
        node = node[2] if right else node[1]
        depth += 1
    if node is None or node[1] == key:
        return (None if node is None else node[2]), StatePath(siblings=tuple(siblings), other=None)
    other = OtherLeaf(path=state_path(node[1]), entry=state_entry(encode([node[1], node[2]])))
    return None, StatePath(siblings=tuple(siblings), other=other)


def _update(node: Node, depth: int, items: list[_Item], low: int, high: int) -> Node:
    """``node``, which stands at ``depth``, after the changes ``items[low:high]``, all of which lie under it."""
    if node is None or type(node[1]) is str:
        return _place(node, depth, items[low:high])
    if high - low == 1:
        return _update_one(node, depth, items[low])
    middle = _split(items, depth, low, high)
    left, right = node[1], node[2]
    if middle > low:
        left = _update(left, depth + 1, items, low, middle)
    if middle < high:
        right = _update(right, depth + 1, items, middle, high)
    return _join(left, right)


def _update_one(node: Node, depth: int, item: _Item) -> Node:
    """As :func:`_update` for one change: down without calls, then up again."""
    position, shift = item[0], _TOP - depth
    passed: list[tuple[Node, bool]] = []
    while node is not None and type(node[1]) is not str:
        _, left, right = node
        if position >> shift & 1:
            passed.append((left, True))
            node = right
        else:
            passed.append((right, False))
            node = left
        shift -= 1
    node = item[2] if node is None or node[1] == item[1] else _place(node, _TOP - shift, [item])
    for beside, on_right in reversed(passed):
        if node is None or beside is None:
            node = _join(beside, node) if on_right else _join(node, beside)
        elif on_right:
            node = (_SHA256(NODE_START + beside[0] + NODE_MIDDLE + node[0]).digest(), beside, node)
        else:
            node = (_SHA256(NODE_START + node[0] + NODE_MIDDLE + beside[0]).digest(), node, beside)
    return node


def _place(node: Node, depth: int, items: list[_Item]) -> Node:
    """The subtree at ``depth`` of the leaf ``node`` (or of nothing) after ``items``."""
    if node is not None and all(item[1] != node[1] for item in items):
        items = sorted([*items, (int.from_bytes(state_path(node[1]), "big"), node[1], node)], key=_position)
    live = [item for item in items if item[2] is not None]
    return _build(depth, live, 0, len(live))


def _build(depth: int, items: list[_Item], low: int, high: int) -> Node:
    """The subtree at ``depth`` that holds the leaves ``items[low:high]`` and nothing else."""
    if high - low < 2:
        return items[low][2] if high > low else None
    middle = _split(items, depth, low, high)
    return _join(_build(depth + 1, items, low, middle), _build(depth + 1, items, middle, high))


def _split(items: list[_Item], depth: int, low: int, high: int) -> int:
    """The first of ``items[low:high]`` that goes to the right at ``depth``."""
    shift = _TOP - depth
    return bisect_left(items, (items[low][0] >> shift | 1) << shift, low, high, key=_position)


def _join(left: Node, right: Node) -> Node:
    """The node over two subtrees; over one leaf and nothing, that leaf."""
    if left is None:
        if right is None or type(right[1]) is str:
            return right
        return (_SHA256(NODE_START + EMPTY + NODE_MIDDLE + right[0]).digest(), None, right)
    if right is None:
        if type(left[1]) is str:
            return left
        return (_SHA256(NODE_START + left[0] + NODE_MIDDLE + EMPTY).digest(), left, None)
    return (_SHA256(NODE_START + left[0] + NODE_MIDDLE + right[0]).digest(), left, right)
