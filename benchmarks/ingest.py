"""Ingest of 1 KB records through a node's API with mutual TLS and the operator's token, beside bare FastAPI.

    PYTHONPATH=src python benchmarks/ingest.py [--requests 2000] [--connections 32] [--repeats 5]

Prints one JSON object; medians over the repeats. One process serves, another asks over kept connections. `node` is
the route that records one act, durable before its promise leaves, behind this project's own listener. `bare` is a
FastAPI route on the same listener that reads the same body, looks at the same token and makes one row durable, rows
that wait together in one commit; nothing is hashed, signed or checked. Requests a second of one core are by the
serving process's own processor time, all its threads together, so that the asking process does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import hmac
import multiprocessing
import resource
import sqlite3
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response

from lianzheng.adapters.transport.certificates import create_certificate
from lianzheng.adapters.transport.server import PeerServer, server_context
from lianzheng.api.internal.app import create_internal_app
from lianzheng.clock import SystemClock
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.node.build import Parts, build
from lianzheng.node.config import load_config
from lianzheng.node.setup import MemberProfile, create_genesis, create_home

PATH = "/api/v1/evidence/records"
RECORD_BYTES = 1024
TARGET_PER_SECOND_OF_ONE_CORE = 1_500


def body(number: int) -> bytes:
    """An act of 1 KB as it is sent, of a case of its own."""
    context = {"system": "crm", "software_version": "1.0", "channel": "branch", "local_time_ms": 1_790_000_000_000}
    document = {"name": "consent.json", "media_type": "application/json", "data": ""}
    form = {"case_id": f"case-{number:012d}", "scene": "consent", "operator_role": "clerk", "context": context}
    document["data"] = "e" * ((RECORD_BYTES - len(orjson.dumps({**form, "documents": [document]}))) // 4 * 4)
    return orjson.dumps({**form, "documents": [document]})


async def _ask(port: int, token: str, folder: str, first: int, count: int, connections: int) -> float:
    """Send ``count`` requests; seconds from the first to the last answer."""
    context = ssl.create_default_context(cafile=f"{folder}/tls.crt")
    context.check_hostname = False
    context.load_cert_chain(f"{folder}/tls.crt", f"{folder}/tls.key")
    head = f"POST {PATH} HTTP/1.1\r\nhost: node\r\nauthorization: Bearer {token}\r\ncontent-type: application/json\r\n"
    numbers = iter(range(first, first + count))
    streams = [await asyncio.open_connection("127.0.0.1", port, ssl=context) for _ in range(connections)]

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for number in numbers:
            data = body(number)
            writer.write(f"{head}content-length: {len(data)}\r\n\r\n".encode() + data)
            answer = await reader.readuntil(b"\r\n\r\n")
            if not answer.startswith(b"HTTP/1.1 200"):
                raise SystemExit(f"a record was not accepted: {answer[:40]!r}")
            size = next(line for line in answer.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(size.split(b":")[1]))

    began = time.perf_counter()
    await asyncio.gather(*(one(*stream) for stream in streams))
    taken = time.perf_counter() - began
    for _, writer in streams:
        writer.transport.abort()
    return taken


def asker(pipe: Any) -> None:
    """The asking process: does what it is told until it is told nothing."""
    while (order := pipe.recv()) is not None:
        pipe.send(asyncio.run(_ask(*order)))


def bare_app(folder: Path, token: str) -> FastAPI:
    """The same in as little as FastAPI allows, with a durable row."""
    app, waiting = FastAPI(), list[tuple[bytes, asyncio.Future[None]]]()
    database = sqlite3.connect(folder / "bare.db", isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE record (row INTEGER PRIMARY KEY, data BLOB)")
    writing = asyncio.Lock()

    def commit(rows: list[tuple[bytes]]) -> None:
        database.execute("BEGIN IMMEDIATE")
        database.executemany("INSERT INTO record (data) VALUES (?)", rows)
        database.execute("COMMIT")

    @app.post(PATH)
    async def record(request: Request) -> Response:
        if not hmac.compare_digest(request.headers.get("authorization", ""), f"Bearer {token}"):
            return Response(status_code=401)
        data = await request.body()
        orjson.loads(data)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting.append((data, done))
        async with writing:
            if not done.done():
                group = waiting.copy()
                waiting.clear()
                await asyncio.to_thread(commit, [(row,) for row, _ in group])
                for _, future in group:
                    future.set_result(None)
        return Response(b"{}", media_type="application/json")

    return app


async def make_node(folder: Path) -> Parts:
    """A member's node without its listeners."""
    profile = MemberProfile("样本证券", "broker", make_sample_uscc(1), "样本路1号", "group-a")
    card = create_home(folder, profile, "bench-1", "127.0.0.1", 0, 0)
    clock = SystemClock()
    genesis = create_genesis("bench-1", (card,), b"agreement", {"test_network": 1, "token_version_min": 1}, clock)
    (folder / "genesis.json").write_bytes(genesis.to_bytes())
    parts = build(load_config(folder / "node.toml"), clock)
    await parts.database.open()
    await parts.engine.start()
    return parts


