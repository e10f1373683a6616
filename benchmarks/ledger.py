"""The embedded engine with real rules and receipts: transactions a second, latency, and replay, beside the limit.

Every transaction is signed (Ed25519), checked at the door, executed, and acknowledged when its block is durable.
The limit measured in the same run is what no engine of this kind can beat: one Ed25519 verification for each
transaction, and one fsync for each block of 500. Prints JSON; medians over the repeats.

    python benchmarks/ledger.py [--transactions 4000] [--repeats 3] [--rate 2000]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
import time
from pathlib import Path

import orjson

from lianzheng.adapters.consensus.embedded import EmbeddedSequencer
from lianzheng.clock import SystemClock
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import encode
from lianzheng.evidence.model import AnchorPayload, anchor_digest
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key
from lianzheng.ledger.genesis import Genesis, GenesisMember, Sequencer
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody, signing_bytes
from lianzheng.limits import BLOCK_TRANSACTIONS_MAX

CHAIN = "bench"
MEMBERS = 8


class Member:
    """A founder that anchors evidence, one batch after the other."""

    def __init__(self, number: int) -> None:
        self.seed = sha256_raw(f"bench {number}".encode())
        self.public = ed25519.public_key(self.seed)
        key = ed25519_key("#node", self.public, "assertionMethod", "authentication")
        self.operation = CreationOperation(network=CHAIN, keys=(key,), salt=sha256_raw(f"salt {number}".encode()))
        self.did = did_of(self.operation)

    def founder(self) -> GenesisMember:
        return GenesisMember(
            did_operation=self.operation.to_json(),
            name=self.did[-8:],
            type="broker",
            uscc="91110000MA00000000",
            address="-",
            licences=(),
            pilot_licences=(),
            filing_state="filed",
            control_group=self.did[-8:],
            endpoint=None,
            certificate=self.public,
            roles=(),
        )

    def anchors(self, count: int, expires_at: int) -> list[Transaction]:
        """``count`` signed anchors, each naming the one before."""
        transactions, previous = [], None
        for nonce in range(1, count + 1):
            root = sha256_raw(self.public + nonce.to_bytes(8, "big"))
            payload = AnchorPayload(root_sha256=root, root_sm3=root, count=1, previous_anchor=previous)
            previous = anchor_digest(self.did, payload)
            body = TransactionBody(
                chain_id=CHAIN,
                kind="evidence.anchor",
                sender=self.did,
                key_id="#node",
                nonce=nonce,
                expires_at=expires_at,
                payload=payload.to_json(),
            )
            transactions.append(sign_transaction(body, lambda message: ed25519.sign(self.seed, message)))
        return transactions


def build(members: list[Member]) -> Genesis:
    """A network of these founders; the first sequences."""
    first = members[0]
    return Genesis(
        chain_id=CHAIN,
        time_ms=SystemClock().now_ms() - 1000,
        registry=bytes(32),
        parameters={},
        agreement=bytes(32),
        members=tuple(member.founder() for member in members),
        sequencer=Sequencer(did=first.did, key=first.operation.keys[0].multikey),
    )


def open_engine(genesis: Genesis, members: list[Member], folder: Path) -> EmbeddedSequencer:
    """A sequencer over files in ``folder`` with the default block interval."""
    return EmbeddedSequencer(
        Machine(genesis),
        genesis,
        database=folder / "ledger.sqlite",
        height_file=folder / "height",
        sign=lambda message: ed25519.sign(members[0].seed, message),
        clock=SystemClock(),
    )


async def feed(
    engine: EmbeddedSequencer, chains: list[list[Transaction]], rate: int | None
) -> tuple[float, list[float]]:
    """Submit everything, at ``rate`` a second or with 64 open for each member; seconds taken and latencies in ms."""
    latencies: list[float] = []
    rooms = [asyncio.Semaphore(64) for _ in chains]
    began = time.perf_counter()

    async def one(transaction: Transaction, room: asyncio.Semaphore) -> None:
        start = time.perf_counter()
        receipt = await engine.submit(transaction)
        latencies.append((time.perf_counter() - start) * 1000)
        room.release()
        if not receipt.result.ok:
            raise SystemExit(f"refused: {receipt.result.code}")

    tasks = []
    count = 0
    for row in zip(*chains, strict=True):
        for transaction, room in zip(row, rooms, strict=True):
            await room.acquire()
            tasks.append(asyncio.create_task(one(transaction, room)))
            count += 1
            if rate and (ahead := count / rate - (time.perf_counter() - began)) > 0:
                await asyncio.sleep(ahead)
    await asyncio.gather(*tasks)
    return time.perf_counter() - began, latencies


def bare_limit(transactions: list[Transaction], publics: dict[str, bytes], folder: Path) -> float:
    """Transactions a second of verification and fsync alone."""
    pieces = [(publics[tx.body.sender], signing_bytes(tx.body), tx.proof.sig) for tx in transactions]
    blob = encode([0] * 100) * BLOCK_TRANSACTIONS_MAX
    file = os.open(folder / "limit", os.O_CREAT | os.O_WRONLY)
    began = time.perf_counter()
    for index, piece in enumerate(pieces, 1):
        ed25519.verify(*piece)
        if index % BLOCK_TRANSACTIONS_MAX == 0:
            os.write(file, blob)
            os.fsync(file)
    taken = time.perf_counter() - began
    os.close(file)
    return len(pieces) / taken


def percentile(values: list[float], part: float) -> float:
    """The value below which ``part`` of ``values`` lie."""
    return sorted(values)[min(int(len(values) * part), len(values) - 1)]


def run_once(count: int, rate: int) -> dict[str, float]:
    """One repeat of every measure on fresh files."""
    members = [Member(number) for number in range(MEMBERS)]
    genesis = build(members)
    publics = {member.did: member.public for member in members}
    expires_at = SystemClock().now_ms() + 3_600_000
    chains = [member.anchors(count // MEMBERS, expires_at) for member in members]
    measures: dict[str, float] = {}

    async def full(folder: Path) -> None:
        engine = open_engine(genesis, members, folder)
        await engine.start()
        taken, _ = await feed(engine, chains, None)
        await engine.stop()
        measures["transactions_per_second"] = count / taken
        began = time.perf_counter()
        engine = open_engine(genesis, members, folder)
        await engine.start()
        measures["replay_per_second"] = count / (time.perf_counter() - began)
        await engine.stop()

    async def steady(folder: Path) -> None:
        engine = open_engine(genesis, members, folder)
        await engine.start()
        taken, latencies = await feed(engine, chains, rate)
        await engine.stop()
        measures["steady_rate_reached"] = count / taken
        measures["steady_p50_ms"] = percentile(latencies, 0.5)
        measures["steady_p95_ms"] = percentile(latencies, 0.95)

    for part in (full, steady):
        with tempfile.TemporaryDirectory() as folder:
            asyncio.run(part(Path(folder)))
    with tempfile.TemporaryDirectory() as folder:
        measures["limit_per_second"] = bare_limit([tx for chain in chains for tx in chain], publics, Path(folder))
    measures["ratio_to_limit"] = measures["transactions_per_second"] / measures["limit_per_second"]
    return measures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=4000, help="a multiple of 8 (default 4000)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--rate", type=int, default=2000, help="arrivals a second of the latency run")
    options = parser.parse_args()
    runs = [run_once(options.transactions // MEMBERS * MEMBERS, options.rate) for _ in range(options.repeats)]
    medians = {name: round(statistics.median(run[name] for run in runs), 3) for name in runs[0]}
    report = {
        "benchmark": "ledger",
        "transactions": options.transactions,
        "repeats": options.repeats,
        "rate": options.rate,
        "median": medians,
        "target": {"transactions_per_second": 2000, "steady_p95_ms": 50},
    }
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
