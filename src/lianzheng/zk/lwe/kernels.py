"""The inner loops, compiled: products modulo 2^32 and 2^16. They release the interpreter while they run."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["decode_rows", "multiply_rows", "multiply_secret"]

Bytes = NDArray[np.int8]
Words = NDArray[np.uint32]
Halves = NDArray[np.uint16]


def _multiply_rows(database: Bytes, vector: Words, out: Halves) -> None:
    """``out[r] = round(Σ_c database[r, c]·vector[c] / 2^16)``."""
    rows, columns = database.shape
    # Four rows at a time: each word of the vector is loaded once for four products, which is what makes the sum run
    # at the speed at which the database can be read.
    for row in range(0, rows - 3, 4):
        first = second = third = fourth = np.uint32(1 << 15)
        for column in range(columns):
            word = vector[column]
            first = np.uint32(first + np.uint32(np.int32(database[row, column])) * word)
            second = np.uint32(second + np.uint32(np.int32(database[row + 1, column])) * word)
            third = np.uint32(third + np.uint32(np.int32(database[row + 2, column])) * word)
            fourth = np.uint32(fourth + np.uint32(np.int32(database[row + 3, column])) * word)
        out[row] = np.uint16(first >> np.uint32(16))
        out[row + 1] = np.uint16(second >> np.uint32(16))
        out[row + 2] = np.uint16(third >> np.uint32(16))
        out[row + 3] = np.uint16(fourth >> np.uint32(16))
    for row in range(rows - rows % 4, rows):
        total = np.uint32(1 << 15)
        for column in range(columns):
            total = np.uint32(total + np.uint32(np.int32(database[row, column])) * vector[column])
        out[row] = np.uint16(total >> np.uint32(16))


def _multiply_secret(matrix: Words, secret: Bytes, out: Words) -> None:
    """``out[c] += Σ_j matrix[c, j]·secret[j]``."""
    for row in range(matrix.shape[0]):
        total = out[row]
        for column in range(matrix.shape[1]):
            total = np.uint32(total + np.uint32(np.int32(secret[column])) * matrix[row, column])
        out[row] = total


def _decode_rows(hint: Halves, secret: Bytes, answer: Halves, out: NDArray[np.uint8]) -> None:
    """``out[r] = round((answer[r] − Σ_j hint[r, j]·secret[j]) / 2^8)`` modulo 2^8, all sums modulo 2^16."""
    for row in range(hint.shape[0]):
        total = np.uint32(0)
        for column in range(hint.shape[1]):
            total = np.uint32(total + np.uint32(np.int32(secret[column])) * np.uint32(hint[row, column]))
        out[row] = np.uint8((np.uint32(answer[row]) - total + np.uint32(1 << 7)) >> np.uint32(8))


def _read(word: numba.types.Type, dimensions: int) -> numba.types.Type:
    return numba.types.Array(word, dimensions, "C", readonly=True)


# Signatures are given, so that they are compiled (or read from the cache) here and never in the middle of a query.
_compile = partial(numba.njit, nogil=True, cache=True)
multiply_rows: Callable[[Bytes, Words, Halves], None] = _compile(
    numba.void(_read(numba.int8, 2), _read(numba.uint32, 1), numba.uint16[::1])
)(_multiply_rows)
multiply_secret: Callable[[Words, Bytes, Words], None] = _compile(
    numba.void(_read(numba.uint32, 2), _read(numba.int8, 1), numba.uint32[::1])
)(_multiply_secret)
decode_rows: Callable[[Halves, Bytes, Halves, NDArray[np.uint8]], None] = _compile(
    numba.void(_read(numba.uint16, 2), _read(numba.int8, 1), _read(numba.uint16, 1), numba.uint8[::1])
)(_decode_rows)
