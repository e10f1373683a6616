"""The seam behind which the SM2 arithmetic lies: a compiled library, chosen by its upkeep (ADR 0023).

Nothing else imports the library. What a provider gets is checked before: a point of the curve, numbers in range.
"""

from __future__ import annotations

from typing import Protocol

import gmssl_pyx

from lianzheng.errors import FormatError

__all__ = ["GMSSL", "Sm2Provider"]


class Sm2Provider(Protocol):
    """Arithmetic over a 32-byte digest e = SM3(Z ‖ message); signatures are DER, points x ‖ y."""

    def generate(self) -> tuple[bytes, bytes]:
        """A fresh secret scalar (32 bytes) and its point (64 bytes)."""

    def sign_digest(self, secret: bytes, digest: bytes) -> bytes:
        """A DER signature with a fresh nonce. Raises ``FormatError`` ``key_malformed``."""

    def verify_digest(self, point: bytes, digest: bytes, signature: bytes) -> bool:
        """Whether the DER signature is one by ``point``; no exception of the library's leaves."""


class _Gmssl:
    def generate(self) -> tuple[bytes, bytes]:
        point, secret = gmssl_pyx.sm2_key_generate()
        return bytes(secret), bytes(point)

    def sign_digest(self, secret: bytes, digest: bytes) -> bytes:
        try:
            return bytes(gmssl_pyx.sm2_sign_sm3_digest(secret, digest))
        except gmssl_pyx.GmsslInnerError as error:
            raise FormatError("key_malformed", "An SM2 secret is out of range.") from error

    def verify_digest(self, point: bytes, digest: bytes, signature: bytes) -> bool:
        try:
            return bool(gmssl_pyx.sm2_verify_sm3_digest(point, digest, signature))
        except gmssl_pyx.GmsslInnerError:
            return False


GMSSL: Sm2Provider = _Gmssl()
