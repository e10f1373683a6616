"""Pure gate work for one token (version 1) against the bare curve operations that it cannot do without.

    PYTHONPATH=src python benchmarks/gate.py [--repeats 9] [--tokens 60]

Prints one JSON object. `gate`: decode the points with all checks, verify sigma_I (GATE-6) and the Schnorr
signature (GATE-7), multiply and prove (GATE-9), through this project's code. `bare`: the same operations
called on the curve library directly, without transcripts, wrappers or error handling. Both run in turn in
the same process, on one core; medians over the repeats. The two sides do the same curve work by construction,
so `ratio` is what the code around it costs.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import orjson
import pyblst  # type: ignore[import-untyped]

from lianzheng.crypto.hazmat.bls12381 import G1, G2, random_scalar, random_weight
from lianzheng.zk import dleq, schnorr, spseq
from lianzheng.zk.transcript import Transcript

CHAIN = "bench"
TERMS = b"t" * 1200  # about what a token's terms take
TARGET_PER_SECOND = 280


def make_token(key: spseq.SecretKey) -> bytes:
    """A, B, C, sigma and the Schnorr proof of one token, as they travel."""
    v, r = random_scalar(), random_scalar()
    identity = G1.hash_to_curve(random_scalar().to_bytes(32, "big"), b"BENCH")
    message = (G1.generator(), identity, G1.generator() * v)
    changed, signature = spseq.change_representative(message, spseq.sign(key, message), r)
    proof = schnorr.prove(changed[0], changed[2], v, token_transcript(changed, signature))
    return b"".join(point.to_bytes() for point in changed) + signature.to_bytes() + proof.to_bytes()


def token_transcript(message: spseq.Message, signature: spseq.Signature) -> Transcript:
    """A transcript of a token's size."""
    transcript = Transcript("bench-token", CHAIN)
    transcript.absorb("terms", TERMS)
    transcript.absorb("representative", *message)
    transcript.absorb("signature", *signature)
    return transcript


def gate_work(token: bytes, issuer: spseq.PublicKey, k: int, k_point: G1) -> tuple[G1, dleq.DleqProof]:
    """GATE-6, GATE-7 and GATE-9 for one token."""
    message = (G1.from_bytes(token[:48]), G1.from_bytes(token[48:96]), G1.from_bytes(token[96:144]))
    signature = spseq.Signature.from_bytes(token[144:336])
    proof = schnorr.SchnorrProof.from_bytes(token[336:416])
    spseq.verify(issuer, message, signature)
    schnorr.verify(message[0], message[2], proof, token_transcript(message, signature))
    answer = message[1] * k
    transcript = Transcript("bench-answer", CHAIN)
    transcript.absorb("request", b"r" * 32)
    return answer, dleq.prove(k, G1.generator(), k_point, message[1], answer, transcript)


def bare_work(token: bytes, issuer: tuple[Any, Any, Any], k: int) -> bool:
    """The curve operations of :func:`gate_work` and nothing else; scalars of full size stand for challenges."""
    p1, p2 = pyblst.BlstP1Element(), pyblst.BlstP2Element()
    a, b, c, z, y, commitment = (p1.uncompress(token[at : at + 48]) for at in (0, 48, 96, 144, 192, 336))
    y2 = p2.uncompress(token[240:336])
    loop, delta = pyblst.miller_loop, random_weight()
    left = loop(a, issuer[0]) * loop(b, issuer[1]) * loop(c, issuer[2]) * loop(y.scalar_mul(delta), _H)
    holds = pyblst.final_verify(left, loop(z + _G.scalar_mul(delta), y2))
    same = a.scalar_mul(k) == commitment + c.scalar_mul(k)
    for point in (b.scalar_mul(k), _G.scalar_mul(k), b.scalar_mul(k)):
        point.compress()
    return bool(holds) and not same


_G = pyblst.BlstP1Element().uncompress(G1.generator().to_bytes())
_H = pyblst.BlstP2Element().uncompress(G2.generator().to_bytes())


def timed(work: Callable[[bytes], object], tokens: list[bytes]) -> float:
    """CPU seconds per token: other processes on the machine do not count."""
    start = time.process_time()
    for token in tokens:
        work(token)
    return (time.process_time() - start) / len(tokens)


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=60)
    options = parser.parse_args()
    key, k = spseq.SecretKey.generate(), random_scalar()
    issuer, k_point = key.public(), G1.generator() * k
    raw = tuple(pyblst.BlstP2Element().uncompress(point.to_bytes()) for point in issuer)
    tokens = [make_token(key) for _ in range(options.tokens)]
    if not all(bare_work(token, (raw[0], raw[1], raw[2]), k) for token in tokens):
        raise SystemExit("the bare side rejects a valid token: the benchmark is wrong")
    gates, bares = [], []
    for _ in range(options.repeats):
        gates.append(timed(lambda token: gate_work(token, issuer, k, k_point), tokens))
        bares.append(timed(lambda token: bare_work(token, (raw[0], raw[1], raw[2]), k), tokens))
    gate, bare = statistics.median(gates), statistics.median(bares)
    report = {
        "benchmark": "gate",
        "unit": "tokens per second of one core",
        "repeats": options.repeats,
        "tokens_per_repeat": options.tokens,
        "gate_per_second": round(1 / gate, 1),
        "bare_curve_per_second": round(1 / bare, 1),
        "ratio": round(bare / gate, 3),
        "target_per_second": TARGET_PER_SECOND,
        "gate_ms": [round(seconds * 1000, 3) for seconds in sorted(gates)],
        "bare_ms": [round(seconds * 1000, 3) for seconds in sorted(bares)],
    }
    sys.stdout.write(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode() + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
