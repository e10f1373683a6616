"""Secrets and errors from a CSPRNG: uniform ternary, and a discrete Gaussian cut at 12σ (PIR-2)."""

from __future__ import annotations

import secrets
from bisect import bisect_right
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import cache

import numpy as np
from numpy.typing import NDArray

from lianzheng.zk.lwe.parameters import PARAMETERS

__all__ = ["Random", "cumulative", "gaussian", "ternary"]

Random = Callable[[int], bytes]
_SCALE_BITS = 128
"""At 12σ an error has a chance of about 2^-105: 64 bits would cut the tail at 9σ."""
_LOW = 2**64


def ternary(count: int, random: Random = secrets.token_bytes) -> NDArray[np.int8]:
    """``count`` values, each −1, 0 or 1 with the same chance."""
    out = np.empty(0, dtype=np.int8)
    while out.size < count:
        drawn = np.frombuffer(random(count - out.size + 64), dtype=np.uint8)
        even = drawn[drawn < 255]  # 255 = 3 · 85: the one byte that would favour a remainder is drawn again
        out = np.concatenate([out, (even % 3).astype(np.int8) - np.int8(1)])
    return out[:count]


def gaussian(count: int, random: Random = secrets.token_bytes) -> NDArray[np.int32]:
    """``count`` errors with chances in proportion to exp(−x² / 2σ²), |x| ≤ 12σ, exact to 2^-128."""
    thresholds, highs = _tables()
    drawn = np.frombuffer(random(8 * count), dtype="<u8")
    index = np.searchsorted(highs, drawn, side="left")
    # Where the upper 64 bits equal those of a threshold (once in 2^57 draws) the lower 64 decide.
    for at in np.flatnonzero(index != np.searchsorted(highs, drawn, side="right")):
        exact = int(drawn[at]) * _LOW + int.from_bytes(random(8), "little")
        index[at] = bisect_right(thresholds, exact)
    return (index - PARAMETERS.error_max).astype(np.int32)


@cache
def cumulative(sigma_tenths: int, error_max: int) -> tuple[int, ...]:
    """2^128 times the chance of at most x, for x from −error_max to error_max − 1, rounded down."""
    with localcontext() as context:
        context.prec = 80
        twice_variance = 2 * (Decimal(sigma_tenths) / 10) ** 2
        weights = [(-(Decimal(x) ** 2) / twice_variance).exp() for x in range(-error_max, error_max + 1)]
        total, running, out = sum(weights), Decimal(0), []
        for weight in weights[:-1]:
            running += weight
            out.append(int(running / total * 2**_SCALE_BITS))
    return tuple(out)


@cache
def _tables() -> tuple[tuple[int, ...], NDArray[np.uint64]]:
    thresholds = cumulative(PARAMETERS.sigma_tenths, PARAMETERS.error_max)
    return thresholds, np.array([value // _LOW for value in thresholds], dtype=np.uint64)
