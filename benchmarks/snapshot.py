"""The snapshot of a view: rows read, curve work on every core, chunks and table written; beside the bare curve work.

    python -m benchmarks snapshot                         100 thousand people
    python benchmarks/snapshot.py --people 1000000        the size that the targets name: some minutes

Two figures: with U cached, as the rows of a node stand (elements are computed once, when a source is loaded), and with
hashing to the curve before it. `bare` is reading U, multiplying and writing F in a tight loop on one core in the same
run, divided by the cores. While the table is built the event loop is watched: `loop_blocked_ms` is its longest pause,
`loop_blocked_cpu_ms` the most work that this process did in one, which is what a machine of its own would show. Workers
step back behind other programs: on a busy machine read `worker_cpu_s` beside `bare_cpu_s`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.storage.compute import DatasetRepository
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.epoch_builds import EpochBuildRepository
from lianzheng.clock import SystemClock
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.ports import DatasetLoad, PersonRow
from lianzheng.compute.views.builder import EpochBuilder
from lianzheng.crypto.hazmat.bls12381 import G1, random_scalar
from lianzheng.identity.idnorm import identity_element

VIEW = "clients/wealth/bands"
BARE = 2_000
TARGETS = {"whole_s": 150, "cached_s": 90}
"""For a million people on 2 cores; in proportion for fewer."""


def rows(count: int) -> Iterator[PersonRow]:
    """People with something in every view; who they are does not matter here."""
    for serial in range(count):
        yield PersonRow(b"%032d" % serial, {"I01": 1_000_000 + serial, "I02": 10, "I04": 0})


def bare_s(count: int) -> tuple[float, float, float]:
    """Seconds for ``count`` people on one core: multiplying; hashing to the curve; CPU of the first."""
    key, start = random_scalar(), time.perf_counter()
    elements = [identity_element(b"%032d" % serial).to_bytes() for serial in range(BARE)]
    hashed = time.perf_counter() - start
    start, used = time.perf_counter(), time.process_time()
    for element in elements:
        (G1.from_bytes(element) * key).to_bytes()
    times = (time.perf_counter() - start, hashed, time.process_time() - used)
    multiply_s, hash_s, cpu_s = (one * count / BARE for one in times)
    return multiply_s, hash_s, cpu_s


async def longest_pause(ended: asyncio.Event) -> tuple[float, float]:
    """Seconds for which the event loop answered nothing, at worst, by the clock and of this process' own work."""
    worst, work = 0.0, 0.0
    while not ended.is_set():
        start, used = time.perf_counter(), time.process_time()
        await asyncio.sleep(0.005)
        worst = max(worst, time.perf_counter() - start - 0.005)
        work = max(work, time.process_time() - used)
    return worst, work


async def load(database: Database, people: int) -> tuple[DatasetLoad, float]:
    """The rows as a node keeps them, and the seconds that it took."""
    service = DatasetService(DatasetRepository(database), None, SystemClock())  # type: ignore[arg-type]
    start = time.perf_counter()
    loaded = await service.load("clients", "2026-09-01", rows(people))
    return loaded, time.perf_counter() - start


async def measure(folder: Path, people: int) -> dict[str, Any]:
    """Load, then build as ``ViewService`` does, up to the stored table."""
    database = Database(sqlite_url(folder / "node.db"))
    await database.open()
    loaded, load_s = await load(database, people)
    builds = EpochBuildRepository(database)
    keystore = SealedFileKeyStore.create(folder / "keys", b"a passphrase")
    builder = EpochBuilder(builds, keystore, "benchmark", "did:lz:benchmark:z1")
    ended = asyncio.Event()
    watch = asyncio.create_task(longest_pause(ended))
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    build, _, table = await builder.table(VIEW, 1, loaded, "pir")
    async with database.begin() as connection:  # as large as the epoch's row
        await connection.exec_driver_sql("CREATE TABLE benchmark (data BLOB)")
        await connection.exec_driver_sql("INSERT INTO benchmark VALUES (?)", (table.wire,))
    await builder.finished(build)
    cached_s = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    ended.set()
    pause = await watch
    await database.close()
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {
        "load_s": load_s,
        "cached_s": cached_s,
        "worker_cpu_s": cpu,
        "loop_blocked_ms": pause[0] * 1000,
        "loop_blocked_cpu_ms": pause[1] * 1000,
        "entries": table.parameters.entries,
    }


def run(people: int, folder: Path) -> dict[str, Any]:
    """Figures beside their limits."""
    cores = len(os.sched_getaffinity(0))
    found = asyncio.run(measure(folder, people))
    multiply_s, hash_s, cpu_s = bare_s(people)
    whole_s = found["load_s"] + found["cached_s"]
    targets = {name: value * people / 1_000_000 for name, value in TARGETS.items()}
    return {
        "benchmark": "snapshot",
        "people": people,
        "entries": found["entries"],
        "cores": cores,
        "cached_s": round(found["cached_s"], 2),
        "bare_cached_s": round(multiply_s / cores, 2),
        "ratio_cached": round(found["cached_s"] / (multiply_s / cores), 2),
        "load_s": round(found["load_s"], 2),
        "whole_s": round(whole_s, 2),
        "bare_whole_s": round((multiply_s + hash_s) / cores, 2),
        "ratio_whole": round(whole_s / ((multiply_s + hash_s) / cores), 2),
        "worker_cpu_s": round(found["worker_cpu_s"], 2),
        "bare_cpu_s": round(cpu_s, 2),
        "loop_blocked_cpu_ms": round(found["loop_blocked_cpu_ms"], 1),
        "loop_blocked_ms": round(found["loop_blocked_ms"], 1),
        "process_peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "worker_peak_mib": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "target": targets,
        "met": found["cached_s"] <= targets["cached_s"] and whole_s <= targets["whole_s"],
        "load_average": round(os.getloadavg()[0], 2),
    }


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = run(options.people, Path(folder))
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
