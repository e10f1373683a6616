"""Signatures on equivalence classes of three-element vectors over G1 (Fuchsbauer-Hanser-Slamanig; §4, EQ-1).

::

    key     x1, x2, x3;  X̂i = xi·Ĝ
    sign    Z = y·Σ xi·Mi,  Y = y⁻¹·G,  Ŷ = y⁻¹·Ĝ         y hedged, never repeated
    verify  Π e(Mi, X̂i) = e(Z, Ŷ)   and   e(Y, Ĝ) = e(G, Ŷ)
    change  M' = r·M,  Z' = ψ·r·Z,  Y' = ψ⁻¹·Y,  Ŷ' = ψ⁻¹·Ŷ
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple, Self

from lianzheng.crypto.hazmat.bls12381 import (
    G1,
    G2,
    ORDER,
    msm,
    pairing_check,
    random_scalar,
    random_weight,
    scalar_from_bytes,
    scalar_to_bytes,
)
from lianzheng.crypto.nonce import hedged_nonce
from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError, RefusedError, VerificationError
from lianzheng.zk.transcript import Transcript

__all__ = [
    "PURPOSES",
    "Message",
    "PublicKey",
    "SecretKey",
    "Signature",
    "change_representative",
    "check_elements",
    "prove_possession",
    "sign",
    "verify",
    "verify_possession",
]

Message = tuple[G1, G1, G1]
"""Exactly three elements (EQ-1)."""

PURPOSES = ("credential", "gate")
"""What a key may be published for; one key serves one purpose (EQ-1)."""

_POSSESSION_SIZE = 3 * G2.SIZE + 3 * 32


@lru_cache(maxsize=1024)
def _key_points(data: bytes) -> tuple[G2, G2, G2]:
    """Decoded once: a network has a few hundred keys, and a gate meets one of them with every token."""
    return G2.from_bytes(data[:96]), G2.from_bytes(data[96:192]), G2.from_bytes(data[192:])


class PublicKey(NamedTuple):
    """(X̂1, X̂2, X̂3)."""

    x1: G2
    x2: G2
    x3: G2

    def to_bytes(self) -> bytes:
        """``X̂1 ‖ X̂2 ‖ X̂3``, 288 bytes."""
        return b"".join(point.to_bytes() for point in self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Strict inverse (CON-4). Raises ``FormatError`` ``key_malformed``, ``point_*``."""
        if len(data) != 288:
            raise FormatError("key_malformed", "An SPS-EQ public key must have 288 bytes.")
        return cls(*_key_points(data))


class SecretKey(NamedTuple):
    """(x1, x2, x3), each in [1, q)."""

    x1: int
    x2: int
    x3: int

    def __repr__(self) -> str:
        return "<SPS-EQ secret key>"

    @classmethod
    def generate(cls) -> Self:
        """A fresh key."""
        return cls(random_scalar(), random_scalar(), random_scalar())

    def public(self) -> PublicKey:
        """The public key."""
        return PublicKey(*(G2.generator() * x for x in self))

    def to_bytes(self) -> bytes:
        """96 secret bytes, for a key store."""
        return b"".join(scalar_to_bytes(x) for x in self)

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Strict inverse. Raises ``FormatError`` ``key_malformed``, ``scalar_invalid``."""
        if len(data) != 96:
            raise FormatError("key_malformed", "An SPS-EQ secret key must have 96 bytes.")
        key = cls(*(scalar_from_bytes(data[at : at + 32]) for at in (0, 32, 64)))
        if 0 in key:
            raise FormatError("key_malformed", "An SPS-EQ secret key holds a zero.")
        return key


class Signature(NamedTuple):
    """(Z, Y, Ŷ)."""

    z: G1
    y: G1
    y2: G2

    def to_bytes(self) -> bytes:
        """``Z ‖ Y ‖ Ŷ``, 192 bytes."""
        return self.z.to_bytes() + self.y.to_bytes() + self.y2.to_bytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Strict inverse (CON-4). Raises ``FormatError`` ``signature_malformed``, ``point_*``."""
        if len(data) != 192:
            raise FormatError("signature_malformed", "An SPS-EQ signature must have 192 bytes.")
        return cls(G1.from_bytes(data[:48]), G1.from_bytes(data[48:96]), G2.from_bytes(data[96:]))


def sign(key: SecretKey, message: Message) -> Signature:
    """A signature on the class of ``message``; y is hedged over key and message, so never repeats (EQ-1).

    Raises ``FormatError`` ``message_malformed`` for other than three elements, ``RefusedError``
    ``spseq_message_refused`` for an identity among them or a vector that the key maps to the identity.
    """
    _check_shape(message)
    if any(point.is_identity() for point in message):
        raise RefusedError("spseq_message_refused", "A vector to be signed holds the identity.")
    context = tagged("spseq-sign", *(point.to_bytes() for point in message))
    y = hedged_nonce(key.to_bytes(), context)
    inverse = pow(y, -1, ORDER)
    z = msm(message, [x * y % ORDER for x in key])
    if z.is_identity():
        raise RefusedError("spseq_message_refused", "A vector to be signed lies in the kernel of the key.")
    return Signature(z, G1.generator() * inverse, G2.generator() * inverse)


