"""RFC 9380: ``expand_message_xmd`` with SHA-256, hash to a scalar over q, and hash to G1 under our tags (CON-3)."""

from __future__ import annotations

import hashlib
import re

from lianzheng.crypto.hazmat.bls12381 import G1, ORDER
from lianzheng.errors import FormatError

__all__ = ["expand_message_xmd", "hash_to_g1", "hash_to_scalar"]

_SUITE = b"BLS12381G1_XMD:SHA-256_SSWU_RO_"
_PURPOSE = re.compile(r"[A-Z][A-Z0-9-]{0,63}\Z")
_SCALAR_EXPANSION = 48  # L = ceil((255 + 128) / 8): the bias after reduction is below 2^-128
_BLOCK = 64
_DIGEST = 32


def hash_to_g1(purpose: str, message: bytes) -> G1:
    """H2G1 under DST ``LIANZHENG-V1-<PURPOSE>-BLS12381G1_XMD:SHA-256_SSWU_RO_`` (CON-3).

    Raises ``FormatError`` ``dst_invalid`` unless ``purpose`` is short upper-case ASCII.
    """
    if not _PURPOSE.match(purpose):
        raise FormatError("dst_invalid", "A hashing purpose must be short upper-case ASCII.")
    return G1.hash_to_curve(message, b"LIANZHENG-V1-" + purpose.encode("ascii") + b"-" + _SUITE)


def hash_to_scalar(message: bytes, dst: bytes) -> int:
    """RFC 9380 ``hash_to_field`` over q with m = 1, count = 1 and 48 bytes (CON-3, B11)."""
    return int.from_bytes(expand_message_xmd(message, dst, _SCALAR_EXPANSION), "big") % ORDER


def expand_message_xmd(message: bytes, dst: bytes, size: int) -> bytes:
    """RFC 9380 §5.3.1 with SHA-256, including §5.3.3 for long tags. Raises ``FormatError`` ``dst_invalid``."""
    if not dst:
        raise FormatError("dst_invalid", "A domain separation tag must not be empty.")
    blocks = -(-size // _DIGEST)
    if not 0 < blocks <= 255:
        raise FormatError("length_invalid", "An expansion must have 1 to 8160 bytes.")
    if len(dst) > 255:
        dst = hashlib.sha256(b"H2C-OVERSIZE-DST-" + dst).digest()
    suffix = dst + bytes([len(dst)])
    first = hashlib.sha256(bytes(_BLOCK) + message + size.to_bytes(2, "big") + b"\0" + suffix).digest()
    block = hashlib.sha256(first + b"\1" + suffix).digest()
    out = block
    mask = int.from_bytes(first, "big")
    for index in range(2, blocks + 1):
        mixed = (mask ^ int.from_bytes(block, "big")).to_bytes(_DIGEST, "big")
        block = hashlib.sha256(mixed + bytes([index]) + suffix).digest()
        out += block
    return out[:size]
