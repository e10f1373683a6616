"""Evidence records through the API of one node, in batches and one by one, beside bare hashing and one durable commit.

    PYTHONPATH=src python benchmarks/evidence_api.py [--records 16384] [--batch 1024] [--callers 256] [--repeats 5]

Prints one JSON object; medians over the repeats. A member's real node with key store, SQLite and its internal API,
operator's token included, is asked in its own process through ASGI: request parsing, routing and answers count,
sockets do not. Every record is durable before its promise leaves. `batched` sends full batches, two at a time;
`single` has many callers with one record each; `alone` has one. `limit` is what no implementation can leave out: both
digests of document and record, one signature, one row, and one flush to disk a batch, in one process.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import itertools
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import orjson
from nacl import bindings

from lianzheng.api.internal.app import create_internal_app
from lianzheng.clock import SystemClock
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.node.build import build
from lianzheng.node.config import load_config
from lianzheng.node.setup import MemberProfile, create_genesis, create_home

TARGET_BATCHED, TARGET_SINGLE = 20_000, 2_000
_NUMBERS = itertools.count()
_SM3 = hashlib.new("sm3")


def act() -> dict[str, Any]:
    """One act of a case of its own with one small document."""
    context = {"system": "crm", "software_version": "1.0", "channel": "branch", "local_time_ms": 1_790_000_000_000}
    document = {"name": "consent.json", "media_type": "application/json", "data": "e" * 128}
    case = f"case-{next(_NUMBERS)}"
    return {"case_id": case, "scene": "consent", "operator_role": "clerk", "context": context, "documents": [document]}


async def batched(client: httpx.AsyncClient, count: int, batch: int) -> float:
    """Records a second in full batches, two requests under way."""
    bodies = [orjson.dumps({"records": [act() for _ in range(batch)]}) for _ in range(count // batch)]
    room = asyncio.Semaphore(2)

    async def one(body: bytes) -> None:
        async with room:
            answer = await client.post("/api/v1/evidence/records/batch", content=body)
        if answer.status_code != 200 or answer.content.count(b'"sig"') != batch:
            raise SystemExit(f"a batch was not accepted: {answer.status_code}")

    began = time.perf_counter()
    await asyncio.gather(*map(one, bodies))
    return len(bodies) * batch / (time.perf_counter() - began)


async def single(client: httpx.AsyncClient, count: int, callers: int) -> float:
    """Records a second of ``callers`` callers with one record each at a time."""
    bodies = iter([orjson.dumps(act()) for _ in range(count)])

    async def caller() -> None:
        for body in bodies:
            answer = await client.post("/api/v1/evidence/records", content=body)
            if answer.status_code != 200:
                raise SystemExit(f"a record was not accepted: {answer.status_code}")

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return count / (time.perf_counter() - began)


def bare(folder: Path, count: int, batch: int) -> float:
    """Records a second of the work that cannot be left out."""
    secret = bindings.crypto_sign_seed_keypair(bytes(32))[1]
    database = sqlite3.connect(folder / "bare.db", isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE IF NOT EXISTS record (row INTEGER PRIMARY KEY, data BLOB, promise BLOB)")
    record, document = b"r" * 700, b"d" * 96
    began = time.perf_counter()
    for _ in range(count // batch):
        rows = []
        for _ in range(batch):
            for data in (document, record):
                hashlib.sha256(data).digest()
                state = _SM3.copy()
                state.update(data)
                state.digest()
            rows.append((record, bindings.crypto_sign(b"m" * 400, secret)))
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO record (data, promise) VALUES (?,?)", rows)
        database.execute("COMMIT")
    return count / (time.perf_counter() - began)


async def measure(folder: Path, given: argparse.Namespace) -> dict[str, list[float]]:
    """Every measure, once a repeat."""
    profile = MemberProfile("样本证券", "broker", make_sample_uscc(1), "样本路1号", "group-a")
    card = create_home(folder, profile, "bench-1", "127.0.0.1", 0, 0)
    clock = SystemClock()
    genesis = create_genesis("bench-1", (card,), b"agreement", {"test_network": 1, "token_version_min": 1}, clock)
    (folder / "genesis.json").write_bytes(genesis.to_bytes())
    parts = build(load_config(folder / "node.toml"), clock)
    await parts.database.open()
    await parts.engine.start()
    headers = {"authorization": f"Bearer {parts.services.api_token}"}
    transport = httpx.ASGITransport(create_internal_app(parts.services))
    found: dict[str, list[float]] = {"batched": [], "single": [], "alone": [], "limit": []}
    async with httpx.AsyncClient(transport=transport, base_url="http://node", headers=headers) as client:
        await batched(client, given.batch, given.batch)
        for _ in range(given.repeats):
            found["batched"].append(await batched(client, given.records, given.batch))
            found["single"].append(await single(client, given.records // 4, given.callers))
            found["alone"].append(await single(client, 100, 1))
            found["limit"].append(bare(folder, given.records, given.batch))
    await parts.peers.close()
    await parts.engine.stop()
    await parts.database.close()
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=16_384)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--callers", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given))
    medians = {name: statistics.median(values) for name, values in found.items()}
    report = {
        "benchmark": "evidence_api",
        "unit": "records per second, durable before the promise",
        "repeats": given.repeats,
        "batch": given.batch,
        "callers": given.callers,
        **{f"{name}_per_second": round(value) for name, value in medians.items()},
        "ratio_batched_to_limit": round(medians["batched"] / medians["limit"], 3),
        "ratio_single_to_limit": round(medians["single"] / medians["limit"], 3),
        "target_batched_per_second": TARGET_BATCHED,
        "target_single_per_second": TARGET_SINGLE,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
