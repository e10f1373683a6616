"""SM2 signatures with SM3 (GB/T 32918.2, GM/T 0009), signatures as r ‖ s of 32 bytes each.

Signed digest:  e = SM3(Z ‖ message)
Z:              SM3(0x0080 ‖ "1234567812345678" ‖ a ‖ b ‖ xG ‖ yG ‖ xA ‖ yA), the default identity of GM/T 0009

A *pair* is secret scalar ‖ compressed point (65 bytes): Z needs the point, and no multiplication in Python shall
touch the scalar. Signing takes a fresh nonce, so two signatures over one message differ.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from lianzheng.crypto.digest import sm3_raw
from lianzheng.crypto.sm2_provider import GMSSL
from lianzheng.errors import FormatError, LianzhengError, VerificationError

__all__ = ["PAIR_SIZE", "PUBLIC_SIZE", "SIGNATURE_SIZE", "check_point", "generate", "make_pair", "message_digest"]
__all__ += ["public_key", "sign", "verify"]

PUBLIC_SIZE = 33
PAIR_SIZE = 65
SIGNATURE_SIZE = 64

# GB/T 32918.5: the curve sm2p256v1 over a prime of 256 bits, cofactor 1.
_P = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF00000000FFFFFFFFFFFFFFFF
_A = _P - 3
_B = 0x28E9FA9E9D9F5E344D5A9E4BCF6509A7F39789F515AB8F92DDBCBD414D940E93
_N = 0xFFFFFFFEFFFFFFFFFFFFFFFFFFFFFFFF7203DF6B21C6052B53BBF40939D54123
_GX = 0x32C4AE2C1F1981195F9904466A39C9948FE30BBFF2660BE1715A4589334C74C7
_GY = 0xBC3736A2F4F6779C59BDCEE36B692153D0A9877CC62A474002DF32E52139F0A0
_ID = b"1234567812345678"
_Z_PREFIX = (8 * len(_ID)).to_bytes(2, "big") + _ID + b"".join(n.to_bytes(32, "big") for n in (_A, _B, _GX, _GY))


def generate() -> bytes:
    """A fresh pair."""
    secret, point = GMSSL.generate()
    return secret + bytes([2 + point[-1] % 2]) + point[:32]


def make_pair(secret: bytes, public: bytes) -> bytes:
    """The pair of a scalar and a point made elsewhere; they belong together, as a trial signature has shown.

    Raises ``FormatError`` ``key_malformed``.
    """
    pair = secret + public
    try:
        verify(public, b"trial", sign(pair, b"trial"))
    except VerificationError as error:
        raise FormatError("key_malformed", "An SM2 secret and its public point do not belong together.") from error
    return pair


def public_key(pair: bytes) -> bytes:
    """The compressed point of ``pair``. Raises ``FormatError`` ``key_malformed``."""
    return _split(pair)[1]


def sign(pair: bytes, message: bytes) -> bytes:
    """A 64-byte signature. Raises ``FormatError`` ``key_malformed``."""
    secret, public = _split(pair)
    r, s = decode_dss_signature(GMSSL.sign_digest(secret, message_digest(public, message)))
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def verify(public: bytes, message: bytes, signature: bytes) -> None:
    """Return only if ``signature`` (r ‖ s) is one by the compressed point ``public`` over ``message``.

    Refused are: another length, a key that is no point, r or s outside [1, n), r + s = n.
    Raises ``VerificationError`` ``signature_invalid`` (CON-6).
    """
    if len(public) != PUBLIC_SIZE or len(signature) != SIGNATURE_SIZE:
        raise VerificationError("signature_invalid", "A signature or its key has the wrong length.")
    r, s = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")
    try:
        point, prefix = _point(public)
    except LianzhengError as error:
        raise VerificationError("signature_invalid", "A signature's key is no point of its curve.") from error
    in_range = 0 < r < _N and 0 < s < _N and r + s != _N
    if not in_range or not GMSSL.verify_digest(point, sm3_raw(prefix + message), encode_dss_signature(r, s)):
        raise VerificationError("signature_invalid", "A signature does not verify.")


def check_point(public: bytes) -> None:
    """Return only for a compressed point of the curve. Raises ``FormatError`` ``key_malformed``."""
    _point(public)


def message_digest(public: bytes, message: bytes) -> bytes:
    """e: what is signed for ``message`` under the default identity. Raises ``FormatError`` ``key_malformed``."""
    return sm3_raw(_point(public)[1] + message)


def _split(pair: bytes) -> tuple[bytes, bytes]:
    if len(pair) != PAIR_SIZE:
        raise FormatError("key_malformed", "An SM2 pair must have 65 bytes.")
    _point(pair[32:])
    return pair[:32], pair[32:]


@lru_cache(maxsize=4096)  # one modular power, of public values, for each key and not for each signature
def _point(public: bytes) -> tuple[bytes, bytes]:
    """x ‖ y of a compressed point, and its Z."""
    x = int.from_bytes(public[1:], "big")
    square = (x * x * x + _A * x + _B) % _P
    y = pow(square, (_P + 1) // 4, _P)  # p = 3 mod 4
    if len(public) != PUBLIC_SIZE or public[0] not in (2, 3) or x >= _P or y * y % _P != square:
        raise FormatError("key_malformed", "An SM2 public key is no point of the curve.")
    if y % 2 != public[0] % 2:
        y = _P - y
    point = public[1:] + y.to_bytes(32, "big")
    return point, sm3_raw(_Z_PREFIX + point)
