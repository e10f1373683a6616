"""Sorted keys in blocks, against a plain sorted list."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

import lianzheng.ledger.keys as keys_module
from lianzheng.ledger.keys import SortedKeys

KEYS = st.text(alphabet="ab/é~", max_size=4)


@settings(max_examples=200, deadline=None)
@given(st.lists(KEYS, unique=True, max_size=40), st.lists(KEYS, max_size=80), st.lists(KEYS, max_size=5))
def test_it_is_a_sorted_set(first: list[str], steps: list[str], prefixes: list[str]) -> None:
    size = keys_module._BLOCK
    keys_module._BLOCK = 3  # blocks split and empty within a few steps
    try:
        keys, mirror = SortedKeys(sorted(first)), set(first)
        for step in steps:
            if step in mirror:
                keys.remove(step)
                mirror.discard(step)
            else:
                keys.add(step)
                mirror.add(step)
            assert list(keys) == sorted(mirror)
        for prefix in ("", *prefixes):
            assert keys.with_prefix(prefix) == sorted(key for key in mirror if key.startswith(prefix))
    finally:
        keys_module._BLOCK = size


def test_the_order_is_that_of_utf8_bytes() -> None:
    keys = SortedKeys()
    for key in ("\U00010000", "￿", "é", "z"):
        keys.add(key)
    assert list(keys) == sorted(keys, key=str.encode) == ["z", "é", "￿", "\U00010000"]
