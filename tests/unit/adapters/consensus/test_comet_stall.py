"""When an engine that makes no blocks is started again, and when it is left alone."""

from __future__ import annotations

from lianzheng.adapters.consensus.cometbft.stall import StallWatch
from lianzheng.clock import ManualClock


def watch() -> tuple[StallWatch, ManualClock]:
    clock = ManualClock(1_790_000_000_000)
    return StallWatch(clock), clock


def test_a_block_that_is_due_for_ten_seconds_and_does_not_come() -> None:
    stall, clock = watch()
    assert not stall.stalled(5, True)
    clock.advance(9_999)
    assert not stall.stalled(5, True)
    clock.advance(1)
    assert stall.stalled(5, True)
    clock.advance(59_999)
    assert not stall.stalled(5, True)  # it has a minute to connect and catch up
    clock.advance(1)
    assert stall.stalled(5, True)


def test_a_block_that_comes_a_quiet_network_or_one_out_of_reach_begins_anew() -> None:
    for height, due in ((6, True), (5, False)):
        stall, clock = watch()
        stall.stalled(5, True)
        clock.advance(9_999)
        assert not stall.stalled(height, due)
        clock.advance(9_999)
        assert not stall.stalled(height, True)
        clock.advance(1)
        assert stall.stalled(height, True)
