"""Bytes to typed bundle and trust file: the one canonical encoding or nothing (CON-1, B34)."""

from __future__ import annotations

from lianzheng.encoding.canonical import decode_object
from lianzheng.errors import FormatError, VerificationError
from lianzheng.evidence.model import Bundle, CheckpointBundle, TrustFile, WitnessTrust
from lianzheng.limits import BUNDLE_BYTES_MAX, TRUST_BYTES_MAX

__all__ = ["decode_bundle", "decode_trust"]


_UNDER_CHECKPOINT = b',"v":2}'
"""In the canonical encoding ``v`` is the last member of a bundle."""


def decode_bundle(data: bytes) -> Bundle | CheckpointBundle:
    """The typed bundle. Raises ``bundle_not_canonical``, ``bundle_too_large``, ``bundle_malformed``."""
    try:
        form = CheckpointBundle if data.endswith(_UNDER_CHECKPOINT) else Bundle
        return form.from_bytes(data, BUNDLE_BYTES_MAX)
    except FormatError as error:
        if error.code == "json_not_canonical":
            raise VerificationError(
                "bundle_not_canonical",
                "The bundle is not in the one canonical encoding (RFC 8785, no final newline).",
                next_step="Use the file as the member wrote it; editors and mail programs change bytes.",
            ) from error
        if error.code == "too_large":
            raise VerificationError("bundle_too_large", f"A bundle has at most {BUNDLE_BYTES_MAX} bytes.") from error
        raise VerificationError("bundle_malformed", f"Not a bundle: {error.text}", detail=error.code) from error


def decode_trust(data: bytes) -> TrustFile | WitnessTrust:
    """The typed trust file. Raises ``trust_file_malformed``."""
    try:
        if decode_object(data, TRUST_BYTES_MAX).get("v") == 2:
            return WitnessTrust.from_bytes(data, TRUST_BYTES_MAX)
        return TrustFile.from_bytes(data)
    except FormatError as error:
        raise VerificationError(
            "trust_file_malformed",
            f"Not a trust file: {error.text}",
            next_step="Get the network's trust file again from a party that you believe.",
        ) from error
