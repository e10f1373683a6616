"""Secrets at rest: AES-256-GCM under a key, or under a passphrase through argon2id.

Layout of a sealed box, version 1: ``"LZSEAL" ‖ 0x01 ‖ salt (16) ‖ nonce (12) ‖ ciphertext and tag``. The
version fixes argon2id with 64 MiB, t = 3, p = 1. Header and ``aad`` are authenticated, so that a box cannot
be moved to another place or be read under another version.
"""

from __future__ import annotations

import secrets

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from nacl.pwhash import argon2id

from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError, VerificationError

__all__ = ["aead_open", "aead_seal", "seal", "unseal"]

_MAGIC = b"LZSEAL\x01"
_SALT = 16
_NONCE = 12
_TAG = 16
_KEY = 32
_MEMORY_BYTES = 64 * 1024 * 1024
_PASSES = 3


def seal(passphrase: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """A box that only ``passphrase`` together with the same ``aad`` opens (0.1 s of argon2id on purpose)."""
    header = _MAGIC + secrets.token_bytes(_SALT)
    return header + aead_seal(_derive(passphrase, header), plaintext, tagged("sealed-box", header, aad))


def unseal(passphrase: bytes, box: bytes, aad: bytes) -> bytes:
    """The plaintext of :func:`seal`.

    Raises ``VerificationError`` ``unseal_failed`` for a wrong passphrase, another ``aad`` and any changed byte
    alike: which of them it was is nobody's business. ``FormatError`` ``seal_version_unknown`` for a foreign header.
    """
    if not box.startswith(_MAGIC):
        raise FormatError("seal_version_unknown", "A sealed file has an unknown header or version.")
    size = len(_MAGIC) + _SALT
    if len(box) < size + _NONCE + _TAG:
        raise VerificationError("unseal_failed", "A sealed file is cut short.")
    header = box[:size]
    return aead_open(_derive(passphrase, header), box[size:], tagged("sealed-box", header, aad))


def aead_seal(key: bytes, plaintext: bytes, aad: bytes) -> bytes:
    """``nonce ‖ ciphertext ‖ tag`` under AES-256-GCM with a random nonce: at most 2^32 boxes under one key."""
    nonce = secrets.token_bytes(_NONCE)
    return nonce + _cipher(key).encrypt(nonce, plaintext, aad)


def aead_open(key: bytes, box: bytes, aad: bytes) -> bytes:
    """The plaintext of :func:`aead_seal`. Raises ``VerificationError`` ``unseal_failed``."""
    if len(box) < _NONCE + _TAG:
        raise VerificationError("unseal_failed", "A sealed value is cut short.")
    try:
        return _cipher(key).decrypt(box[:_NONCE], box[_NONCE:], aad)
    except InvalidTag:
        raise VerificationError("unseal_failed", "A sealed value does not open with this key.") from None


def _cipher(key: bytes) -> AESGCM:
    if len(key) != _KEY:
        raise FormatError("key_malformed", "A sealing key must have 32 bytes.")
    return AESGCM(key)


def _derive(passphrase: bytes, header: bytes) -> bytes:
    salt = header[len(_MAGIC) :]
    return bytes(argon2id.kdf(_KEY, passphrase, salt, opslimit=_PASSES, memlimit=_MEMORY_BYTES))
