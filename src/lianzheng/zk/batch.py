"""Many signatures and proofs checked together, and the flawed ones named (EQ-1).

Every *equation* gets its own fresh weight from [1, 2^128), drawn after all inputs are fixed and read (CON-4). Two
equations of one item never share a weight: with one weight per item, signatures can be forged from a public key.

::

    SPS-EQ   two equations per item under w and u, over items j and keys X̂:
             Π_X̂,i e(Σ_j w_j·M_j,i, X̂i) · e(Σ_j u_j·Y_j, Ĝ) · Π_j e(−(w_j·Z_j + u_j·G), Ŷ_j) = 1
    Schnorr  one per item under s:   Σ_j s_j·z_j·A_j − s_j·c_j·P_j  =  Σ_j s_j·R_j
    DLEQ     one proof for pairs (B_j, W_j) under one key: "dleq-batch.base" G, "dleq-batch.key" P,
             "dleq-batch.elements" B_1 …, "dleq-batch.results" W_1 …  ->  seed;  ρ_j = hash_to_field_q(lp(seed) lp(j));
             then the proof of ``zk.dleq`` for (Σ ρ_j·B_j, Σ ρ_j·W_j)

A sum that fails is bisected down to the single verification, whose word is final.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import NamedTuple

from lianzheng.crypto.h2c import hash_to_scalar
from lianzheng.crypto.hazmat.bls12381 import (
    G1,
    G2,
    ORDER,
    msm,
    pairing_check,
    random_weight,
    scalar_to_bytes,
)
from lianzheng.encoding.framing import frame
from lianzheng.errors import FormatError, LianzhengError, VerificationError
from lianzheng.zk import dleq, schnorr, spseq
from lianzheng.zk.dleq import DleqProof
from lianzheng.zk.schnorr import SchnorrProof
from lianzheng.zk.spseq import Message, PublicKey, Signature
from lianzheng.zk.transcript import Transcript

__all__ = [
    "KnowledgeClaim",
    "Pair",
    "SignatureClaim",
    "invalid_schnorr",
    "invalid_spseq",
    "prove_dleq",
    "verify_dleq",
    "verify_schnorr",
    "verify_spseq",
]

Pair = tuple[G1, G1]
"""(B, W), claimed to be W = k·B."""

_ALONE_MAX = 4  # a flawed part of this size is cheaper to look at one by one than to split again
_WEIGHT_DST = b"LIANZHENG-V1-DLEQ-WEIGHT-XMD:SHA-256_SCALAR_"
_WINDOW_BITS = 8
_WEIGHT_BITS = 128


class SignatureClaim(NamedTuple):
    """That ``signature`` is one by ``key`` on the class of ``message``."""

    key: PublicKey
    message: Message
    signature: Signature


class KnowledgeClaim(NamedTuple):
    """That ``proof`` shows knowledge of log_base public in ``transcript``."""

    base: G1
    public: G1
    proof: SchnorrProof
    transcript: Transcript


# --- SPS-EQ --------------------------------------------------------------------------------------------------


def verify_spseq(claims: Sequence[SignatureClaim]) -> None:
    """Return only if every claim holds; raises ``VerificationError`` ``spseq_batch_invalid`` naming positions."""
    flawed = invalid_spseq(claims)
    if flawed:
        raise VerificationError("spseq_batch_invalid", f"Signatures do not verify at positions {_listed(flawed)}.")


def invalid_spseq(claims: Sequence[SignatureClaim]) -> tuple[int, ...]:
    """Positions of the claims that do not hold, ascending; the same as verifying each alone would name (EQ-1).

    Costs one Miller loop a claim and three a key, as long as nothing is flawed.
    """
    sound, flawed = _split(len(claims), lambda at: spseq.check_elements(*claims[at]))

    def together(part: Sequence[int]) -> bool:
        return _signatures_hold([claims[at] for at in part])

    return tuple(sorted([*flawed, *_search(sound, together, lambda at: spseq.verify(*claims[at]))]))


def _signatures_hold(claims: Sequence[SignatureClaim]) -> bool:
    weights = [(random_weight(), random_weight()) for _ in claims]
    by_key: dict[PublicKey, list[int]] = {}
    for at, claim in enumerate(claims):
        by_key.setdefault(claim.key, []).append(at)
    pairs: list[tuple[G1, G2]] = []
    for key, members in by_key.items():
        own = [weights[at][0] for at in members]
        pairs += [(msm([claims[at].message[row] for at in members], own), twist) for row, twist in enumerate(key)]
    pairs.append((msm([claim.signature.y for claim in claims], [second for _, second in weights]), G2.generator()))
    for claim, (first, second) in zip(claims, weights, strict=True):
        pairs.append((-(claim.signature.z * first + _generator_times(second)), claim.signature.y2))
    return pairing_check(pairs)


# --- Schnorr -------------------------------------------------------------------------------------------------


def verify_schnorr(claims: Sequence[KnowledgeClaim]) -> None:
    """Return only if every claim holds; raises ``VerificationError`` ``schnorr_batch_invalid`` naming positions."""
    flawed = invalid_schnorr(claims)
    if flawed:
        raise VerificationError("schnorr_batch_invalid", f"Proofs do not hold at positions {_listed(flawed)}.")


def invalid_schnorr(claims: Sequence[KnowledgeClaim]) -> tuple[int, ...]:
    """Positions of the claims that do not hold, ascending; the same as verifying each alone would name (EQ-1)."""
    challenges: dict[int, int] = {}

    def read(at: int) -> None:
        scalar_to_bytes(claims[at].proof.response)  # refuses z + q, which the sum would reduce
        challenges[at] = schnorr.challenge_of(*claims[at])

    sound, flawed = _split(len(claims), read)

    def together(part: Sequence[int]) -> bool:
        return _knowledge_holds([claims[at] for at in part], [challenges[at] for at in part])

    return tuple(sorted([*flawed, *_search(sound, together, lambda at: schnorr.verify(*claims[at]))]))


def _knowledge_holds(claims: Sequence[KnowledgeClaim], challenges: Sequence[int]) -> bool:
    weights = [random_weight() for _ in claims]
    points = [claim.base for claim in claims] + [claim.public for claim in claims]
    scalars = [weight * claim.proof.response % ORDER for weight, claim in zip(weights, claims, strict=True)]
    scalars += [-weight * challenge % ORDER for weight, challenge in zip(weights, challenges, strict=True)]
    return msm(points, scalars) == msm([claim.proof.commitment for claim in claims], weights)


# --- DLEQ ----------------------------------------------------------------------------------------------------


def prove_dleq(secret: int, g: G1, p: G1, pairs: Sequence[Pair], transcript: Transcript) -> DleqProof:
    """One proof that ``secret`` takes ``g`` to ``p`` and every B to its W. Raises ``FormatError`` ``batch_empty``."""
    fork, weights = _weighed(g, p, pairs, transcript)
    b = msm([pair[0] for pair in pairs], weights)
    return dleq.prove(secret, g, p, b, b * secret, fork)


def verify_dleq(g: G1, p: G1, pairs: Sequence[Pair], proof: DleqProof, transcript: Transcript) -> None:
    """Return only if log_g p = log_B W was proven for every pair, in this order and exactly this transcript.

    Each pair has a weight of its own, a full challenge over *all* pairs: it is hashed, so whoever makes the pairs can
    try often, and 128 bits would leave no margin. The two equations of the sum are recomputed apart (EQ-1). Raises
    ``VerificationError`` ``dleq_invalid``, ``FormatError`` ``batch_empty``.
    """
    if any(point.is_identity() for pair in pairs for point in pair):
        raise VerificationError("dleq_invalid", "A proof of equal logarithms is over the identity.")
    fork, weights = _weighed(g, p, pairs, transcript)
    b, w = (msm([pair[side] for pair in pairs], weights) for side in (0, 1))
    dleq.verify(g, p, b, w, proof, fork)


def _weighed(g: G1, p: G1, pairs: Sequence[Pair], transcript: Transcript) -> tuple[Transcript, list[int]]:
    if not pairs:
        raise FormatError("batch_empty", "A proof for several pairs needs at least one.")
    fork = transcript.fork()
    fork.absorb("dleq-batch.base", g)
    fork.absorb("dleq-batch.key", p)
    fork.absorb("dleq-batch.elements", *(pair[0] for pair in pairs))
    fork.absorb("dleq-batch.results", *(pair[1] for pair in pairs))
    seed = scalar_to_bytes(fork.challenge())
    weights = [hash_to_scalar(frame(seed, at), _WEIGHT_DST) for at in range(len(pairs))]
    return fork, weights


# --- the search ----------------------------------------------------------------------------------------------


def _split(count: int, check: Callable[[int], None]) -> tuple[list[int], list[int]]:
    sound: list[int] = []
    flawed: list[int] = []
    for at in range(count):
        (sound if _passes(check, at) else flawed).append(at)
    return sound, flawed


def _search(
    part: Sequence[int], together: Callable[[Sequence[int]], bool], alone: Callable[[int], None], flawed: bool = False
) -> list[int]:
    """Positions in ``part`` that fail ``alone``; ``flawed`` says that at least one is known to."""
    if len(part) <= (_ALONE_MAX if flawed else 1):
        return [at for at in part if not _passes(alone, at)]
    if not flawed and together(part):
        return []
    middle = len(part) // 2
    left = _search(part[:middle], together, alone)
    # Nothing wrong on the left means that it is on the right: no need to ask for the sum again.
    return left + _search(part[middle:], together, alone, flawed=not left)


def _passes(check: Callable[[int], None], at: int) -> bool:
    try:
        check(at)
    except LianzhengError:
        return False
    return True


def _listed(positions: Sequence[int]) -> str:
    return ", ".join(str(at) for at in positions)


# --- G times a weight ----------------------------------------------------------------------------------------


@lru_cache(maxsize=1)
def _generator_table() -> tuple[tuple[G1, ...], ...]:
    """``d·2^(8i)·G`` for each digit d of each window i. For weights only: a table is no place for a secret index."""
    rows = []
    step = G1.generator()
    for _ in range(_WEIGHT_BITS // _WINDOW_BITS):
        row = [G1.identity()]
        for _ in range(2**_WINDOW_BITS - 1):
            row.append(row[-1] + step)
        rows.append(tuple(row))
        step = row[-1] + step
    return tuple(rows)


def _generator_times(weight: int) -> G1:
    digits = weight.to_bytes(_WEIGHT_BITS // _WINDOW_BITS, "little")
    total = G1.identity()
    for row, digit in zip(_generator_table(), digits, strict=True):
        total += row[digit]
    return total
