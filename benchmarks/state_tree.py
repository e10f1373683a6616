"""The state tree of schema 2 at a million keys: updates in blocks of 500, proofs, memory, beside the bare hashing.

Half of a block's writes change entries, half add new ones. The limit measured in the same run is the same number of
SHA-256 computations over as many bytes, with nothing else. Times are this process' processor time; nothing here waits.
The garbage collector is kept off the state as in the node; the worst block shows what it still costs. Prints JSON;
medians over the blocks.

    python benchmarks/state_tree.py [--keys 1000000] [--blocks 60]
"""

from __future__ import annotations

import argparse
import hashlib
import math
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import orjson

from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.ledger import sparse
from lianzheng.ledger.hashing import state_entry
from lianzheng.ledger.proofs import StatePath, verify_state
from lianzheng.ledger.sparse import Node, path_of, root_of, updated
from lianzheng.node.memory import Heap

BLOCK = 500
Entry = tuple[str, tuple[bytes, JsonObject]]


def entry(number: int, version: int) -> Entry:
    """Something like a consent record."""
    key = f"consent/{number:043x}"
    value = {"not_after": "2027-11-22", "seq": version, "status": "active"}
    return key, (state_entry(encode([key, value])), value)


def resident_mb() -> float:
    """Memory of this process in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def blocks(keys: int, count: int) -> Iterator[dict[str, tuple[bytes, JsonObject]]]:
    """Writes of ``count`` blocks; the same in every run."""
    chance = random.Random(1)
    for block in range(count):
        changed = (entry(chance.randrange(keys), block + 1) for _ in range(BLOCK // 2))
        added = (entry(keys + block * BLOCK + number, 0) for number in range(BLOCK // 2))
        yield dict([*changed, *added])


def timed(count: int, action: Callable[[], object]) -> float:
    """Microseconds for each of ``count`` parts of ``action``."""
    began = time.process_time()
    action()
    return (time.process_time() - began) / count * 1e6


def hashes_a_key(node: Node, changes: dict[str, tuple[bytes, JsonObject]]) -> float:
    """SHA-256 computations of one block's update, divided by its keys: nodes, and path and leaf of each."""
    with mock.patch.object(sparse, "_SHA256", side_effect=hashlib.sha256) as counted:
        updated(node, changes)
    return counted.call_count / len(changes) + 2


def bare_us() -> float:
    """One SHA-256 over the bytes of a node, digest taken."""
    data = bytes(104)
    return min(timed(20_000, lambda: [hashlib.sha256(data).digest() for _ in range(20_000)]) for _ in range(5))


def verify_all(proofs: list[tuple[str, JsonObject | None, StatePath]], root: bytes) -> None:
    """Every proof, one after the other."""
    for key, value, path in proofs:
        verify_state(key, value, path, root)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--blocks", type=int, default=60)
    options = parser.parse_args()
    node: Node = None
    heap = Heap(0)
    heap.load()
    before, began = resident_mb(), time.process_time()
    for start in range(0, options.keys, 10_000):
        node = updated(node, dict(entry(number, 0) for number in range(start, min(start + 10_000, options.keys))))
    build_us = (time.process_time() - began) / options.keys * 1e6
    memory = resident_mb() - before
    heap.settle(0)
    costs = []
    for changes in blocks(options.keys, options.blocks):
        began = time.process_time()
        node = updated(node, changes)
        costs.append((time.process_time() - began) / len(changes) * 1e6)
    hashes, one_us, root = hashes_a_key(node, next(blocks(options.keys, 1))), bare_us(), root_of(node)
    names = [entry(number, 0)[0] for number in range(0, options.keys, options.keys // 2000)]
    proofs = [(name, *path_of(node, name)) for name in names]
    report = {
        "benchmark": "state_tree",
        "keys": options.keys,
        "blocks": options.blocks,
        "update_us_a_key": round(statistics.median(costs), 2),
        "update_us_a_key_p95": round(sorted(costs)[int(len(costs) * 0.95)], 2),
        "update_us_a_key_worst": round(max(costs), 1),
        "hashes_a_key": round(hashes, 2),
        "bare_sha256_us": round(one_us, 3),
        "limit_us_a_key": round(hashes * one_us, 2),
        "ratio_to_limit": round(statistics.median(costs) / (hashes * one_us), 2),
        "build_us_a_key": round(build_us, 2),
        "prove_us": round(timed(len(names), lambda: [path_of(node, name) for name in names]), 2),
        "verify_us": round(timed(len(names), lambda: verify_all(proofs, root)), 2),
        "path_nodes": round(statistics.mean(len(path.siblings) for _, _, path in proofs), 2),
        "path_nodes_worst": max(len(path.siblings) for _, _, path in proofs),
        "path_nodes_expected": round(math.log2(options.keys + options.blocks * BLOCK // 2) + 1.33, 2),
        "memory_mb": round(memory),
        "memory_bytes_a_key": round(memory * 1e6 / options.keys),
        "target": {"update_us_a_key": 25},
    }
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
