"""Signing keys in one store, scalars and secrets in another, under one set of names."""

from __future__ import annotations

from lianzheng.crypto.keystore import KeyKind, ScalarStore, SigningStore
from lianzheng.errors import ConflictError

__all__ = ["SplitKeyStore"]


class SplitKeyStore:
    """Implements ``crypto.keystore.KeyStore``."""

    def __init__(self, signing: SigningStore, scalars: ScalarStore) -> None:
        self._signing = signing
        self._scalars = scalars

    def generate_signing_key(self, name: str, kind: KeyKind = "Ed25519") -> bytes:
        """Raises ``ConflictError`` ``key_exists``, of either store."""
        _require_free(name, self._scalars)
        return self._signing.generate_signing_key(name, kind)

    def sign(self, name: str, data: bytes) -> bytes:
        """Raises ``NotFoundError`` ``key_unknown``."""
        return self._signing.sign(name, data)

    def public_key(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``key_unknown``."""
        return self._signing.public_key(name)

    def put_scalar(self, name: str, scalar: int) -> None:
        """Raises ``ConflictError`` ``key_exists``, of either store."""
        _require_free(name, self._signing)
        self._scalars.put_scalar(name, scalar)

    def get_scalar(self, name: str) -> int:
        """Raises ``NotFoundError`` ``key_unknown``."""
        return self._scalars.get_scalar(name)

    def put_secret(self, name: str, secret: bytes) -> None:
        """Raises ``ConflictError`` ``key_exists``, of either store."""
        _require_free(name, self._signing)
        self._scalars.put_secret(name, secret)

    def get_secret(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``key_unknown``."""
        return self._scalars.get_secret(name)

    def erase(self, name: str) -> None:
        """Gone from both."""
        self._signing.erase(name)
        self._scalars.erase(name)

    def names(self) -> list[str]:
        """Of both, sorted."""
        return sorted({*self._signing.names(), *self._scalars.names()})


def _require_free(name: str, other: SigningStore | ScalarStore) -> None:
    if name in other.names():
        raise ConflictError("key_exists", "The key store has a key of this name.", detail=name)
