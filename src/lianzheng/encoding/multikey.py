"""Multikey texts: multibase base58btc over a multicodec prefix and the raw public key."""

from __future__ import annotations

from functools import lru_cache

from lianzheng.encoding.binary import multibase_decode, multibase_encode, varint_decode, varint_encode
from lianzheng.errors import FormatError

__all__ = [
    "BLS12381_G2_PUB",
    "ED25519_PUB",
    "P256_PUB",
    "P384_PUB",
    "SM2_PUB",
    "X25519_PUB",
    "decode_any_multikey",
    "decode_multikey",
    "encode_multikey",
]

ED25519_PUB = 0xED
X25519_PUB = 0xEC
BLS12381_G2_PUB = 0xEB
P256_PUB = 0x1200
P384_PUB = 0x1201
SM2_PUB = 0x1206
_SIZES = {ED25519_PUB: 32, X25519_PUB: 32, BLS12381_G2_PUB: 96, P256_PUB: 33, P384_PUB: 49, SM2_PUB: 33}
_COMPRESSED = {P256_PUB: range(2, 4), P384_PUB: range(2, 4), SM2_PUB: range(2, 4), BLS12381_G2_PUB: range(0x80, 0x100)}
"""First byte of a compressed point (SEC 1 §2.3.3; the flag bit of the BLS12-381 encodings)."""


def encode_multikey(codec: int, key: bytes) -> str:
    """Text of ``key`` under ``codec`` (multicodec table)."""
    return multibase_encode(varint_encode(codec) + key)


def decode_multikey(text: str, codec: int) -> bytes:
    """Raw key of a multikey that must have ``codec``; raises ``FormatError`` ``multikey_invalid``."""
    found, key = decode_any_multikey(text)
    if found != codec:
        raise _invalid()
    return key


@lru_cache(maxsize=8192)  # one text is read by the form, the rule, the record and the signature of one transaction
def decode_any_multikey(text: str) -> tuple[int, bytes]:
    """Codec and raw key of a multikey of a known type, length and, for points, compressed form.

    That the bytes are a point of the curve is for whoever uses the key. Raises ``FormatError`` ``multikey_invalid``.
    """
    found, key = varint_decode(multibase_decode(text))
    if len(key) != _SIZES.get(found) or (found in _COMPRESSED and key[0] not in _COMPRESSED[found]):
        raise _invalid()
    return found, key


def _invalid() -> FormatError:
    return FormatError("multikey_invalid", "A public key has another type or length than its place asks for.")