async def measure(folder: Path, given: argparse.Namespace, ask: Callable[..., Any]) -> dict[str, list[float]]:
    """Both sides in turn, once a repeat."""
    certificate, key = create_certificate("bench", "127.0.0.1")
    (folder / "tls.crt").write_bytes(certificate.pem)
    (folder / "tls.key").write_bytes(key)
    parts = await make_node(folder / "node")
    token = parts.services.api_token
    apps = {"node": create_internal_app(parts.services), "bare": bare_app(folder, token)}
    found: dict[str, list[float]] = {f"{side}_{what}": [] for side in apps for what in ("clock", "core")}
    first = 0
    for repeat in range(given.repeats + 1):
        for side, app in apps.items():
            context = server_context(folder / "tls.crt", folder / "tls.key", [certificate.der])
            server = PeerServer(app, "127.0.0.1", 0, context, lambda _: "did", "lianzheng.peer")
            await server.start()
            before = time.process_time()
            order = (server.port, token, str(folder), first, given.requests, given.connections)
            taken = await asyncio.to_thread(ask, order)
            used = time.process_time() - before
            await server.stop()
            first += given.requests
            if repeat:  # the first is for warming up
                found[f"{side}_clock"].append(given.requests / taken)
                found[f"{side}_core"].append(given.requests / used)
    await parts.peers.close()
    await parts.engine.stop()
    await parts.database.close()
    return found


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--repeats", type=int, default=5)
    given = parser.parse_args()
    spawn = multiprocessing.get_context("spawn")
    mine, its = spawn.Pipe()
    child = spawn.Process(target=asker, args=(its,), daemon=True)
    child.start()

    def ask(order: tuple[Any, ...]) -> float:
        mine.send(order)
        while not mine.poll(1):
            if not child.is_alive():
                raise SystemExit("the asking process has failed")
        return float(mine.recv())

    with tempfile.TemporaryDirectory() as folder:
        found = asyncio.run(measure(Path(folder), given, ask))
    mine.send(None)
    child.join()
    medians = {name: statistics.median(values) for name, values in found.items()}
    report = {
        "benchmark": "ingest",
        "unit": "requests per second, one record of 1 KB each",
        "repeats": given.repeats,
        "requests_per_repeat": given.requests,
        "connections": given.connections,
        "record_bytes": len(body(0)),
        "node_per_second_of_one_core": round(medians["node_core"]),
        "node_per_second_by_the_clock": round(medians["node_clock"]),
        "bare_fastapi_per_second_of_one_core": round(medians["bare_core"]),
        "bare_fastapi_per_second_by_the_clock": round(medians["bare_clock"]),
        "ratio": round(medians["node_core"] / medians["bare_core"], 3),
        "target_per_second_of_one_core": TARGET_PER_SECOND_OF_ONE_CORE,
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
