"""Ed25519 (RFC 8032) through libsodium, which refuses non-canonical S and keys and points of small order."""

from __future__ import annotations

from functools import lru_cache

from nacl import bindings
from nacl.exceptions import BadSignatureError

from lianzheng.errors import FormatError, VerificationError

__all__ = ["PUBLIC_SIZE", "SEED_SIZE", "SIGNATURE_SIZE", "generate", "public_key", "sign", "verify"]

SEED_SIZE = 32
PUBLIC_SIZE = 32
SIGNATURE_SIZE = 64


def generate() -> bytes:
    """A fresh 32-byte seed: the secret key."""
    return bytes(bindings.randombytes(SEED_SIZE))


def public_key(seed: bytes) -> bytes:
    """The public key of ``seed``. Raises ``FormatError`` ``key_malformed``."""
    return _keypair(seed)[0]


def sign(seed: bytes, message: bytes) -> bytes:
    """The deterministic 64-byte signature. Raises ``FormatError`` ``key_malformed``."""
    return bytes(bindings.crypto_sign(message, _keypair(seed)[1])[:SIGNATURE_SIZE])


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Return only if ``signature`` is one by ``public`` over ``message``.

    Raises ``VerificationError`` ``signature_invalid`` (CON-6), a malformed key or length included.
    """
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        raise VerificationError("signature_invalid", "A signature or its key has the wrong length.")
    try:
        bindings.crypto_sign_open(signature + message, public)
    except BadSignatureError:
        raise VerificationError("signature_invalid", "A signature does not verify.") from None


@lru_cache(maxsize=2)  # deriving it takes as long as signing; a node signs with one key, which it holds anyway
def _keypair(seed: bytes) -> tuple[bytes, bytes]:
    if len(seed) != SEED_SIZE:
        raise FormatError("key_malformed", "An Ed25519 seed must have 32 bytes.")
    public, secret = bindings.crypto_sign_seed_keypair(seed)
    return bytes(public), bytes(secret)
