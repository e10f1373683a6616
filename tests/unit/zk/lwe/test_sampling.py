"""Secrets and errors have the distributions that the security estimate presumes (PIR-2)."""

from __future__ import annotations

import math
import random as seeded
from collections import Counter
from itertools import pairwise

import pytest

np = pytest.importorskip("numpy")

from lianzheng.zk.lwe import sampling  # noqa: E402

COUNT = 400_000


def chi_square(counts: Counter[int], chances: dict[int, float]) -> float:
    total = sum(counts.values())
    return sum((counts[value] - total * chance) ** 2 / (total * chance) for value, chance in chances.items())


def test_ternary_is_uniform() -> None:
    counts = Counter(sampling.ternary(COUNT, seeded.Random(1).randbytes).tolist())
    assert set(counts) == {-1, 0, 1}
    assert chi_square(counts, dict.fromkeys((-1, 0, 1), 1 / 3)) < 18.4  # 10^-4 at 2 degrees of freedom


def test_ternary_draws_the_one_uneven_byte_again() -> None:
    source = iter([b"\xff" * 63 + b"\x02", bytes(200)])
    assert sampling.ternary(3, lambda _: next(source)).tolist() == [1, -1, -1]


def test_gaussian_has_its_chances() -> None:
    counts = Counter(sampling.gaussian(COUNT, seeded.Random(2).randbytes).tolist())
    weights = {x: math.exp(-(x**2) / (2 * 6.4**2)) for x in range(-76, 77)}
    chances = {x: weight / sum(weights.values()) for x, weight in weights.items() if abs(x) <= 22}
    assert chi_square(counts, chances) < 90  # 45 degrees of freedom: 10^-4 is 86
    assert max(abs(x) for x in counts) < 40


def test_gaussian_thresholds_are_symmetric_and_reach_the_cut() -> None:
    thresholds = sampling.cumulative(64, 76)
    assert len(thresholds) == 152
    assert all(left < right for left, right in pairwise(thresholds))
    assert all(abs(left + right - 2**128) <= 2 for left, right in zip(thresholds, thresholds[::-1], strict=True))


@pytest.mark.parametrize(("low", "expected"), [(-1, -40), (0, -39)])
def test_gaussian_uses_all_128_bits_at_a_threshold(low: int, expected: int) -> None:
    """Just below a threshold and on it: 64 bits would not tell them apart."""
    threshold = sampling.cumulative(64, 76)[76 - 40]
    high, rest = divmod(threshold + low, 2**64)
    words = iter([high.to_bytes(8, "little"), rest.to_bytes(8, "little")])
    assert sampling.gaussian(1, lambda _: next(words)).tolist() == [expected]


def test_gaussian_ends_at_the_cut() -> None:
    assert sampling.gaussian(2, lambda size: bytes(size)).tolist() == [-76, -76]
    assert sampling.gaussian(2, lambda size: b"\xff" * size).tolist() == [76, 76]
