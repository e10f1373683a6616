"""Strict canonical decoding of a transaction: typed, checked and compared, beside rfc8785 and a bare parse.

    PYTHONPATH=src python benchmarks/decode.py [--repeats 9] [--loops 5000]

Prints one JSON object; processor time, medians over the repeats, one core. `strict` is what every node does with a
transaction from outside: parse, profile of CON-1, typed value, and the comparison of its encoding with the bytes.
`rfc8785` does a part of that with the independent package: parse with the standard library, encode, compare; it checks
no types. `bare` is orjson reading and writing the same bytes.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from collections.abc import Callable

import orjson
import rfc8785

from lianzheng.ledger.transaction import Transaction, TransactionBody, TransactionProof

TARGET_US = 12.0


def make() -> bytes:
    """An anchor as it travels."""
    digest = "A" * 43
    body = TransactionBody(
        chain_id="bench-1",
        kind="evidence.anchor",
        sender="did:lz:bench-1:z" + "A" * 44,
        key_id="#node",
        nonce=5,
        expires_at=1_790_000_000_000,
        payload={"root_sha256": digest, "root_sm3": digest, "count": 4096, "previous_anchor": digest},
    )
    return Transaction(body=body, proof=TransactionProof(alg="Ed25519", sig=bytes(64))).to_bytes()


def by_rfc8785(data: bytes) -> None:
    """Refuse what the package would encode otherwise."""
    if rfc8785.dumps(json.loads(data)) != data:
        raise SystemExit("the package encodes the transaction otherwise: the benchmark is wrong")


def bare(data: bytes) -> None:
    """Read and write."""
    if orjson.dumps(orjson.loads(data), option=orjson.OPT_SORT_KEYS) != data:
        raise SystemExit("the bare side encodes the transaction otherwise: the benchmark is wrong")


def microseconds(work: Callable[[bytes], object], data: bytes, loops: int) -> float:
    """Processor time of one call."""
    began = time.process_time()
    for _ in range(loops):
        work(data)
    return (time.process_time() - began) / loops * 1e6


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--loops", type=int, default=5000)
    given = parser.parse_args()
    data = make()
    sides: dict[str, Callable[[bytes], object]] = {"strict": Transaction.parse, "rfc8785": by_rfc8785, "bare": bare}
    samples: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(given.repeats):  # in turn, so that a busy machine slows all of them
        for name, work in sides.items():
            samples[name].append(microseconds(work, data, given.loops))
    medians = {name: statistics.median(values) for name, values in samples.items()}
    report = {
        "benchmark": "decode",
        "unit": "microseconds of one core for one transaction",
        "repeats": given.repeats,
        "bytes": len(data),
        **{f"{name}_us": round(value, 2) for name, value in medians.items()},
        "best_strict_us": round(min(samples["strict"]), 2),
        "ratio_to_rfc8785": round(medians["strict"] / medians["rfc8785"], 3),
        "target_us": TARGET_US,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
