"""The port behind which a node's or wallet's keys live; adapters implement it.

Two capabilities: *sign* (a file or a hardware module) and *scalar* with opaque secrets (a file only: no module does
BLS12-381). A node has both; where its signing keys stand in a module, its scalars still stand in the file.
"""

from __future__ import annotations

from typing import Literal, Protocol

__all__ = ["KeyKind", "KeyStore", "ScalarStore", "SigningStore"]

KeyKind = Literal["Ed25519", "P-256"]
"""P-256 signs with SHA-256, r ‖ s with low s; public keys are raw (32 bytes) or a compressed point (33)."""


class _Names(Protocol):
    """Named secrets, durable before a call returns. Names are not secret.

    Every reading method raises ``NotFoundError`` ``key_unknown`` for a name that is not there or is of
    another kind; every method that makes or puts one raises ``ConflictError`` ``key_exists`` for a name in use.
    """

    def erase(self, name: str) -> None:
        """Destroy a secret of any kind; a name that is not there is no error."""

    def names(self) -> list[str]:
        """All names, sorted."""


class SigningStore(_Names, Protocol):
    """Keys that sign and never leave. A hardware module also raises ``UnavailableError`` ``hsm_unreachable``."""

    def generate_signing_key(self, name: str, kind: KeyKind = "Ed25519") -> bytes:
        """Make a key and return its public part; the secret never leaves the store."""

    def sign(self, name: str, data: bytes) -> bytes:
        """64-byte signature over ``data``, which must already stand behind its domain tag (CON-2).

        The algorithm is that of the key.
        """

    def public_key(self, name: str) -> bytes:
        """Public part of a signing key."""


class ScalarStore(_Names, Protocol):
    """Secrets that are computed with, so that they are read out into memory."""

    def put_scalar(self, name: str, scalar: int) -> None:
        """Keep a BLS12-381 scalar in [1, q)."""

    def get_scalar(self, name: str) -> int:
        """A kept scalar."""

    def put_secret(self, name: str, secret: bytes) -> None:
        """Keep opaque secret bytes."""

    def get_secret(self, name: str) -> bytes:
        """Kept secret bytes."""


class KeyStore(SigningStore, ScalarStore, Protocol):
    """Both capabilities under one set of names."""
