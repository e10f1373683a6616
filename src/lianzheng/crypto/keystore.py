"""The port behind which a node's or wallet's keys live; adapters implement it.

Two capabilities: *sign* (a file or an HSM) and *scalar* (a file only: no HSM does BLS12-381).
"""

from __future__ import annotations

from typing import Protocol

__all__ = ["KeyStore"]


class KeyStore(Protocol):
    """Named secrets, durable before a call returns. Names are not secret.

    Every reading method raises ``NotFoundError`` ``key_unknown`` for a name that is not there or is of
    another kind; every method that makes or puts one raises ``ConflictError`` ``key_exists`` for a name in use.
    """

    def generate_signing_key(self, name: str) -> bytes:
        """Make an Ed25519 key and return its public part; the seed never leaves the store."""

    def sign(self, name: str, data: bytes) -> bytes:
        """Ed25519 signature over ``data``, which must already stand behind its domain tag (CON-2)."""

    def public_key(self, name: str) -> bytes:
        """Public part of a signing key."""

    def put_scalar(self, name: str, scalar: int) -> None:
        """Keep a BLS12-381 scalar in [1, q)."""

    def get_scalar(self, name: str) -> int:
        """A kept scalar."""

    def put_secret(self, name: str, secret: bytes) -> None:
        """Keep opaque secret bytes."""

    def get_secret(self, name: str) -> bytes:
        """Kept secret bytes."""

    def erase(self, name: str) -> None:
        """Destroy a secret of any kind; a name that is not there is no error."""

    def names(self) -> list[str]:
        """All names, sorted."""
