"""The gate through a real node: mutual TLS, every check, durable counting; beside pure gate work in one process.

    PYTHONPATH=src python benchmarks/node_gate.py [--people 24] [--requests 300] [--repeats 3]

Prints one JSON object. Three node processes are founded as in the demo; one customer's token is then asked again and
again with fresh nonces: every gate, the evaluation with its proof and the durable answer run each time, and only the
count of the use stays as it was. `N_at_once` is single requests with N of them under way; `batched` asks 256 times in
one call. `pure` is the same token through the cryptography alone, in this process.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import os
import resource
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console

from lianzheng.adapters.transport.client import PeerAddress, PeerClient
from lianzheng.clock import SystemClock
from lianzheng.compute.gate.evaluation import context_of, evaluate
from lianzheng.compute.gate.model import GateRequest, ViewEpoch, request_hash
from lianzheng.compute.gate.requester import GateClient, Use
from lianzheng.consent.model import decode_token
from lianzheng.consent.token import decode_points, verify_holder_signature, verify_issuer_signature
from lianzheng.crypto.hazmat.bls12381 import G1, random_scalar, scalar_from_bytes
from lianzheng.demo.processes import NodeProcesses
from lianzheng.demo.screen import Screen
from lianzheng.demo.stage import Settings, Stage
from lianzheng.demo.steps.consent import consent, granted
from lianzheng.demo.steps.data import load
from lianzheng.demo.steps.enrolment import enrol
from lianzheng.demo.steps.founders import found, prepare
from lianzheng.demo.steps.task import agree
from lianzheng.encoding.binary import b64u_decode
from lianzheng.errors import LianzhengError
from lianzheng.identity.model import IssuerKeyRecord, issuer_state_key
from lianzheng.limits import GATE_BATCH_MAX
from lianzheng.zk.spseq import PublicKey

AT_ONCE = (1, 8, 32)
"""Requests under way: one asker that waits, a few, and as many as one peer has connections."""
TARGET_PER_SECOND = 180


async def measure(stage: Stage, requests: int, repeats: int) -> dict[str, Any]:
    """Requests per second through the provider's node, and the pure work beside it."""
    case = next(case for case in stage.cases if case.consent is not None)
    await granted(stage, [case])
    provider, asker = stage.providers[0], stage.requester
    if case.consent is None:
        raise RuntimeError("a consented customer is needed")
    delivery = next(
        one for one in case.consent.submission.tokens if decode_token(one.token).terms.provider == provider.did
    )
    ledger = await stage.ledger_with(*(f"epoch/{view}/" for view in provider.views()))
    addresses = {one.did: PeerAddress(str(one.card.endpoint), one.card.certificate) for one in stage.brokers}
    peers = PeerClient(asker.home / "peer.crt.pem", asker.home / "peer.key.pem", addresses.get)
    sign = partial(asker.keystore().sign, "node")
    client = GateClient(asker.did, stage.network.chain_id, sign, peers, lambda: ledger, SystemClock())
    view = ViewEpoch(view=provider.views()[0], epoch=1)
    ask = partial(client.ask, b64u_decode(stage.task), delivery.token, scalar_from_bytes(delivery.r), (view,))
    token = decode_token(delivery.token)
    key_record = ledger.get(issuer_state_key(token.terms.issuer, token.terms.credential_period))
    key = PublicKey.from_bytes(IssuerKeyRecord.from_json(key_record).key)
    await ask()
    uses = [Use(delivery.token, scalar_from_bytes(delivery.r), (view,))] * GATE_BATCH_MAX
    rates: dict[int, list[float]] = {many: [] for many in AT_ONCE}
    cpu: dict[int, list[float]] = {many: [] for many in AT_ONCE}
    pure, batch_rates, batch_cpu = [], [], []
    pid = stage.processes.pid(provider.short) if stage.processes else 0
    for _ in range(repeats):
        pure.append(pure_rate(delivery.token, key, view, stage, requests))
        for many in AT_ONCE:
            before, started = cpu_s(pid), time.perf_counter()
            await ask_at_once(ask, requests, many)
            rates[many].append(requests / (time.perf_counter() - started))
            cpu[many].append(requests / (cpu_s(pid) - before))
        before, started = cpu_s(pid), time.perf_counter()
        for outcome in await client.ask_many(b64u_decode(stage.task), uses):
            if isinstance(outcome, LianzhengError):
                raise outcome
        batch_rates.append(len(uses) / (time.perf_counter() - started))
        batch_cpu.append(len(uses) / (cpu_s(pid) - before))
    await peers.close()
    return {
        "benchmark": "node_gate",
        "unit": "requests per second, one view each; asker and provider share the machine's cores",
        "repeats": repeats,
        "requests_per_repeat": requests,
        **{f"{many}_at_once_per_second": round(statistics.median(rates[many]), 1) for many in AT_ONCE},
        **{f"{many}_at_once_per_second_of_the_node's_cpu": round(statistics.median(cpu[many]), 1) for many in AT_ONCE},
        "batched_through_node_per_second": round(statistics.median(batch_rates), 1),
        "batched_per_second_of_the_node's_cpu": round(statistics.median(batch_cpu), 1),
        "pure_per_second": round(statistics.median(pure), 1),
        "ratio_cpu_to_pure": round(statistics.median(cpu[AT_ONCE[-1]]) / statistics.median(pure), 3),
        "target_per_second": TARGET_PER_SECOND,
        "peak_memory_mib_of_the_node": peak_mib(pid),
        "peak_memory_mib_of_the_asker": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


async def ask_at_once(ask: Callable[[], Awaitable[object]], requests: int, many: int) -> None:
    """``requests`` single requests, ``many`` of them under way at any time."""
    numbers = iter(range(requests))

    async def asker() -> None:
        for _ in numbers:
            await ask()

    await asyncio.gather(*(asker() for _ in range(many)))


def pure_rate(raw: bytes, issuer: PublicKey, view: ViewEpoch, stage: Stage, count: int) -> float:
    """Tokens per second through decoding, GATE-6, GATE-7 and GATE-9 alone."""
    k = random_scalar()
    point = G1.generator() * k
    names = {"requester": stage.requester.did, "provider": stage.providers[0].did, "key_id": "#node"}
    some = {"task": bytes(32), "cid": bytes(32), "nonce": bytes(32), "signature": bytes(64)}
    request = GateRequest(chain_id=stage.network.chain_id, views=(view,), time_ms=0, **names, **some)  # type: ignore[arg-type]
    started = time.perf_counter()
    for _ in range(count):
        token = decode_token(raw)
        points = decode_points(token)
        verify_issuer_signature(points, issuer)
        verify_holder_signature(token, points)
        evaluate(k, point, points.b, context_of(view, request, request_hash(request)))
    return count / (time.perf_counter() - started)


def cpu_s(pid: int) -> float:
    """Processor seconds that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> int:
    """The most memory that a process has held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) // 1024


async def run(people: int, requests: int, repeats: int, out: Path) -> dict[str, Any]:
    """Found, load, enrol, consent, agree; then measure."""
    clock = SystemClock()
    quiet = Console(file=io.StringIO())
    stage = Stage(Settings(people=people, seed=1, out=out), Screen(quiet, clock), clock)
    prepare(stage)
    async with contextlib.AsyncExitStack() as stack:
        stage.processes = NodeProcesses({broker.short: broker.home for broker in stage.brokers})
        await stack.enter_async_context(stage.processes)
        for node in stage.nodes:
            await stack.enter_async_context(node)
        await found(stage, stage.processes)
        await load(stage)
        await enrol(stage)
        await consent(stage)
        await agree(stage)
        return await measure(stage, requests, repeats)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=24)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = asyncio.run(run(options.people, options.requests, options.repeats, Path(folder)))
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
