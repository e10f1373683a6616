"""A new member's node joins a CometBFT network that holds 100 thousand transactions: by snapshot, or block by block.

Two validators take the transactions (``did.create`` of different people), then ``network add`` writes a third member's
folder and its node is started: once so that it fetches the newest snapshot, once so that it executes every block.
`joined_s` is from the start of the process until its application stands at the height the network had then. Beside it
the limit of the second way: the transactions executed by the state machine alone, signatures included.

    python benchmarks/comet_sync.py [--transactions 100000] [--rate 900]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from lianzheng.adapters.consensus.cometbft.snapshots import SnapshotFolder
from lianzheng.contracts.machine import Machine
from lianzheng.errors import LianzhengError
from lianzheng.ledger.genesis import Genesis

COMET = import_module("cometbft")
SNAPSHOT_BLOCKS = 1000
BLOCK = 100


async def height_of(rpc: Any) -> int:
    """Height of the node's application; 0 while it does not answer."""
    with contextlib.suppress(LianzhengError):
        return int((await rpc.call("abci_info"))["response"].get("last_block_height", 0))
    return 0


async def joined_s(home: Path, top: int) -> float:
    """Seconds until a new node stands at ``top``; it is ended then."""
    began = time.perf_counter()
    process = COMET.launched(home, "lianzheng")
    rpc = COMET.rpc_of(home)
    try:
        async with asyncio.timeout(3600):
            while True:  # another process: nothing here could set an event
                if await height_of(rpc) >= top:
                    break
                await asyncio.sleep(0.1)
        return time.perf_counter() - began
    finally:
        await rpc.close()
        process.send_signal(signal.SIGTERM)
        process.wait(60)


async def offered(homes: Sequence[Path]) -> None:
    """Until every member has a whole snapshot on disk: it is written beside the blocks."""
    folders = [SnapshotFolder.beside(home / "data" / "ledger.db") for home in homes]
    async with asyncio.timeout(120):
        while True:  # another process: nothing here could set an event
            if all(folder.offers() for folder in folders):
                break
            await asyncio.sleep(0.2)


def added(network: Path, snapshot: bool) -> Path:
    """The folder of one more member; without ``snapshot`` its engine begins with block 1."""
    before = set(network.glob("*/node.toml"))
    command = [sys.executable, "-m", "lianzheng", "network", "add", "--dir", str(network)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    (found,) = set(network.glob("*/node.toml")) - before
    path = found.parent / "cometbft" / "config" / "config.toml"
    text = path.read_text("utf-8")
    if snapshot != ("[statesync]" in text):
        if snapshot:
            raise SystemExit("the network has no snapshot yet: more blocks are needed")
        path.write_text(text.partition("[statesync]")[0], "utf-8")
    return found.parent


async def executed_s(genesis: Genesis, blocks: Sequence[tuple[int, list[bytes]]]) -> float:
    """Seconds of the state machine alone over the same transactions."""
    machine = Machine(genesis)
    began = time.perf_counter()
    for height, (time_ms, transactions) in enumerate(blocks, 1):
        machine.execute_block(height, time_ms, transactions)
        machine.app_hash()
        machine.commit()
    return time.perf_counter() - began


async def measured(count: int, rate: float) -> dict[str, object]:
    """Fill, then join twice."""
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name) / "network"
        homes = COMET.written(folder, 2)
        network = await COMET.started(homes, "lianzheng")
        try:
            transactions = list(COMET.creations(0, count))
            load = await COMET.offer(network, transactions, rate)
            first = count
            while await height_of(network.rpc[0]) <= SNAPSHOT_BLOCKS + 1:
                more = list(COMET.creations(2 * first, 100))
                first += 100
                await COMET.offer(network, more, 50)
            await offered(homes)
            top = await height_of(network.rpc[0])
            snapshot_s = await joined_s(added(folder, snapshot=True), top)
            blocks_s = await joined_s(added(folder, snapshot=False), top)
        finally:
            await network.close()
        genesis = Genesis.from_bytes((homes[0] / "genesis.json").read_bytes(), 2**24)
        parts = [transactions[at : at + BLOCK] for at in range(0, count, BLOCK)]
        now_ms = int(time.time() * 1000)
        machine_s = await executed_s(genesis, [(now_ms + at, part) for at, part in enumerate(parts)])
    return {
        "transactions": count,
        "blocks": top,
        "filled_per_second": round(len(load.final) / load.last),
        "joined_by_snapshot_s": round(snapshot_s, 1),
        "joined_by_blocks_s": round(blocks_s, 1),
        "machine_alone_s": round(machine_s, 1),
        "ratio_blocks_to_machine": round(blocks_s / machine_s, 2),
        "ratio_snapshot_to_blocks": round(snapshot_s / blocks_s, 2),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=100_000)
    parser.add_argument("--rate", type=float, default=900)
    options = parser.parse_args()
    report = {"benchmark": "comet_sync"} | asyncio.run(measured(options.transactions, options.rate))
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
