"""Proof that two pairs share one logarithm: ``P = k·G`` and ``W = k·B`` (GATE-9, OPRF-2, B11).

Transcript, on a fork of what the caller has absorbed::

    "dleq.base" G, "dleq.key" P, "dleq.element" B, "dleq.result" W,
    "dleq.commitments" R1 = t·G, R2 = t·B      ->  c
    z = t + c·k      holds when c is the challenge over R1 = z·G − c·P and R2 = z·B − c·W
"""

from __future__ import annotations

from typing import NamedTuple, Self

from lianzheng.crypto.hazmat.bls12381 import G1, ORDER, scalar_from_bytes, scalar_to_bytes
from lianzheng.crypto.nonce import hedged_nonce
from lianzheng.errors import FormatError, VerificationError
from lianzheng.zk.transcript import Transcript

__all__ = ["DleqProof", "prove", "verify"]


class DleqProof(NamedTuple):
    """(c, z), 64 bytes (B11)."""

    c: int
    z: int

    def to_bytes(self) -> bytes:
        """``c ‖ z``."""
        return scalar_to_bytes(self.c) + scalar_to_bytes(self.z)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Strict inverse. Raises ``FormatError`` ``proof_malformed``, ``scalar_invalid``."""
        if len(data) != 64:
            raise FormatError("proof_malformed", "A DLEQ proof must have 64 bytes.")
        return cls(scalar_from_bytes(data[:32]), scalar_from_bytes(data[32:]))


def prove(secret: int, g: G1, p: G1, b: G1, w: G1, transcript: Transcript) -> DleqProof:
    """A proof that ``secret`` takes ``g`` to ``p`` and ``b`` to ``w``, bound to ``transcript``; hedged nonce."""
    fork = _statement(g, p, b, w, transcript)
    nonce = hedged_nonce(scalar_to_bytes(secret), fork.state())
    fork.absorb("dleq.commitments", g * nonce, b * nonce)
    challenge = fork.challenge()
    return DleqProof(challenge, (nonce + challenge * secret) % ORDER)


def verify(g: G1, p: G1, b: G1, w: G1, proof: DleqProof, transcript: Transcript) -> None:
    """Return only if log_g p = log_b w was proven for exactly this transcript.

    Raises ``VerificationError`` ``dleq_invalid`` (CON-6); an identity anywhere is refused too. Each equation
    is recomputed by itself: merged under one weight, ``w = k·b + δ·(g + b)`` would pass (EQ-1).
    """
    if any(point.is_identity() for point in (g, p, b, w)):
        raise VerificationError("dleq_invalid", "A proof of equal logarithms is over the identity.")
    fork = _statement(g, p, b, w, transcript)
    fork.absorb("dleq.commitments", g * proof.z - p * proof.c, b * proof.z - w * proof.c)
    if fork.challenge() != proof.c:
        raise VerificationError("dleq_invalid", "A proof of equal logarithms does not hold.")


def _statement(g: G1, p: G1, b: G1, w: G1, transcript: Transcript) -> Transcript:
    fork = transcript.fork()
    fork.absorb("dleq.base", g)
    fork.absorb("dleq.key", p)
    fork.absorb("dleq.element", b)
    fork.absorb("dleq.result", w)
    return fork
