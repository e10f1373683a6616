"""State root of schema 1 (B30), committed view, going over to another schema."""

from __future__ import annotations

import pytest

from lianzheng.encoding.canonical import encode
from lianzheng.errors import FormatError
from lianzheng.ledger.merkle import root_of
from lianzheng.ledger.state import MemoryState


def _plain_root(entries: dict[str, dict[str, int]]) -> bytes:
    ordered = sorted(entries.items(), key=lambda item: item[0].encode())
    return root_of([encode([key, value]) for key, value in ordered])


def test_root_after_each_kind_of_change_equals_a_fresh_tree() -> None:
    state = MemoryState()
    mirror: dict[str, dict[str, int]] = {}
    steps: list[list[tuple[str, dict[str, int] | None]]] = [
        [("m", {"v": 1})],
        [("a", {"v": 1}), ("z", {"v": 1})],
        [("m", {"v": 2})],
        [("b", {"v": 1}), ("a", {"v": 2})],
        [("z", None)],
        [("a", None), ("c", {"v": 1}), ("d", {"v": 1}), ("e", {"v": 1})],
        [("e", {"v": 2}), ("b", {"v": 2})],
        [("é", {"v": 1}), ("~", {"v": 1})],
    ]
    assert state.root() == root_of([])
    for writes in steps:
        state.apply(writes)
        for key, value in writes:
            if value is None:
                mirror.pop(key, None)
            else:
                mirror[key] = value
        assert state.root() == _plain_root(mirror)
    state.apply([(key, None) for key in mirror])
    assert state.root() == root_of([])


def test_committed_view_ignores_the_block_in_flight() -> None:
    state = MemoryState()
    state.apply([("k/1", {"v": 1}), ("k/2", {"v": 1})])
    state.commit()
    view = state.committed()
    state.apply([("k/1", {"v": 2}), ("k/2", None), ("k/3", {"v": 1})])
    assert [view.get(f"k/{index}") for index in (1, 2, 3)] == [{"v": 1}, {"v": 1}, None]
    assert list(view.scan("k/")) == [("k/1", {"v": 1}), ("k/2", {"v": 1})]
    state.commit()
    assert list(view.scan("k/")) == [("k/1", {"v": 2}), ("k/3", {"v": 1})] == list(state.scan("k/"))


def test_a_write_that_cannot_be_encoded_leaves_everything_as_it_was() -> None:
    state = MemoryState()
    state.apply([("a", {"v": 1})])
    before = state.root()
    with pytest.raises(FormatError):
        state.apply([("a", {"v": 2}), ("b", {"v": 1.5})])
    assert state.root() == before and state.get("a") == {"v": 1}


def test_going_over_to_another_schema_gives_the_root_that_a_new_state_would_have() -> None:
    writes: list[tuple[str, dict[str, int] | None]] = [(f"key/{index}", {"v": index}) for index in range(50)]
    old, new = MemoryState(1), MemoryState(2)
    for state in (old, new):
        state.apply(writes)
    assert old.root() != new.root()
    old.upgrade(2)
    assert old.root() == new.root()
    for state in (old, new):
        state.apply([("key/7", None), ("key/8", {"v": -1})])
    assert old.root() == new.root()
