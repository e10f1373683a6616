"""Four CometBFT validators with the real nodes and rules: throughput and finality, beside the engine's own ``kvstore``.

Both networks run one after the other on this machine, with the same engine settings (``network init --profile lan``),
the same sender and about the same bytes a transaction. Ours are ``did.create`` of different people: form, Ed25519
signature, rule, state tree, block row on disk, at each of four nodes. Sent through the engines' own
``broadcast_tx_sync`` in turn, at a fixed rate; a transaction is final when the first node's *application* has
committed its block (asked by ``abci_info`` every 10 ms). Prints JSON, with the CPU seconds each process used.

    python benchmarks/cometbft.py [--rates 50,200,500] [--seconds 60] [--kvstore-rate 1500] [--members 4]
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson

from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import LianzhengError
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import TransactionBody

ROOT = Path(__file__).resolve().parent.parent
ENGINE = ROOT / ".tools" / "cometbft"
POLL_S = 0.01
SETTLE_S = 30
IN_FLIGHT = 2000
TICKS = os.sysconf("SC_CLK_TCK")
CHAIN = "bench"


@dataclass
class Network:
    """Running processes, and where their engines answer."""

    rpc: list[CometRpc]
    processes: list[subprocess.Popen[bytes]]

    def cpu_seconds(self) -> dict[str, float]:
        """Used so far by the nodes and by the engines, all members together."""
        total = {"application": 0.0, "engine": 0.0}
        for process in self.processes:
            for pid in (process.pid, *_children(process.pid)):
                with contextlib.suppress(OSError):
                    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                    name = Path(f"/proc/{pid}/comm").read_text().strip()
                    total["engine" if name == "cometbft" else "application"] += (
                        int(parts[11]) + int(parts[12])
                    ) / TICKS
        return total

    async def close(self) -> None:
        """End every process."""
        for rpc in self.rpc:
            await rpc.close()
        for process in self.processes:
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@dataclass
class Load:
    """What was sent when, and when it was final."""

    sent: dict[bytes, float] = field(default_factory=dict)
    final: list[float] = field(default_factory=list)
    last: float = 0.0
    refused: int = 0


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def free_base(members: int) -> int:
    """A port with ten free ones a member after it, as far as one can know."""
    for base in range(27000, 60000, 10 * members):
        try:
            for offset in range(10 * members):
                with socket.socket() as one:
                    one.bind(("127.0.0.1", base + offset))
        except OSError:
            continue
        return base
    raise SystemExit("no free ports")


def written(folder: Path, members: int) -> list[Path]:
    """The members' folders of a new network."""
    command = [sys.executable, "-m", "lianzheng", "network", "init", "--members", str(members), "--chain-id", CHAIN]
    command += ["--out", str(folder), "--base-port", str(free_base(members))]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return sorted(path.parent for path in folder.glob("*/node.toml"))


def rpc_of(home: Path) -> CometRpc:
    """The engine of a member's folder, by its own configuration."""
    text = (home / "cometbft" / "config" / "config.toml").read_text("utf-8")
    return CometRpc(text.partition('[rpc]\nladdr = "')[2].partition('"')[0])


def launched(home: Path, application: str) -> subprocess.Popen[bytes]:
    """A node of ours, or a bare engine with ``kvstore`` built in."""
    if application == "kvstore":
        path = home / "cometbft" / "config" / "config.toml"
        path.write_text(path.read_text("utf-8").replace("unix://abci.sock", "kvstore"), "utf-8")
        command = [str(ENGINE), "start", "--home", str(home / "cometbft")]
    else:
        command = [sys.executable, "-m", "lianzheng", "node", "run", "--config", str(home / "node.toml")]
    with (home / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, cwd=home)


async def started(homes: Sequence[Path], application: str) -> Network:
    """One process a member, all answering and connected."""
    network = Network([rpc_of(home) for home in homes], [launched(home, application) for home in homes])
    for rpc in network.rpc:
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(LianzhengError):
                    if int((await rpc.call("net_info"))["n_peers"]) >= len(homes) - 1:
                        break
                await asyncio.sleep(0.1)
    return network


def creations(first: int, count: int) -> Iterator[bytes]:
    """Signed ``did.create`` of different people."""
    expires_at = int(time.time() * 1000) + 3_600_000
    number = first
    while count:
        seed = sha256_raw(f"bench person {number}".encode())
        number += 1
        key = ed25519_key("#key-1", ed25519.public_key(seed), "assertionMethod", "authentication")
        operation = CreationOperation(network=CHAIN, keys=(key,), salt=sha256_raw(seed))
        try:
            did = did_of(operation)
        except LianzhengError:  # a rare digest gives a text too short for a DID
            continue
        body = TransactionBody(
            chain_id=CHAIN,
            kind="did.create",
            sender=did,
            key_id="#key-1",
            nonce=1,
            expires_at=expires_at,
            payload={"operation": operation.to_json()},
        )
        yield sign_transaction(body, partial(ed25519.sign, seed)).to_bytes()
        count -= 1


