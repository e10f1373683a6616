"""SHA-256 and SM3, raw where a standard fixes the bytes and under a domain tag everywhere else (CON-2)."""

from __future__ import annotations

import hashlib

from lianzheng.encoding.framing import Part, tagged

__all__ = ["sha256", "sha256_raw", "sm3", "sm3_raw"]

_SM3 = hashlib.new("sm3")  # constructing one is slow, copying is not


def sha256(purpose: str, *parts: Part) -> bytes:
    """SHA-256 over tag and framed parts (CON-2, B1)."""
    return hashlib.sha256(tagged(purpose, *parts)).digest()


def sm3(purpose: str, *parts: Part) -> bytes:
    """SM3 (GB/T 32905) over tag and framed parts (CON-2, B1)."""
    return sm3_raw(tagged(purpose, *parts))


def sha256_raw(data: bytes) -> bytes:
    """SHA-256 of ``data`` as it is; for bytes that a published standard fixes."""
    return hashlib.sha256(data).digest()


def sm3_raw(data: bytes) -> bytes:
    """SM3 of ``data`` as it is; for bytes that a published standard fixes."""
    digest = _SM3.copy()
    digest.update(data)
    return digest.digest()
