"""Schnorr proof of knowledge of ``x`` with ``P = x·A`` over any base A in G1 (AUTH-2, B11).

Transcript, on a fork of what the caller has absorbed::

    "schnorr.base" A, "schnorr.public" P, "schnorr.commitment" R = k·A   ->  c
    z = k + c·x            holds when  z·A = R + c·P
"""

from __future__ import annotations

from typing import NamedTuple, Self

from lianzheng.crypto.hazmat.bls12381 import G1, ORDER, scalar_from_bytes, scalar_to_bytes
from lianzheng.crypto.nonce import hedged_nonce
from lianzheng.errors import FormatError, VerificationError
from lianzheng.zk.transcript import Transcript

__all__ = ["SchnorrProof", "challenge_of", "prove", "verify"]


class SchnorrProof(NamedTuple):
    """(R, z): the commitment, not the challenge, so that proofs can be checked in batches (B11)."""

    commitment: G1
    response: int

    def to_bytes(self) -> bytes:
        """``R ‖ z``, 80 bytes."""
        return self.commitment.to_bytes() + scalar_to_bytes(self.response)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Strict inverse. Raises ``FormatError`` ``proof_malformed``, ``point_*``, ``scalar_invalid`` (z ≥ q)."""
        if len(data) != 80:
            raise FormatError("proof_malformed", "A Schnorr proof must have 80 bytes.")
        return cls(G1.from_bytes(data[:48]), scalar_from_bytes(data[48:]))


def prove(base: G1, public: G1, secret: int, transcript: Transcript) -> SchnorrProof:
    """A proof of ``secret`` = log_base public, bound to everything in ``transcript``; hedged nonce (AUTH-2)."""
    fork = transcript.fork()
    fork.absorb("schnorr.base", base)
    fork.absorb("schnorr.public", public)
    nonce = hedged_nonce(scalar_to_bytes(secret), fork.state())
    commitment = base * nonce
    fork.absorb("schnorr.commitment", commitment)
    return SchnorrProof(commitment, (nonce + fork.challenge() * secret) % ORDER)


def verify(base: G1, public: G1, proof: SchnorrProof, transcript: Transcript) -> None:
    """Return only if the prover knew log_base public, for exactly this transcript.

    Raises ``VerificationError`` ``schnorr_invalid`` (CON-6); an identity anywhere is refused too.
    """
    if base * proof.response != proof.commitment + public * challenge_of(base, public, proof, transcript):
        raise VerificationError("schnorr_invalid", "A proof of knowledge does not hold.")


def challenge_of(base: G1, public: G1, proof: SchnorrProof, transcript: Transcript) -> int:
    """The challenge c that ``proof`` must answer: ``z·A = R + c·P``, here or in a batch (EQ-1).

    Raises ``VerificationError`` ``schnorr_invalid`` for an identity.
    """
    if base.is_identity() or public.is_identity() or proof.commitment.is_identity():
        raise VerificationError("schnorr_invalid", "A proof of knowledge is over the identity.")
    fork = transcript.fork()
    fork.absorb("schnorr.base", base)
    fork.absorb("schnorr.public", public)
    fork.absorb("schnorr.commitment", proof.commitment)
    return fork.challenge()
