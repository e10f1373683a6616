"""Pure gate work for batches of tokens, on one core and on worker processes, against the bare curve operations.

    PYTHONPATH=src python benchmarks/gate_batch.py [--repeats 7] [--tokens 256] [--workers 2]

Prints one JSON object. `gate`: for a batch of tokens (version 1): decode their points with all checks, verify sigma_I
(GATE-6) and the Schnorr signatures (GATE-7) under fresh weights, multiply and prove (GATE-9), each token with a proof
of its own. `bare`: the curve operations of the same formulas called on the curve libraries directly, on the same core.
`workers`: the same work through the node's worker processes, batches back to back, by the clock, so that whatever else
runs on the machine counts: `best` is the quickest repeat; `speedup` is against one such process. Medians otherwise.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson
import py_arkworks_bls12381 as arkworks
import pyblst  # type: ignore[import-untyped]

from lianzheng.compute.gate.evaluation import EvaluationContext
from lianzheng.compute.gate.work import EvaluationWork, TokenWork, evaluate_all, verify_all
from lianzheng.compute.gate.workers import ProcessGateWorkers
from lianzheng.consent.model import Terms, Token
from lianzheng.consent.token import make_token
from lianzheng.crypto.hazmat.bls12381 import G1, G2, ORDER, random_scalar, random_weight
from lianzheng.errors import LianzhengError
from lianzheng.zk import spseq

CHAIN = "lz-bench-1"
VIEW = "beta-assets/wealth/bands"
TARGET_PER_CORE = 600
TARGET_ON_TWO = 1100
DIDS = [f"did:lz:bench:z{letter * 44}" for letter in "abc"]
_P1, _P2 = pyblst.BlstP1Element(), pyblst.BlstP2Element()
_G, _H = _P1.uncompress(G1.generator().to_bytes()), _P2.uncompress(G2.generator().to_bytes())


def make(key: spseq.SecretKey, serial: int) -> Token:
    """A token."""
    v, u = random_scalar(), G1.hash_to_curve(serial.to_bytes(4, "big"), b"BENCH")
    terms = Terms(
        chain_id=CHAIN,
        requester=DIDS[0],
        provider=DIDS[1],
        agent=None,
        purpose="suitability-assessment",
        views=(VIEW,),
        function="hidden-query",
        not_before="2026-09-01",
        not_after="2026-12-06",
        max_uses=12,
        issuer=DIDS[2],
        credential_period=0,
        rk=bytes(32),
        template="sharing-zh-1",
        text=bytes(32),
        nonce=serial.to_bytes(32, "big"),
    )
    signature = spseq.sign(key, (G1.generator(), u, G1.generator() * v))
    return make_token(terms, u, v, signature)[0]


class Gate:
    """One provider's side: an issuer's key, a view key, and what each request binds."""

    def __init__(self, issuer: bytes, k: int) -> None:
        self.issuer = issuer
        self.k = k
        self.k_point = (G1.generator() * k).to_bytes()

    def token_works(self, tokens: list[Token]) -> list[TokenWork]:
        return [TokenWork(token, self.issuer) for token in tokens]

    def evaluation_works(self, elements: list[Any]) -> list[EvaluationWork]:
        bad = [element for element in elements if isinstance(element, LianzhengError)]
        if bad:
            raise SystemExit(f"the gate refuses a valid token: {bad[0]}")
        context = EvaluationContext(CHAIN, bytes(32), VIEW, 1, bytes(32), bytes(32))
        return [EvaluationWork(self.k, self.k_point, element, context) for element in elements]

    def batch(self, tokens: list[Token]) -> int:
        """Everything for one batch, in this process."""
        elements = verify_all(self.token_works(tokens), CHAIN)
        return len(evaluate_all(self.evaluation_works(elements)))

    async def spread(self, workers: ProcessGateWorkers, tokens: list[Token]) -> int:
        """The same on worker processes."""
        elements = await workers.verify(self.token_works(tokens))
        return len(await workers.evaluate(self.evaluation_works(elements)))


def points_of(token: Token) -> tuple[bytes, ...]:
    """A, B, C, Z, Y, R and Ŷ of a token, as bytes."""
    sigma = token.sigma_i
    return token.a, token.b, token.c, sigma.z, sigma.y, token.R, sigma.y2


def bare(points: list[tuple[bytes, ...]], issuer: list[Any], k: int) -> bool:
    """The curve operations of :meth:`Gate.batch` and nothing else; scalars of full size stand for challenges."""
    read = [(*(_P1.uncompress(data) for data in one[:6]), _P2.uncompress(one[6])) for one in points]
    weights = [random_weight() for _ in read]
    numbers = [arkworks.Scalar.from_be_bytes(weight.to_bytes(32, "big")) for weight in weights]
    full = [arkworks.Scalar.from_be_bytes((weight * k % ORDER).to_bytes(32, "big")) for weight in weights]
    quick = [[arkworks.G1Point.from_compressed_bytes_unchecked(one[at]) for one in points] for at in (0, 1, 2, 4, 5)]
    sums = [_sum(quick[at], numbers) for at in (0, 1, 2, 3)]
    product = pyblst.miller_loop(sums[3], _H)
    for point, twist in zip(sums[:3], issuer, strict=True):
        product = product * pyblst.miller_loop(point, twist)
    for one, weight in zip(read, weights, strict=True):
        product = product * pyblst.miller_loop(one[3].scalar_mul(weight) + _G, one[6])
    holds = pyblst.final_verify(product, _ONE)
    same = _sum(quick[0] + quick[2], full + full) == _sum(quick[4], numbers)
    for one in read:
        for point in (one[1].scalar_mul(k), _G.scalar_mul(k), one[1].scalar_mul(k)):
            point.compress()
    return bool(holds) or bool(same)


_ONE = pyblst.miller_loop(_P1, _H)


def _sum(points: list[Any], numbers: list[Any]) -> Any:
    return _P1.uncompress(bytes(arkworks.G1Point.multiexp_unchecked(points, numbers).to_compressed_bytes()))


def cpu(work: Callable[[], object]) -> float:
    """Processor seconds: other processes on the machine do not count."""
    start = time.process_time()
    work()
    return time.process_time() - start


async def clock(gate: Gate, tokens: list[Token], count: int, repeats: int) -> list[float]:
    """Seconds per token by the clock, ascending; batches back to back on ``count`` workers."""
    workers = ProcessGateWorkers(CHAIN, count)
    try:
        await gate.spread(workers, tokens)  # start and warm them
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            await gate.spread(workers, tokens)
            times.append((time.perf_counter() - start) / len(tokens))
        return sorted(times)
    finally:
        workers.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=256)
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()
    key = spseq.SecretKey.generate()
    gate = Gate(key.public().to_bytes(), random_scalar())
    issuer = [_P2.uncompress(point.to_bytes()) for point in key.public()]
    tokens = [make(key, serial) for serial in range(options.tokens)]
    points = [points_of(token) for token in tokens]
    gate.batch(tokens)
    gates, bares = [], []
    for _ in range(options.repeats):
        gates.append(cpu(partial(gate.batch, tokens)) / len(tokens))
        bares.append(cpu(partial(bare, points, issuer, gate.k)) / len(tokens))
    ones, manys = (asyncio.run(clock(gate, tokens, count, 4 * options.repeats)) for count in (1, options.workers))
    one, many = statistics.median(ones), statistics.median(manys)
    core, limit = statistics.median(gates), statistics.median(bares)
    report = {
        "benchmark": "gate_batch",
        "unit": "tokens per second",
        "batch": options.tokens,
        "repeats": options.repeats,
        "cores_seen": len(os.sched_getaffinity(0)),
        "gate_per_second_one_core": round(1 / core, 1),
        "bare_curve_per_second_one_core": round(1 / limit, 1),
        "ratio": round(limit / core, 3),
        "one_worker_per_second": round(1 / one, 1),
        "workers": options.workers,
        "workers_per_second": round(1 / many, 1),
        "workers_best_per_second": round(1 / manys[0], 1),
        "speedup": round(one / many, 2),
        "target_per_second_one_core": TARGET_PER_CORE,
        "target_per_second_two_cores": TARGET_ON_TWO,
        "gate_ms": [round(seconds * 1000, 3) for seconds in sorted(gates)],
        "bare_ms": [round(seconds * 1000, 3) for seconds in sorted(bares)],
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
