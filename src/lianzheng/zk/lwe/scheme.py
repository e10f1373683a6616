"""Hint, query, answer, decoding (PIR-2). Symbols and equations stand in ``lianzheng.zk.lwe``.

Wire forms are little-endian and have no header: the sizes follow from the numbers of columns and of bytes a column.
"""

from __future__ import annotations

import secrets
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from cryptography.hazmat.primitives.hashes import SHAKE128, XOFHash
from numpy.typing import NDArray

from lianzheng.errors import ConflictError, FormatError
from lianzheng.zk.lwe.kernels import decode_rows, multiply_rows, multiply_secret
from lianzheng.zk.lwe.parameters import PARAMETERS, hint_bytes, vector_bytes
from lianzheng.zk.lwe.sampling import Random, gaussian, ternary

__all__ = ["Database", "Matrix", "QueryState", "answer", "decode", "hint", "query"]

_N = PARAMETERS.dimension
_STEP = 1 << (PARAMETERS.modulus_bits - PARAMETERS.plain_bits)
_BLOCK = 2048
"""Columns of A held at a time for the hint. A sum of 2048 products of 7 and 31 bits is exact in a double (2^49)."""
_SPLIT_BYTES = 32 * 1024 * 1024
"""From here on an answer is worth a second thread: it is bound by memory, and one core does not use all of it."""


class Database:
    """Columns of bytes in the order in which an answer reads them."""

    def __init__(self, rows: NDArray[np.int8]) -> None:
        self.rows = rows

    @classmethod
    def from_columns(cls, columns: Sequence[bytes]) -> Database:
        """All of one length. Raises ``FormatError`` ``lwe_shape``."""
        length = len(columns[0]) if columns else 0
        if not 1 <= len(columns) <= PARAMETERS.columns_max or not length or any(len(c) != length for c in columns):
            raise FormatError("lwe_shape", "A database has 1 to 2^16 columns of one length.")
        square = np.frombuffer(b"".join(columns), dtype=np.int8).reshape(len(columns), length)
        return cls(np.ascontiguousarray(square.T))

    @property
    def columns(self) -> int:
        """M."""
        return int(self.rows.shape[1])

    @property
    def column_bytes(self) -> int:
        """ℓ."""
        return int(self.rows.shape[0])


class Matrix:
    """A, expanded: n words a column (B23). Public; worth keeping while many queries are made of one database."""

    def __init__(self, seed: bytes, columns: int) -> None:
        if not 1 <= columns <= PARAMETERS.columns_max:
            raise FormatError("lwe_shape", "A database has 1 to 2^16 columns.")
        self.words = np.empty((columns, _N), dtype=np.uint32)
        for start, block in _expand(seed, columns):
            self.words[start : start + len(block)] = block

    @property
    def columns(self) -> int:
        """M."""
        return int(self.words.shape[0])


class QueryState:
    """The secret of one query. It decodes one answer and is gone: one secret twice would show both columns."""

    def __init__(self, secret: NDArray[np.int8]) -> None:
        self._secret: NDArray[np.int8] | None = secret
        self._lock = threading.Lock()

    def take(self) -> NDArray[np.int8]:
        """The secret, once. Raises ``ConflictError`` ``query_state_used``."""
        with self._lock:
            secret, self._secret = self._secret, None
        if secret is None:
            raise ConflictError("query_state_used", "The secret of this query has been used and erased.")
        return secret

    def erase(self) -> None:
        """No answer will be decoded."""
        with self._lock:
            secret, self._secret = self._secret, None
        if secret is not None:
            secret.fill(0)

    def __repr__(self) -> str:
        return "QueryState()"

    def __reduce__(self) -> str:
        raise ConflictError("query_state_used", "The secret of a query is neither stored nor sent.")


def hint(database: Database, seed: bytes) -> bytes:
    """``round(D·A / 2^16)``, ℓ·n words of 16 bits, row by row (B22)."""
    total = np.zeros((database.column_bytes, _N), dtype=np.uint32)
    for start, block in _expand(seed, database.columns):
        # Doubles hold these sums exactly, in whatever order they are added, and a linear algebra library adds fast.
        part = database.rows[:, start : start + len(block)].astype(np.float64) @ block.view(np.int32).astype(np.float64)
        total += part.astype(np.int64).astype(np.uint32)
    rounded = (total + np.uint32(1 << 15)) >> np.uint32(16)
    return rounded.astype("<u2").tobytes()


def query(column: int, matrix: Matrix, random: Random = secrets.token_bytes) -> tuple[QueryState, bytes]:
    """The secret to keep and the vector to send; the vector shows nothing about ``column`` (LWE).

    Secret and errors are drawn anew from ``random``. Raises ``FormatError`` ``lwe_column``.
    """
    if not 0 <= column < matrix.columns:
        raise FormatError("lwe_column", "The database has no such column.")
    secret = ternary(_N, random)
    vector = gaussian(matrix.columns, random).view(np.uint32)
    multiply_secret(matrix.words, secret, vector)
    vector[column : column + 1] += np.uint32(_STEP)  # an array wraps modulo 2^32; a scalar would warn
    return QueryState(secret), vector.astype("<u4").tobytes()


def answer(database: Database, vector: bytes) -> bytes:
    """``round(D·vector / 2^16)``; reads the whole database whatever is asked. Raises ``FormatError`` ``lwe_vector``."""
    if len(vector) != vector_bytes(database.columns):
        raise FormatError("lwe_vector", "A query has one word a column.")
    words = np.frombuffer(vector, dtype="<u4").astype(np.uint32, copy=False)
    out = np.empty(database.column_bytes, dtype=np.uint16)
    if database.rows.nbytes < _SPLIT_BYTES:
        multiply_rows(database.rows, words, out)
    else:
        half = database.column_bytes // 2
        with ThreadPoolExecutor(1) as pool:
            other = pool.submit(multiply_rows, database.rows[:half], words, out[:half])
            multiply_rows(database.rows[half:], words, out[half:])
            other.result()
    return out.astype("<u2").tobytes()


def decode(state: QueryState, hint: bytes, answer: bytes) -> bytes:
    """The column that was asked for; the secret is erased, also where decoding fails.

    Raises ``ConflictError`` ``query_state_used``, ``FormatError`` ``lwe_answer``.
    """
    secret = state.take()
    try:
        length = len(answer) // 2
        if len(answer) % 2 or len(hint) != hint_bytes(length):
            raise FormatError("lwe_answer", "The answer or the hint has another length than the columns.")
        words = np.frombuffer(hint, dtype="<u2").astype(np.uint16, copy=False).reshape(length, _N)
        out = np.empty(length, dtype=np.uint8)
        decode_rows(words, secret, np.frombuffer(answer, dtype="<u2").astype(np.uint16, copy=False), out)
        return out.tobytes()
    finally:
        secret.fill(0)


def _expand(seed: bytes, columns: int) -> Iterator[tuple[int, NDArray[np.uint32]]]:
    """A in blocks of whole columns, each with the number of its first column."""
    xof = XOFHash(SHAKE128(digest_size=sys.maxsize))
    xof.update(seed)
    for start in range(0, columns, _BLOCK):
        count = min(_BLOCK, columns - start)
        words = np.frombuffer(xof.squeeze(4 * _N * count), dtype="<u4").astype(np.uint32, copy=False)
        yield start, words.reshape(count, _N)
