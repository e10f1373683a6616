"""Digests under domain tags (CON-2, B1)."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import hashes

from lianzheng.crypto.digest import sha256, sha256_raw, sm3, sm3_raw

FRAMED = b"lianzheng/v1/thing\0" + b"\0\0\0\2ab" + b"\0\0\0\x08" + b"\0" * 7 + b"\5"


def test_sha256_is_over_tag_and_framed_parts() -> None:
    assert sha256("thing", "ab", 5) == hashlib.sha256(FRAMED).digest()


def test_sm3_is_over_tag_and_framed_parts() -> None:
    other = hashes.Hash(hashes.SM3())
    other.update(FRAMED)
    assert sm3("thing", b"ab", 5) == other.finalize()


def test_parts_cannot_be_shifted() -> None:
    assert sha256("thing", "ab", "c") != sha256("thing", "a", "bc")


def test_raw_digests_have_no_tag() -> None:
    assert sha256_raw(b"").hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    first = sm3_raw(b"abc")
    assert sm3_raw(b"x") != first
    assert sm3_raw(b"abc") == first  # the prebuilt object is copied, not fed
