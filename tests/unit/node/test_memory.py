"""The cycle collector beside a large state."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator

import pytest

from lianzheng.clock import DAY_MS
from lianzheng.node.memory import Heap


class Knot:
    """Something that only the collector can free once nobody holds it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*thresholds)
    gc.enable()


def test_what_lives_is_set_aside_and_the_collector_runs_again() -> None:
    heap, before = Heap(0), gc.get_threshold()
    heap.load()
    assert not gc.isenabled()
    held = Knot()
    assert not heap.settle(1)
    assert gc.isenabled() and gc.get_freeze_count() > 0
    assert all(one is not held for one in gc.get_objects()), "no collection looks at it"
    heap.close()
    assert (gc.get_freeze_count(), gc.get_threshold()) == (0, before)


def test_cycles_that_were_set_aside_are_freed_once_a_day() -> None:
    heap = Heap(0)
    knot = Knot()
    gone = weakref.ref(knot)
    heap.settle(1)
    del knot
    assert not heap.settle(DAY_MS - 1) and gone() is not None
    assert heap.settle(DAY_MS) and gone() is None
    assert not heap.settle(DAY_MS + 1), "and a day from then on"
