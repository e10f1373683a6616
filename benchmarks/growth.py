"""What evidence records take on disk, under either engine: bytes a record, which is megabytes a million.

A real node takes records over its internal API: in full batches, and one every 1.1 seconds, so that each has an anchor
and a block of its own, which is the most that a record can cost. Sizes are of the closed files. `own` is the member's
own store (record, salt, promise, digests of documents), which never leaves it; `shared` is what every member keeps of
it: chain, explorer's index, and the engine's own files.

    python benchmarks/growth.py [--records 50000] [--alone 60]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import subprocess
import tempfile
import time
from importlib import import_module
from pathlib import Path

import httpx
import orjson

from lianzheng.clock import SystemClock
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.node.config import load_config
from lianzheng.node.setup import MemberProfile, create_genesis, create_home

API, COMET = import_module("evidence_api"), import_module("cometbft")
BATCH = 1024
ANCHOR_S = 1.1
"""A little more than the node waits before it anchors what it has (EV-3)."""


def home_of(engine: str, folder: Path) -> Path:
    """The home of a network of one member."""
    if engine == "cometbft":
        (home,) = COMET.written(folder / "network", 1)
        return Path(home)
    home, base = folder / "home", COMET.free_base(1)
    profile = MemberProfile("样本证券", "broker", make_sample_uscc(1), "样本路1号", "group-a")
    card = create_home(home, profile, "bench", "127.0.0.1", base, base + 1)
    parameters = {"test_network": 1, "token_version_min": 1}
    genesis = create_genesis("bench", (card,), b"agreement", parameters, SystemClock())
    (home / "genesis.json").write_bytes(genesis.to_bytes())
    return home


def sizes(home: Path) -> dict[str, int]:
    """Bytes of the member's own store, and of what every member keeps."""
    total = {"own": 0, "shared": 0}
    for part in ("data", "cometbft/data"):
        for path in (home / part).rglob("*"):
            if path.is_file():
                total["own" if path.name.startswith("node.db") else "shared"] += path.stat().st_size
    return total


async def fed(home: Path, count: int, batch: int) -> None:
    """Run the node until ``count`` records are durable and anchored, then end it."""
    config = load_config(home / "node.toml")
    process = COMET.launched(home, "lianzheng")
    try:
        headers = {"authorization": f"Bearer {(home / 'api-token').read_text('utf-8').strip()}"}
        base = f"http://127.0.0.1:{config.internal.port}"
        async with httpx.AsyncClient(base_url=base, headers=headers, timeout=60) as client:
            await _answering(client)
            if batch > 1:
                await API.batched(client, count, batch)
            else:
                for _ in range(count):
                    await API.single(client, 1, 1)
                    await asyncio.sleep(ANCHOR_S)
            await _anchored(client)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


async def _answering(client: httpx.AsyncClient) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError):
            if (await client.get("/api/v1/status")).status_code == 200:
                return
        await asyncio.sleep(0.2)
    raise SystemExit(f"the node does not answer at {client.base_url}")


async def _anchored(client: httpx.AsyncClient) -> None:
    """Until the head has stood still for three seconds: the last records have their anchor."""
    height, since = -1, time.monotonic()
    while time.monotonic() - since < 3:
        now = (await client.get("/api/v1/status")).json()["height"]
        if now != height:
            height, since = now, time.monotonic()
        await asyncio.sleep(0.2)


async def measured(engine: str, records: int, alone: int) -> dict[str, float]:
    """Bytes a record under one engine."""
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        home = home_of(engine, Path(name))
        await fed(home, BATCH, BATCH)
        for label, count, batch in (("batched", records // BATCH * BATCH, BATCH), ("alone", alone, 1)):
            before = sizes(home)
            await fed(home, count, batch)
            after = sizes(home)
            for part in before:
                found[f"{label}_{part}_bytes_a_record"] = round((after[part] - before[part]) / count)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=50_000)
    parser.add_argument("--alone", type=int, default=60)
    options = parser.parse_args()
    report: dict[str, object] = {"benchmark": "growth", "records": options.records // BATCH * BATCH}
    for engine in ("embedded", "cometbft"):
        report[engine] = asyncio.run(measured(engine, options.records, options.alone))
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
