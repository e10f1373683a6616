"""The retrieval scheme: right answers at every column, hidden questions, one use a secret (PIR-2, B22, B23)."""

from __future__ import annotations

import hashlib
import pickle
import random as seeded

import pytest

np = pytest.importorskip("numpy")
pytest.importorskip("numba")

from lianzheng.errors import ConflictError, FormatError  # noqa: E402
from lianzheng.zk.lwe import scheme  # noqa: E402
from lianzheng.zk.lwe.parameters import PARAMETERS  # noqa: E402
from lianzheng.zk.lwe.scheme import Database, Matrix, QueryState  # noqa: E402

N = PARAMETERS.dimension
SEED = b"seed of a test"


def columns_of(count: int, length: int, seed: int = 1) -> list[bytes]:
    chance = seeded.Random(seed)
    return [chance.randbytes(length) for _ in range(count)]


def words_of_a(count: int) -> list[int]:
    """A as B23 says it, through the standard library."""
    data = hashlib.shake_128(SEED).digest(4 * count)
    return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]


def centred(byte: int) -> int:
    return byte - 256 if byte > 127 else byte


def test_matrix_is_the_words_of_shake_128_column_after_column() -> None:
    matrix = Matrix(SEED, 5)
    assert matrix.words.ravel().tolist() == words_of_a(5 * N)


def test_matrix_of_more_than_one_block_is_one_stream() -> None:
    data = hashlib.shake_128(SEED).digest(4 * N * 2049)
    assert Matrix(SEED, 2049).words.astype("<u4").tobytes() == data


def test_hint_is_the_rounded_product() -> None:
    columns = columns_of(7, 3)
    a = words_of_a(7 * N)
    expected = bytearray()
    for row in range(3):
        for word in range(N):
            total = sum(centred(columns[c][row]) * a[c * N + word] for c in range(7)) % 2**32
            expected += (((total + 2**15) >> 16) % 2**16).to_bytes(2, "little")
    assert scheme.hint(Database.from_columns(columns), SEED) == bytes(expected)


def test_hint_is_exact_where_all_bytes_are_extreme() -> None:
    """The largest sums that doubles are trusted with, over more than one block."""
    database = Database.from_columns([b"\x80\x7f"] * 4096)
    words = Matrix(SEED, 4096).words.astype(np.int64)
    sums = np.stack([-128 * words.sum(axis=0), 127 * words.sum(axis=0)]) % 2**32
    assert scheme.hint(database, SEED) == (((sums + 2**15) >> 16) % 2**16).astype("<u2").tobytes()


@pytest.mark.parametrize("length", [1, 3, 4, 16, 37])
def test_answer_is_the_rounded_product(length: int) -> None:
    columns = columns_of(33, length)
    chance = seeded.Random(length)
    vector = [chance.getrandbits(32) for _ in columns]
    expected = bytearray()
    for row in range(length):
        total = sum(centred(c[row]) * v for c, v in zip(columns, vector, strict=True)) % 2**32
        expected += (((total + 2**15) >> 16) % 2**16).to_bytes(2, "little")
    sent = b"".join(word.to_bytes(4, "little") for word in vector)
    assert scheme.answer(Database.from_columns(columns), sent) == bytes(expected)


def test_answer_on_two_threads_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    database = Database.from_columns(columns_of(64, 30))
    vector = seeded.Random(3).randbytes(4 * 64)
    one = scheme.answer(database, vector)
    monkeypatch.setattr(scheme, "_SPLIT_BYTES", 0)
    assert scheme.answer(database, vector) == one


@pytest.mark.parametrize(("count", "length"), [(1, 1), (2, 16), (64, 32), (300, 48)])
def test_every_column_is_found(count: int, length: int) -> None:
    columns = columns_of(count, length)
    database, matrix = Database.from_columns(columns), Matrix(SEED, count)
    hint = scheme.hint(database, SEED)
    for column in range(count):
        state, vector = scheme.query(column, matrix)
        assert scheme.decode(state, hint, scheme.answer(database, vector)) == columns[column]


