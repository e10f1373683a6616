"""ECDSA over P-256 with SHA-256 and P-384 with SHA-384 (FIPS 186-5), signatures as r ‖ s of fixed width.

For credentials of the outside world, whose verifiers take either s; nothing of ours is identified by such a
signature. Signing is deterministic (RFC 6979), so published vectors can be made again.
"""

from __future__ import annotations

from typing import Literal

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from lianzheng.errors import FormatError, VerificationError

__all__ = ["CurveName", "coordinates", "generate", "low_s", "public_key", "sign", "verify"]

CurveName = Literal["P-256", "P-384"]
_CURVES: dict[CurveName, tuple[ec.EllipticCurve, hashes.HashAlgorithm, int]] = {
    "P-256": (ec.SECP256R1(), hashes.SHA256(), 32),
    "P-384": (ec.SECP384R1(), hashes.SHA384(), 48),
}

_P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def generate(curve: CurveName) -> bytes:
    """A fresh secret scalar, big-endian, as wide as the curve."""
    group, _, width = _CURVES[curve]
    return ec.generate_private_key(group).private_numbers().private_value.to_bytes(width, "big")


def public_key(curve: CurveName, secret: bytes) -> bytes:
    """The compressed public point (SEC 1) of ``secret``. Raises ``FormatError`` ``key_malformed``."""
    return _private(curve, secret).public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def sign(curve: CurveName, secret: bytes, message: bytes) -> bytes:
    """The deterministic signature r ‖ s. Raises ``FormatError`` ``key_malformed``."""
    _, algorithm, width = _CURVES[curve]
    r, s = decode_dss_signature(_private(curve, secret).sign(message, ec.ECDSA(algorithm, deterministic_signing=True)))
    return r.to_bytes(width, "big") + s.to_bytes(width, "big")


def verify(curve: CurveName, public: bytes, message: bytes, signature: bytes) -> None:
    """Return only if ``signature`` (r ‖ s) is one by the compressed point ``public`` over ``message``.

    Raises ``VerificationError`` ``signature_invalid`` (CON-6), a malformed key or length included.
    """
    group, algorithm, width = _CURVES[curve]
    if len(public) != width + 1 or len(signature) != 2 * width:
        raise VerificationError("signature_invalid", "A signature or its key has the wrong length.")
    der = encode_dss_signature(int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big"))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(group, public)
        key.verify(der, message, ec.ECDSA(algorithm))
    except (InvalidSignature, ValueError):
        raise VerificationError("signature_invalid", "A signature does not verify.") from None


def low_s(signature: bytes) -> bytes:
    """A P-256 signature r ‖ s with the smaller of its two s: one form where a signature identifies something."""
    s = int.from_bytes(signature[32:], "big")
    return signature[:32] + min(s, _P256_ORDER - s).to_bytes(32, "big")


def coordinates(curve: CurveName, public: bytes) -> tuple[bytes, bytes]:
    """Both coordinates of a compressed point, as JSON Web Keys carry them. Raises ``FormatError`` ``key_malformed``."""
    group, _, width = _CURVES[curve]
    try:
        point = ec.EllipticCurvePublicKey.from_encoded_point(group, public).public_numbers()
    except ValueError as error:
        raise FormatError("key_malformed", f"A public key is no point of {curve}.") from error
    return point.x.to_bytes(width, "big"), point.y.to_bytes(width, "big")


def _private(curve: CurveName, secret: bytes) -> ec.EllipticCurvePrivateKey:
    group, _, width = _CURVES[curve]
    if len(secret) != width:
        raise FormatError("key_malformed", f"A secret key on {curve} must have {width} bytes.")
    try:
        return ec.derive_private_key(int.from_bytes(secret, "big"), group)
    except ValueError as error:
        raise FormatError("key_malformed", f"A secret key on {curve} is out of range.") from error
