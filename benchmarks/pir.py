"""Private retrieval: one answer, bytes, hint and build, each beside the limit measured in the same run.

An answer reads every byte of the table once and multiplies it: its limit is the slower of a bare read of as many bytes
and of the same products over rows that lie in the cache. A hint is one product of matrices behind one stream of
SHAKE-128: its limit is both on data that lies in the cache. The table holds random bytes, as ciphertext does.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import resource
import secrets
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson

from lianzheng.compute.views.size import table_shape
from lianzheng.zk.lwe import scheme
from lianzheng.zk.lwe.kernels import multiply_rows
from lianzheng.zk.lwe.parameters import PARAMETERS
from lianzheng.zk.lwe.scheme import Database, Matrix

SEED = b"benchmark"
ENTRY_BYTES = 16
TARGETS: dict[int, dict[str, float]] = {
    100_000: {"answer_ms": 0.3, "query_kib": 10, "hint_mib": 2.5},
    1_000_000: {"answer_ms": 2, "query_kib": 40, "hint_mib": 6, "build_s": 3},
    10_000_000: {"answer_ms": 12, "query_kib": 140, "hint_mib": 16},
}


def median_ms(work: Callable[[], object], repeats: int) -> float:
    """Milliseconds by the clock."""
    work()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return statistics.median(times) * 1000


def answer_limits(database: Database, repeats: int) -> tuple[float, float]:
    """Milliseconds to read as many bytes as the database has, and to multiply as many out of the cache."""
    size = database.rows.nbytes
    words = database.rows.reshape(-1)[: size // 8 * 8].view(np.uint64)
    read = median_ms(lambda: np.bitwise_or.reduce(words), repeats)
    rows = np.ascontiguousarray(database.rows[:128, :2048])
    vector = np.frombuffer(secrets.token_bytes(4 * rows.shape[1]), dtype=np.uint32)
    out = np.empty(len(rows), dtype=np.uint16)

    def bare() -> None:
        for _ in range(8):
            multiply_rows(rows, vector, out)

    return read, median_ms(bare, repeats) * size / (rows.nbytes * 8)


def hint_limit(database: Database) -> float:
    """Seconds for the products of the hint, and the stream of A, in a tight loop."""
    left, right = np.ones((512, 512)), np.ones((512, 512))
    product = median_ms(lambda: left @ right, 9) / 1000 / 512**3
    stream = median_ms(lambda: hashlib.shake_128(SEED).digest(2**22), 5) / 1000 / 2**22
    words = database.columns * PARAMETERS.dimension
    return product * words * database.column_bytes + stream * 4 * words


def measure(people: int, repeats: int) -> dict[str, Any]:
    """One size; everything is checked to be right once."""
    entries, columns = table_shape(people)
    length = ENTRY_BYTES * entries // columns
    table = [secrets.token_bytes(length) for _ in range(columns)]
    start = time.perf_counter()
    database = Database.from_columns(table)
    hint = scheme.hint(database, SEED)
    build_s = time.perf_counter() - start
    start = time.perf_counter()
    matrix = Matrix(SEED, columns)
    expand_s = time.perf_counter() - start
    state, vector = scheme.query(columns // 2, matrix)
    reply = scheme.answer(database, vector)
    if scheme.decode(state, hint, reply) != table[columns // 2]:
        raise SystemExit("a query was answered wrongly")
    states = [scheme.query(0, matrix)[0] for _ in range(repeats + 1)]
    decode_ms = median_ms(lambda: scheme.decode(states.pop(), hint, reply), repeats)
    answer_ms = median_ms(lambda: scheme.answer(database, vector), repeats)
    read_ms, multiply_ms = answer_limits(database, repeats)
    limit_ms, limit_s = max(read_ms, multiply_ms), hint_limit(database)
    figures: dict[str, Any] = {
        "entries": entries,
        "columns": columns,
        "answer_ms": round(answer_ms, 3),
        "limit_read_ms": round(read_ms, 3),
        "limit_multiply_ms": round(multiply_ms, 3),
        "ratio_to_limit": round(answer_ms / limit_ms, 2),
        "gb_per_second": round(database.rows.nbytes / answer_ms / 1e6, 2),
        "query_kib": round((len(vector) + len(reply)) / 1024, 2),
        "hint_mib": round(len(hint) / 2**20, 2),
        "table_mib": round((entries * ENTRY_BYTES + columns * ENTRY_BYTES) / 2**20, 1),
        "build_s": round(build_s, 2),
        "limit_build_s": round(limit_s, 2),
        "ratio_build": round(build_s / limit_s, 2),
        "client_expand_s": round(expand_s, 2),
        "client_query_ms": round(median_ms(lambda: scheme.query(1, matrix), repeats), 2),
        "client_decode_ms": round(decode_ms, 2),
        "process_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    targets = TARGETS[people]
    return figures | {"target": targets, "met": all(figures[name] <= most for name, most in targets.items())}


def run(sizes: tuple[int, ...] = (100_000, 1_000_000), repeats: int = 31) -> dict[str, Any]:
    """All sizes."""
    report: dict[str, Any] = {"benchmark": "pir", "repeats": repeats, "cores_seen": len(os.sched_getaffinity(0))}
    return report | {f"people_{size}": measure(size, repeats) for size in sizes}


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=31)
    parser.add_argument("--ten-million", action="store_true", help="also 10 million people: about a minute, 1 GB")
    options = parser.parse_args()
    sizes = (100_000, 1_000_000, *((10_000_000,) if options.ten_million else ()))
    sys.stdout.write(orjson.dumps(run(sizes, options.repeats), option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
