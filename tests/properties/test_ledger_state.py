"""The incremental state root equals a tree built anew, and views equal a plain dictionary (B30)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.encoding.canonical import encode
from lianzheng.ledger.merkle import root_of
from lianzheng.ledger.state import MemoryState

KEYS = st.text("abé/", min_size=1, max_size=3)
BLOCKS = st.lists(st.lists(st.tuples(KEYS, st.none() | st.integers(0, 3)), max_size=6), max_size=12)


@settings(max_examples=200, deadline=None)
@given(BLOCKS, st.lists(st.booleans(), min_size=12, max_size=12))
def test_root_and_views(blocks: list[list[tuple[str, int | None]]], commits: list[bool]) -> None:
    state = MemoryState()
    working: dict[str, dict[str, int]] = {}
    committed: dict[str, dict[str, int]] = {}
    for writes, commit in zip(blocks, commits, strict=False):
        state.apply([(key, None if value is None else {"v": value}) for key, value in writes])
        for key, value in writes:
            if value is None:
                working.pop(key, None)
            else:
                working[key] = {"v": value}
        if commit:
            state.commit()
            committed = dict(working)
        ordered = sorted(working.items(), key=lambda item: item[0].encode())
        assert state.root() == root_of([encode([key, value]) for key, value in ordered])
        view = state.committed()
        for prefix in ("", "a", "é", "ab"):
            assert dict(state.scan(prefix)) == {k: v for k, v in working.items() if k.startswith(prefix)}
            expected = sorted((k, v) for k, v in committed.items() if k.startswith(prefix))
            assert list(view.scan(prefix)) == expected
        assert all(view.get(key) == committed.get(key) for key in working.keys() | committed.keys())
