"""SM4-GCM: RFC 8998, Appendix A.1, and boxes that name it."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from lianzheng.crypto import sealing
from lianzheng.crypto.sealing import aead_open, aead_seal, cipher_of, seal, unseal
from lianzheng.encoding.framing import tagged
from lianzheng.errors import LianzhengError

_RFC_KEY = bytes.fromhex("0123456789abcdeffedcba9876543210")
_RFC_NONCE = bytes.fromhex("00001234567800000000abcd")
_RFC_AAD = bytes.fromhex("feedfacedeadbeeffeedfacedeadbeefabaddad2")
_RFC_PLAIN = bytes.fromhex("".join(letter * 16 for letter in "abcdefea"))
_RFC_SEALED = bytes.fromhex(
    "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735"
    "d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
)
_RFC_TAG = bytes.fromhex("83de3541e4c2b58177e065a9bf7b62ec")
KEY = bytes(range(32))


def test_vector_of_rfc_8998(monkeypatch: pytest.MonkeyPatch) -> None:
    """The published key in place of the derived one, the published nonce in place of a random one."""
    monkeypatch.setattr(sealing, "_sm4_key", lambda _: _RFC_KEY)
    monkeypatch.setattr("secrets.token_bytes", lambda _: _RFC_NONCE)
    box = aead_seal(KEY, _RFC_PLAIN, _RFC_AAD, "sm4-gcm")
    assert box == _RFC_NONCE + _RFC_SEALED + _RFC_TAG
    assert aead_open(KEY, box, _RFC_AAD, "sm4-gcm") == _RFC_PLAIN


def test_the_layout_is_the_documented_one() -> None:
    box = seal(b"correct horse", b"the secret", b"place", "sm4-gcm")
    header, nonce, sealed, tag = box[:23], box[23:35], box[35:-16], box[-16:]
    assert header[:7] == b"LZSEAL\x02"
    key = Argon2id(salt=header[7:], length=32, iterations=3, lanes=1, memory_cost=64 * 1024).derive(b"correct horse")
    short = hashlib.new("sm3", tagged("sealing-sm4", key)).digest()[:16]
    decryptor = Cipher(algorithms.SM4(short), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(tagged("sealed-box", header, b"place"))
    assert decryptor.update(sealed) + decryptor.finalize() == b"the secret"
    assert unseal(b"correct horse", box, b"place") == b"the secret"
    assert cipher_of(box) == "sm4-gcm"


def test_a_box_is_not_read_under_the_other_version() -> None:
    box = seal(b"correct horse", b"the secret", b"place", "sm4-gcm")
    for data, passphrase, aad in [
        (box[:6] + b"\x01" + box[7:], b"correct horse", b"place"),
        (box, b"wrong", b"place"),
        (box, b"correct horse", b"elsewhere"),
        (box[:40], b"correct horse", b"place"),
        (box[:-1] + bytes([box[-1] ^ 1]), b"correct horse", b"place"),
    ]:
        with pytest.raises(LianzhengError) as caught:
            unseal(passphrase, data, aad)
        assert caught.value.code == "unseal_failed"


def test_every_byte_of_a_value_counts_and_ciphers_do_not_mix() -> None:
    box = aead_seal(KEY, b"secret", b"a", "sm4-gcm")
    assert aead_open(KEY, box, b"a", "sm4-gcm") == b"secret"
    altered = [box[:at] + bytes([box[at] ^ 1]) + box[at + 1 :] for at in range(len(box))]
    for data in [*altered, box[:-1], b"", box[:12]]:
        with pytest.raises(LianzhengError) as caught:
            aead_open(KEY, data, b"a", "sm4-gcm")
        assert caught.value.code == "unseal_failed"
    for made, read in [("aes-256-gcm", "sm4-gcm"), ("sm4-gcm", "aes-256-gcm")]:
        with pytest.raises(LianzhengError) as caught:
            aead_open(KEY, aead_seal(KEY, b"x", b"a", made), b"a", read)  # type: ignore[arg-type]
        assert caught.value.code == "unseal_failed"
    with pytest.raises(LianzhengError) as caught:
        aead_seal(KEY[:16], b"x", b"a", "sm4-gcm")
    assert caught.value.code == "key_malformed"
