"""Hedged nonces: RFC 6979 A.2.5, and what happens when the random source stands still (AUTH-2, EQ-1)."""

from __future__ import annotations

import hashlib
import secrets

import pytest

from lianzheng.crypto.hazmat.bls12381 import ORDER
from lianzheng.crypto.nonce import hedged_nonce, rfc6979_nonce

P256 = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
KEY = bytes.fromhex("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721")


@pytest.mark.parametrize(
    "message, k",
    [
        (b"sample", 0xA6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60),
        (b"test", 0xD16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0),
    ],
)
def test_rfc_6979(message: bytes, k: int) -> None:
    assert rfc6979_nonce(P256, KEY, hashlib.sha256(message).digest()) == k


def test_rfc_6979_with_a_short_order_and_retries() -> None:
    # RFC 6979 A.1: a 163-bit order, worked through in full.
    order = 0x4000000000000000000020108A2E0CC0D99F8A5EF
    key = bytes.fromhex("009A4D6792295A7F730FC3F2B49CBC0F62E862272F")
    digest = hashlib.sha256(b"sample").digest()
    assert rfc6979_nonce(order, key, digest) == 0x23AF4074C90A02B3FE61D286D5C87F425E6BDD81B


def test_two_nonces_for_one_message_differ() -> None:
    assert hedged_nonce(KEY, b"m") != hedged_nonce(KEY, b"m")


def test_a_dead_random_source_does_not_repeat_a_nonce(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "token_bytes", bytes)
    nonces = {hedged_nonce(KEY, b"m"), hedged_nonce(KEY, b"n"), hedged_nonce(KEY[::-1], b"m")}
    assert len(nonces) == 3
    assert all(1 <= nonce < ORDER for nonce in nonces)