def verify(key: PublicKey, message: Message, signature: Signature) -> None:
    """Return only if ``signature`` is one by ``key`` on the class of ``message``.

    Both equations go through one final exponentiation under fresh independent weights (EQ-1): with weights
    1 and δ, which decide the same as (w, w·δ) for any w ≠ 0, because GT has prime order; δ is drawn
    here, after all inputs are fixed. Raises ``VerificationError`` ``spseq_invalid`` (CON-6).
    """
    check_elements(key, message, signature)
    delta = random_weight()
    holds = pairing_check(
        [
            (message[0], key.x1),
            (message[1], key.x2),
            (message[2], key.x3),
            (signature.y * delta, G2.generator()),
            (-(signature.z + G1.generator() * delta), signature.y2),
        ]
    )
    if not holds:
        raise VerificationError("spseq_invalid", "A signature on an equivalence class does not verify.")


def check_elements(key: PublicKey, message: Message, signature: Signature) -> None:
    """What holds before any equation is looked at, alone or in a batch: three elements and no identity (EQ-1).

    Raises ``FormatError`` ``message_malformed``, ``VerificationError`` ``spseq_invalid``.
    """
    _check_shape(message)
    # Z is not in the rule's list, but no signature of ours has Z = O and CON-4 refuses it on the wire.
    if any(point.is_identity() for point in (*message, *signature, *key)):
        raise VerificationError("spseq_invalid", "A signature on an equivalence class holds the identity.")


def change_representative(message: Message, signature: Signature, r: int) -> tuple[Message, Signature]:
    """``(r·M, σ')``, where σ' is distributed like a fresh signature on r·M; ψ is drawn here (AUTH-2).

    Raises ``FormatError`` ``scalar_invalid`` unless 2 ≤ r < q: 0 and 1 hide nothing.
    """
    _check_shape(message)
    if not 2 <= r < ORDER:
        raise FormatError("scalar_invalid", "A representative may only be changed by a scalar in [2, q).")
    psi = random_scalar()
    inverse = pow(psi, -1, ORDER)
    changed = Signature(signature.z * (psi * r % ORDER), signature.y * inverse, signature.y2 * inverse)
    return (message[0] * r, message[1] * r, message[2] * r), changed


def prove_possession(key: SecretKey, chain_id: str, member: str, purpose: str, period: int) -> bytes:
    """Proof of knowledge of the key, good for this member, purpose and period only (EQ-1).

    ``R̂1 ‖ R̂2 ‖ R̂3 ‖ z1 ‖ z2 ‖ z3`` (384 bytes): three Schnorr proofs in G2 under one challenge.
    Transcript ``spseq-possession``: "member", "purpose", "period", "key" X̂1 X̂2 X̂3, "commitments" R̂1 R̂2 R̂3.
    """
    transcript = _possession_transcript(key.public(), chain_id, member, purpose, period)
    secrets = [scalar_to_bytes(x) for x in key]
    nonces = [hedged_nonce(secret, transcript.state() + bytes([at])) for at, secret in enumerate(secrets)]
    commitments = [G2.generator() * nonce for nonce in nonces]
    transcript.absorb("commitments", *commitments)
    challenge = transcript.challenge()
    responses = [(nonce + challenge * x) % ORDER for nonce, x in zip(nonces, key, strict=True)]
    return b"".join(point.to_bytes() for point in commitments) + b"".join(scalar_to_bytes(z) for z in responses)


def verify_possession(key: PublicKey, proof: bytes, chain_id: str, member: str, purpose: str, period: int) -> None:
    """Return only if ``member`` proved to know the key, for this purpose and period on this chain (EQ-1).

    Raises ``VerificationError`` ``possession_invalid`` (CON-6), ``FormatError`` ``key_purpose_unknown``.
    """
    transcript = _possession_transcript(key, chain_id, member, purpose, period)
    if len(proof) != _POSSESSION_SIZE or any(point.is_identity() for point in key):
        raise VerificationError("possession_invalid", "A proof of possession has the wrong form.")
    try:
        commitments = [G2.from_bytes(proof[at : at + 96]) for at in (0, 96, 192)]
        responses = [scalar_from_bytes(proof[at : at + 32]) for at in (288, 320, 352)]
    except FormatError as error:
        raise VerificationError(
            "possession_invalid", "A proof of possession has the wrong form.", detail=error.code
        ) from error
    transcript.absorb("commitments", *commitments)
    challenge = transcript.challenge()
    for point, commitment, response in zip(key, commitments, responses, strict=True):
        if G2.generator() * response != commitment + point * challenge:
            raise VerificationError("possession_invalid", "A proof of possession does not hold.")


def _possession_transcript(key: PublicKey, chain_id: str, member: str, purpose: str, period: int) -> Transcript:
    if purpose not in PURPOSES:
        raise FormatError("key_purpose_unknown", "A key purpose must be credential or gate.")
    transcript = Transcript("spseq-possession", chain_id)
    transcript.absorb("member", member)
    transcript.absorb("purpose", purpose)
    transcript.absorb("period", period)
    transcript.absorb("key", *key)
    return transcript


def _check_shape(message: Message) -> None:
    if len(message) != 3:
        raise FormatError("message_malformed", "An SPS-EQ message must have exactly three elements.")
