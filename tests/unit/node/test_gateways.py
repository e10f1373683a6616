"""The allowance of each peer, in exact integers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lianzheng.clock import ManualClock
from lianzheng.node.gateways import TokenBucket

MINUTE_MS = 60_000


def test_a_minutes_allowance_at_once_then_an_even_refill() -> None:
    clock = ManualClock()
    bucket = TokenBucket(3, clock)
    assert [bucket.take("a") for _ in range(4)] == [True, True, True, False]
    clock.advance(MINUTE_MS // 3 - 1)
    assert not bucket.take("a")
    clock.advance(1)
    assert [bucket.take("a") for _ in range(2)] == [True, False]


def test_peers_do_not_share() -> None:
    bucket = TokenBucket(1, ManualClock())
    assert [bucket.take(peer) for peer in ("a", "b", "a", "b")] == [True, True, False, False]


def test_never_more_than_a_minutes_allowance_is_saved() -> None:
    clock = ManualClock()
    bucket = TokenBucket(2, clock)
    bucket.take("a")
    clock.advance(24 * 60 * MINUTE_MS)
    assert [bucket.take("a") for _ in range(3)] == [True, True, False]


def test_a_refused_request_costs_nothing() -> None:
    clock = ManualClock()
    bucket = TokenBucket(1, clock)
    assert bucket.take("a")
    for _ in range(59):
        clock.advance(1000)
        assert not bucket.take("a")
    clock.advance(1000)
    assert bucket.take("a")


@given(st.integers(1, 100_000), st.lists(st.integers(0, 30_000), max_size=60))
def test_over_any_stretch_at_most_the_rate_and_one_allowance(per_minute: int, steps_ms: list[int]) -> None:
    clock = ManualClock()
    bucket = TokenBucket(per_minute, clock)
    taken = 0
    for step_ms in steps_ms:
        taken += bucket.take("a")
        clock.advance(step_ms)
    assert taken * MINUTE_MS <= per_minute * (sum(steps_ms) + MINUTE_MS)
    assert taken >= min(len(steps_ms), per_minute), "the first minute's allowance is never withheld"