def pairs(first: int, count: int, size: int) -> Iterator[bytes]:
    """``key=value`` of the same size for ``kvstore``."""
    for number in range(first, first + count):
        yield f"key{number:010d}=".encode().ljust(size, b"v")


async def offer(network: Network, transactions: Sequence[bytes], rate: float) -> Load:
    """Send at ``rate`` and watch until all are final or nothing more comes."""
    load = Load()
    clock = asyncio.get_running_loop().time
    slots = asyncio.Semaphore(IN_FLIGHT)
    done = asyncio.Event()
    watching = asyncio.create_task(_watch(network.rpc[0], load, len(transactions), done))
    began = clock()

    async def one(index: int, transaction: bytes) -> None:
        try:
            load.sent[transaction] = clock()
            answer = await network.rpc[index % len(network.rpc)].broadcast(transaction)
            if answer is not None:
                raise SystemExit(f"refused at the door: {answer.code}")
        except LianzhengError:
            load.refused += 1
            load.sent.pop(transaction, None)
        finally:
            slots.release()

    async with asyncio.TaskGroup() as group:
        for index, transaction in enumerate(transactions):
            wait = began + index / rate - clock()
            if wait > 0:
                await asyncio.sleep(wait)
            await slots.acquire()
            group.create_task(one(index, transaction))
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(done.wait(), SETTLE_S)
    watching.cancel()
    load.last -= began
    return load


async def _watch(rpc: CometRpc, load: Load, count: int, done: asyncio.Event) -> None:
    clock = asyncio.get_running_loop().time
    height = int((await rpc.call("abci_info"))["response"].get("last_block_height", 0))
    while True:
        top = int((await rpc.call("abci_info"))["response"].get("last_block_height", 0))
        now = clock()
        for at in range(height + 1, top + 1):
            block = await rpc.call("block", height=str(at))
            for encoded in block["block"]["data"]["txs"] or ():
                sent = load.sent.pop(base64.b64decode(encoded), None)
                if sent is not None:
                    load.final.append(now - sent)
                    load.last = now
        height = top
        if len(load.final) + load.refused >= count:
            done.set()
            return
        await asyncio.sleep(POLL_S)


def row(load: Load, rate: float, before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """One line of the result; latencies in milliseconds."""
    times = sorted(load.final)
    quantiles = statistics.quantiles(times, n=100) if len(times) > 1 else [0.0] * 99
    used = {name: round((after[name] - before[name]) * 1e6 / max(len(times), 1)) for name in before}
    return {
        "offered_per_s": rate,
        "final": len(times),
        "lost": len(load.sent),
        "turned_away": load.refused,
        "per_s": round(len(times) / load.last, 1) if load.last else 0.0,
        "p50_ms": round(quantiles[49] * 1000),
        "p95_ms": round(quantiles[94] * 1000),
        "p99_ms": round(quantiles[98] * 1000),
        **{f"{name}_cpu_us": value for name, value in used.items()},
    }


async def measured(application: str, rates: Sequence[float], seconds: float, members: int) -> list[dict[str, float]]:
    """One network of ``application``, each rate in turn."""
    rows = []
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR")) as name:
        network = await started(written(Path(name) / "network", members), application)
        try:
            first, size = 0, len(next(creations(0, 1)))
            for rate in rates:
                count = int(rate * seconds)
                make = creations(first, count) if application == "lianzheng" else pairs(first, count, size)
                transactions = list(make)
                first += 2 * count
                before = network.cpu_seconds()
                load = await offer(network, transactions, rate)
                rows.append(row(load, rate, before, network.cpu_seconds()))
                print(application, rows[-1], file=sys.stderr, flush=True)
        finally:
            await network.close()
    return rows


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", default="50,200,500", help="offered one after the other, a second")
    parser.add_argument("--seconds", type=float, default=60, help="for each rate")
    parser.add_argument("--kvstore-rate", type=float, default=1500)
    parser.add_argument("--members", type=int, default=4)
    options = parser.parse_args()
    rates = [float(rate) for rate in options.rates.split(",")]
    ours = asyncio.run(measured("lianzheng", rates, options.seconds, options.members))
    (peer,) = asyncio.run(measured("kvstore", [options.kvstore_rate], options.seconds, options.members))
    report = {
        "benchmark": "cometbft",
        "members": options.members,
        "transaction_bytes": len(next(creations(0, 1))),
        **{f"at_{round(one['offered_per_s'])}_per_s": one for one in ours},
        "kvstore": peer,
        "ratio_to_kvstore": round(max(one["per_s"] for one in ours) / peer["per_s"], 2),
    }
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
