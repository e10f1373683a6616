"""Hedged nonces: RFC 6979 with added randomness (AUTH-2, EQ-1).

A nonce that repeats, or that somebody guesses, gives the secret away. The RFC 6979 generator makes
it a function of secret and message, so that a broken random source cannot make two messages share
one; 32 fresh random bytes as its *additional data* (§3.6) keep faults and side channels from
working on the same nonce twice.
"""

from __future__ import annotations

import hmac
import secrets

from lianzheng.crypto.digest import sha256_raw
from lianzheng.crypto.hazmat.bls12381 import ORDER

__all__ = ["hedged_nonce", "rfc6979_nonce"]

_ENTROPY = 32


def hedged_nonce(secret: bytes, message: bytes) -> int:
    """A nonce in [1, q) that is fresh, and differs between messages even if the random source stands still.

    ``message`` is everything that the proof is about, behind a protocol-specific prefix: two protocols
    under one secret then never share a nonce either.
    """
    return rfc6979_nonce(ORDER, secret, sha256_raw(message), secrets.token_bytes(_ENTROPY))


def rfc6979_nonce(order: int, secret: bytes, digest: bytes, extra: bytes = b"") -> int:
    """RFC 6979 §3.2 with SHA-256 and the additional data of §3.6.

    ``secret`` is int2octets(x), or several of them in a row for a key of several scalars.
    """
    bits = order.bit_length()
    size = (bits + 7) // 8
    h1 = (_bits_to_int(digest, bits) % order).to_bytes(size, "big")
    value, key = b"\x01" * 32, b"\0" * 32
    for separator in (b"\0", b"\x01"):
        key = hmac.digest(key, value + separator + secret + h1 + extra, "sha256")
        value = hmac.digest(key, value, "sha256")
    while True:
        stream = b""
        while len(stream) < size:
            value = hmac.digest(key, value, "sha256")
            stream += value
        candidate = _bits_to_int(stream[:size], bits)
        if 1 <= candidate < order:
            return candidate
        key = hmac.digest(key, value + b"\0", "sha256")
        value = hmac.digest(key, value, "sha256")


def _bits_to_int(data: bytes, bits: int) -> int:
    number = int.from_bytes(data, "big")
    return number >> max(0, len(data) * 8 - bits)
