"""Multikey texts: multibase base58btc over a multicodec prefix and the raw public key."""

from __future__ import annotations

from lianzheng.encoding.binary import multibase_decode, multibase_encode, varint_decode, varint_encode
from lianzheng.errors import FormatError

__all__ = ["ED25519_PUB", "decode_multikey", "encode_multikey"]

ED25519_PUB = 0xED
_SIZES = {ED25519_PUB: 32}


def encode_multikey(codec: int, key: bytes) -> str:
    """Text of ``key`` under ``codec`` (multicodec table)."""
    return multibase_encode(varint_encode(codec) + key)


def decode_multikey(text: str, codec: int) -> bytes:
    """Raw key of a multikey that must have ``codec``; raises ``FormatError`` ``multikey_invalid``."""
    found, key = varint_decode(multibase_decode(text))
    if found != codec or len(key) != _SIZES[codec]:
        raise FormatError("multikey_invalid", "A public key has another type or length than its place asks for.")
    return key
