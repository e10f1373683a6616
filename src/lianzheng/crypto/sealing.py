"""Secrets at rest: AES-256-GCM or SM4-GCM under a key, or under a passphrase through argon2id.

Layout of a sealed box: ``"LZSEAL" ‖ version ‖ salt (16) ‖ nonce (12) ‖ ciphertext and tag``. The version names the
cipher: 0x01 AES-256-GCM, 0x02 SM4-GCM (GB/T 32907, RFC 8998); both fix argon2id with 64 MiB, t = 3, p = 1. Header and
``aad`` are authenticated, so that a box cannot be moved to another place or be read under another version.
SM4 takes 16 bytes: SM3 of the 32-byte key under the tag ``sealing-sm4``, cut to its first half.
"""

from __future__ import annotations

import secrets
from typing import Literal

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.pwhash import argon2id

from lianzheng.crypto.digest import sm3
from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError, VerificationError

__all__ = ["CipherName", "aead_open", "aead_seal", "cipher_of", "seal", "unseal"]

CipherName = Literal["aes-256-gcm", "sm4-gcm"]
_VERSIONS: dict[bytes, CipherName] = {b"LZSEAL\x01": "aes-256-gcm", b"LZSEAL\x02": "sm4-gcm"}
_MAGICS = {cipher: magic for magic, cipher in _VERSIONS.items()}
_MAGIC = 7
_SALT = 16
_NONCE = 12
_TAG = 16
_KEY = 32
_SM4_KEY = 16
_MEMORY_BYTES = 64 * 1024 * 1024
_PASSES = 3


def seal(passphrase: bytes, plaintext: bytes, aad: bytes, cipher: CipherName = "aes-256-gcm") -> bytes:
    """A box that only ``passphrase`` together with the same ``aad`` opens (0.1 s of argon2id on purpose)."""
    header = _MAGICS[cipher] + secrets.token_bytes(_SALT)
    key = _derive(passphrase, header)
    return header + aead_seal(key, plaintext, tagged("sealed-box", header, aad), cipher)


def unseal(passphrase: bytes, box: bytes, aad: bytes) -> bytes:
    """The plaintext of :func:`seal`, whichever cipher its header names.

    Raises ``VerificationError`` ``unseal_failed`` for a wrong passphrase, another ``aad`` and any changed byte
    alike: which of them it was is nobody's business. ``FormatError`` ``seal_version_unknown`` for a foreign header.
    """
    cipher = cipher_of(box)
    size = _MAGIC + _SALT
    if len(box) < size + _NONCE + _TAG:
        raise VerificationError("unseal_failed", "A sealed file is cut short.")
    header = box[:size]
    return aead_open(_derive(passphrase, header), box[size:], tagged("sealed-box", header, aad), cipher)


def cipher_of(box: bytes) -> CipherName:
    """The cipher that a box of :func:`seal` names. Raises ``FormatError`` ``seal_version_unknown``."""
    cipher = _VERSIONS.get(box[:_MAGIC])
    if cipher is None:
        raise FormatError("seal_version_unknown", "A sealed file has an unknown header or version.")
    return cipher


def aead_seal(key: bytes, plaintext: bytes, aad: bytes, cipher: CipherName = "aes-256-gcm") -> bytes:
    """``nonce ‖ ciphertext ‖ tag`` with a random nonce: at most 2^32 boxes under one key."""
    nonce = secrets.token_bytes(_NONCE)
    if cipher == "aes-256-gcm":
        return nonce + _aes(key).encrypt(nonce, plaintext, aad)
    encryptor = Cipher(algorithms.SM4(_sm4_key(key)), modes.GCM(nonce)).encryptor()
    encryptor.authenticate_additional_data(aad)
    sealed = encryptor.update(plaintext) + encryptor.finalize()
    return nonce + sealed + encryptor.tag


def aead_open(key: bytes, box: bytes, aad: bytes, cipher: CipherName = "aes-256-gcm") -> bytes:
    """The plaintext of :func:`aead_seal`. Raises ``VerificationError`` ``unseal_failed``."""
    if len(box) < _NONCE + _TAG:
        raise VerificationError("unseal_failed", "A sealed value is cut short.")
    nonce, sealed, tag = box[:_NONCE], box[_NONCE:-_TAG], box[-_TAG:]
    try:
        if cipher == "aes-256-gcm":
            return _aes(key).decrypt(nonce, sealed + tag, aad)
        decryptor = Cipher(algorithms.SM4(_sm4_key(key)), modes.GCM(nonce, tag)).decryptor()
        decryptor.authenticate_additional_data(aad)
        plaintext = decryptor.update(sealed)
        return plaintext + decryptor.finalize()  # raises before anything of it leaves
    except InvalidTag:
        raise VerificationError("unseal_failed", "A sealed value does not open with this key.") from None


def _aes(key: bytes) -> AESGCM:
    return AESGCM(_checked(key))


def _sm4_key(key: bytes) -> bytes:
    return sm3("sealing-sm4", _checked(key))[:_SM4_KEY]


def _checked(key: bytes) -> bytes:
    if len(key) != _KEY:
        raise FormatError("key_malformed", "A sealing key must have 32 bytes.")
    return key


def _derive(passphrase: bytes, header: bytes) -> bytes:
    return bytes(argon2id.kdf(_KEY, passphrase, header[_MAGIC:], opslimit=_PASSES, memlimit=_MEMORY_BYTES))