@pytest.mark.parametrize("byte", [0x00, 0x7F, 0x80, 0xFF])
def test_columns_of_extreme_bytes_are_found(byte: int) -> None:
    columns = [bytes([byte]) * 16] * 2048
    database, matrix = Database.from_columns(columns), Matrix(SEED, 2048)
    state, vector = scheme.query(2047, matrix)
    assert scheme.decode(state, scheme.hint(database, SEED), scheme.answer(database, vector)) == columns[0]


def test_two_queries_of_one_column_share_nothing() -> None:
    matrix = Matrix(SEED, 64)
    first, second = (scheme.query(5, matrix)[1] for _ in range(2))
    assert not set(np.frombuffer(first, dtype="<u4").tolist()) & set(np.frombuffer(second, dtype="<u4").tolist())


def test_secret_decodes_once_and_is_erased() -> None:
    columns = columns_of(8, 16)
    database, matrix = Database.from_columns(columns), Matrix(SEED, 8)
    hint = scheme.hint(database, SEED)
    state, vector = scheme.query(3, matrix)
    secret = state._secret
    assert secret is not None and secret.any()
    got = scheme.answer(database, vector)
    assert scheme.decode(state, hint, got) == columns[3]
    assert not secret.any()
    with pytest.raises(ConflictError, match="query_state_used"):
        scheme.decode(state, hint, got)


def test_secret_is_erased_where_the_answer_is_bad() -> None:
    state, _ = scheme.query(3, Matrix(SEED, 8))
    secret = state._secret
    assert secret is not None
    with pytest.raises(FormatError, match="lwe_answer"):
        scheme.decode(state, b"", b"\0")
    assert not secret.any()
    with pytest.raises(ConflictError, match="query_state_used"):
        state.take()


def test_secret_is_erased_where_no_answer_comes_and_never_stored() -> None:
    state, _ = scheme.query(3, Matrix(SEED, 8))
    secret = state._secret
    assert secret is not None and repr(state) == "QueryState()"
    with pytest.raises(ConflictError, match="query_state_used"):
        pickle.dumps(state)
    state.erase()
    state.erase()
    assert not secret.any()
    assert isinstance(state, QueryState)


def test_shapes_are_checked() -> None:
    database = Database.from_columns(columns_of(4, 16))
    for columns in ([], [b""], [b"ab", b"a"], [b"a"] * (2**16 + 1)):
        with pytest.raises(FormatError, match="lwe_shape"):
            Database.from_columns(columns)
    for count in (0, 2**16 + 1):
        with pytest.raises(FormatError, match="lwe_shape"):
            Matrix(SEED, count)
    for vector in (b"", bytes(12), bytes(17), bytes(20)):
        with pytest.raises(FormatError, match="lwe_vector"):
            scheme.answer(database, vector)
    for column in (-1, 4):
        with pytest.raises(FormatError, match="lwe_column"):
            scheme.query(column, Matrix(SEED, 4))


def test_a_query_holds_its_errors() -> None:
    """What is left of a query without A·s and the column's step are the errors; without them s follows by algebra.

    Of 4096 errors with σ = 6.4 the mean square is 40.96 with a standard deviation of 40.96·√(2/4096) = 0.91.
    """
    matrix = scheme.Matrix(b"seed", 4096)
    state, vector = scheme.query(17, matrix)
    words = np.frombuffer(vector, dtype="<u4").astype(np.int64)
    rest = words - matrix.words.astype(np.int64) @ state.take().astype(np.int64)
    rest[17] -= 1 << 24
    errors = (rest + 2**31) % 2**32 - 2**31
    assert np.abs(errors).max() <= 76, "12σ = 76.8"
    assert 32 < np.mean(errors**2) < 50, "ten standard deviations to either side"
