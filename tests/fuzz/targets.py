"""What is fuzzed: each decoder that reads a stranger's bytes, with valid seeds and its one encoding (CON-1, CON-4)."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from bundle_kit import valid
from consent_kit import CHAIN, Maker
from fuzz.messages import again_of, message_seeds, robust
from lianzheng.consent.model import decode_token
from lianzheng.consent.token import verify_token
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.evidence.model.bundle import Bundle, TrustFile
from lianzheng.verify import verify_bundle
from lianzheng.zk import dleq, schnorr, spseq
from lianzheng.zk.transcript import Transcript


class Target(NamedTuple):
    """``again`` decodes and encodes: it raises a typed error or returns the bytes it was given."""

    again: Callable[[bytes], bytes]
    seeds: tuple[bytes, ...]


class Signed(NamedTuple):
    """``verify`` accepts the seeds, and of everything else nothing."""

    verify: Callable[[bytes], object]
    seeds: tuple[bytes, ...]


@cache
def decoders() -> dict[str, Target]:
    """Every target by name; seeds come from the test kits."""
    maker = Maker(key=spseq.SecretKey(3, 5, 7))  # fixed: a printed seed gives the same input again
    tokens = tuple(maker.token()[0].to_bytes() for _ in range(2))
    points = [G1.generator() * number for number in (1, 5, 7, 35)]
    pair = dleq.prove(5, points[0], points[1], points[2], points[3], Transcript("fuzz", CHAIN))
    knowledge = schnorr.prove(points[0], points[1], 5, Transcript("fuzz", CHAIN))
    bundle, trust = valid()
    return {
        **{name: Target(again_of(kind), (seed,)) for name, (kind, seed) in message_seeds().items()},
        **{name: Target(again, (seed,)) for name, (again, seed) in robust().items()},
        "token": Target(lambda data: decode_token(data).to_bytes(), tokens),
        "bundle": Target(lambda data: Bundle.from_bytes(data).to_bytes(), (bundle,)),
        "trust": Target(lambda data: TrustFile.from_bytes(data).to_bytes(), (trust,)),
        "schnorr": Target(lambda data: schnorr.SchnorrProof.from_bytes(data).to_bytes(), (knowledge.to_bytes(),)),
        "dleq": Target(lambda data: dleq.DleqProof.from_bytes(data).to_bytes(), (pair.to_bytes(),)),
        "spseq-key": Target(lambda data: spseq.PublicKey.from_bytes(data).to_bytes(), (maker.key.public().to_bytes(),)),
    }


@cache
def signed() -> dict[str, Signed]:
    """What a signature covers: bundles under their trust file, tokens under their issuer's key."""
    maker = Maker(key=spseq.SecretKey(3, 5, 7))  # fixed: a printed seed gives the same input again
    public = maker.key.public()
    bundle, trust = valid()
    tokens = tuple(maker.token()[0].to_bytes() for _ in range(2))
    return {
        "bundle": Signed(lambda data: verify_bundle(data, trust), (bundle,)),
        "token": Signed(lambda data: verify_token(decode_token(data), CHAIN, public), tokens),
    }
