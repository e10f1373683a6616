"""Sealed boxes open for the right passphrase and place only."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from lianzheng.crypto.sealing import aead_open, aead_seal, seal, unseal
from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError, LianzhengError

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def box() -> bytes:
    return seal(b"correct horse", b"the secret", b"place")


def code_of(passphrase: bytes, box: bytes, aad: bytes) -> str:
    with pytest.raises(LianzhengError) as caught:
        unseal(passphrase, box, aad)
    return caught.value.code


def test_a_box_opens_and_two_boxes_differ(box: bytes) -> None:
    assert unseal(b"correct horse", box, b"place") == b"the secret"
    assert seal(b"correct horse", b"the secret", b"place") != box


def test_the_layout_is_the_documented_one(box: bytes) -> None:
    # The independent reading: cryptography's argon2id, parameters written out.
    header, nonce, ciphertext = box[:23], box[23:35], box[35:]
    assert header[:7] == b"LZSEAL\x01"
    key = Argon2id(salt=header[7:], length=32, iterations=3, lanes=1, memory_cost=64 * 1024).derive(b"correct horse")
    assert AESGCM(key).decrypt(nonce, ciphertext, tagged("sealed-box", header, b"place")) == b"the secret"


def test_wrong_passphrase_place_or_byte_is_one_and_the_same_refusal(box: bytes) -> None:
    assert code_of(b"wrong", box, b"place") == "unseal_failed"
    assert code_of(b"correct horse", box, b"elsewhere") == "unseal_failed"
    for at in (7, 23, 35, len(box) - 1):  # salt, nonce, ciphertext, tag
        changed = box[:at] + bytes([box[at] ^ 1]) + box[at + 1 :]
        assert code_of(b"correct horse", changed, b"place") == "unseal_failed"
    assert code_of(b"correct horse", box[:40], b"place") == "unseal_failed"


def test_an_unknown_version_is_named(box: bytes) -> None:
    assert code_of(b"correct horse", box[:6] + b"\3" + box[7:], b"place") == "seal_version_unknown"
    assert code_of(b"correct horse", b"", b"place") == "seal_version_unknown"


def test_aead_round_trip_and_refusals() -> None:
    sealed = aead_seal(KEY, b"x", b"a")
    assert aead_open(KEY, sealed, b"a") == b"x"
    for key, data, aad in ((KEY, sealed, b"b"), (bytes(32), sealed, b"a"), (KEY, sealed[:-1], b"a"), (KEY, b"", b"a")):
        with pytest.raises(LianzhengError) as caught:
            aead_open(key, data, aad)
        assert caught.value.code == "unseal_failed"
    with pytest.raises(FormatError):
        aead_seal(KEY[:16], b"x", b"a")
