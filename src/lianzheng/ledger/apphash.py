"""The application hash: everything a head commits to beside its own block (LED-5, B29)."""

from __future__ import annotations

from lianzheng.crypto.digest import sha256

__all__ = ["app_hash"]


def app_hash(schema: int, log_root: bytes, log_size: int, state_root: bytes) -> bytes:
    """SHA-256(tag ``app-hash`` ‖ schema ‖ log root ‖ log size ‖ state root); neither height nor time enters."""
    return sha256("app-hash", schema, log_root, log_size, state_root)
