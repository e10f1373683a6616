"""Polynomials over GF(256), reduced by x^8 + x^4 + x^3 + x + 1: SLIP-0039's Shamir layer, byte by byte of a value.

No table is looked up at a secret place: products are made by shifts and masks alone.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["interpolate", "multiply"]

_REDUCED = 0x1B


def multiply(a: int, b: int) -> int:
    """The product of two field elements, in the same steps for all of them."""
    product = 0
    for _ in range(8):
        product ^= -(b & 1) & a
        a = ((a << 1) & 0xFF) ^ (-(a >> 7) & _REDUCED)
        b >>= 1
    return product


def interpolate(points: Mapping[int, bytes], x: int) -> bytes:
    """The value at ``x`` of the polynomial of least degree through ``points``, which are distinct and equally long."""
    weights = {place: _weight(points, place, x) for place in points}
    size = len(next(iter(points.values())))
    value = bytearray(size)
    for place, data in points.items():
        for index in range(size):
            value[index] ^= multiply(weights[place], data[index])
    return bytes(value)


def _weight(points: Mapping[int, bytes], place: int, x: int) -> int:
    """Lagrange's coefficient of the point at ``place``: places are no secret."""
    above, below = 1, 1
    for other in points:
        if other != place:
            above = multiply(above, x ^ other)
            below = multiply(below, place ^ other)
    return multiply(above, _inverse(below))


def _inverse(a: int) -> int:
    """a^254."""
    result, power = 1, a
    for _ in range(7):
        power = multiply(power, power)
        result = multiply(result, power)
    return result
