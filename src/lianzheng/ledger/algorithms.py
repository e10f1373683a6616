"""Signature algorithms of transactions (LED-2): which one is a property of the key, never of the message.

Every signature is r ‖ s, or Ed25519's, in 64 bytes. Of the two forms of a P-256 signature only the one with the low s
counts; SM2 goes through the compiled provider (ADR 0023), with the default identity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lianzheng.crypto import ecdsa, ed25519, sm2
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, SM2_PUB, decode_any_multikey, encode_multikey
from lianzheng.errors import FormatError, VerificationError

__all__ = ["Algorithm", "TransactionSigner", "algorithm_of", "transaction_signer", "verify_signature"]

Algorithm = Literal["Ed25519", "ES256", "SM2-SM3"]
_OF_KEY: dict[int, Algorithm] = {ED25519_PUB: "Ed25519", P256_PUB: "ES256", SM2_PUB: "SM2-SM3"}


@dataclass(frozen=True)
class TransactionSigner:
    """What signs transactions: the algorithm of a key, its Multikey text, and the act of signing."""

    alg: Algorithm
    multikey: str
    sign: Callable[[bytes], bytes]


def algorithm_of(multikey: str) -> tuple[Algorithm, bytes]:
    """Algorithm and raw key of a Multikey. Raises ``FormatError`` ``multikey_invalid`` for one of another type."""
    codec, public = decode_any_multikey(multikey)
    if codec not in _OF_KEY:
        raise FormatError("multikey_invalid", "A key of this type signs no transactions.")
    return _OF_KEY[codec], public


def verify_signature(alg: Algorithm, public: bytes, message: bytes, signature: bytes) -> None:
    """Return only for a signature of the one form that counts. Raises ``VerificationError`` ``signature_invalid``."""
    if alg == "Ed25519":
        ed25519.verify(public, message, signature)
    elif alg == "SM2-SM3":
        sm2.verify(public, message, signature)
    else:
        ecdsa.verify("P-256", public, message, signature)  # first: r and s are in range afterwards
        if ecdsa.low_s(signature) != signature:
            raise VerificationError("signature_invalid", "A P-256 signature must be the one with the low s.")


def transaction_signer(codec: int, secret: bytes) -> TransactionSigner:
    """A signer of transactions; ``secret`` is an Ed25519 seed, a P-256 scalar or an SM2 pair.

    Raises ``FormatError`` ``key_malformed``, and ``multikey_invalid`` for a type that signs no transactions.
    """
    if codec == ED25519_PUB:
        public = ed25519.public_key(secret)
        return TransactionSigner("Ed25519", encode_multikey(codec, public), lambda data: ed25519.sign(secret, data))
    if codec == P256_PUB:
        public = ecdsa.public_key("P-256", secret)
        return TransactionSigner(
            "ES256", encode_multikey(codec, public), lambda data: ecdsa.low_s(ecdsa.sign("P-256", secret, data))
        )
    if codec == SM2_PUB:
        public = sm2.public_key(secret)
        return TransactionSigner("SM2-SM3", encode_multikey(codec, public), lambda data: sm2.sign(secret, data))
    raise FormatError("multikey_invalid", "A key of this type signs no transactions.")
