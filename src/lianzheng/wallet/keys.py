"""Keys that derive from the wallet's seed (ID-7, AUTH-4): a backup of the seed is a backup of them all.

secret:  HMAC-SHA-256(seed, tag ``wallet-<use>`` ‖ chain id ‖ index)
v:       hash_to_field of the secret ``holder``, one per wallet
"""

from __future__ import annotations

import hmac
import secrets

from lianzheng.crypto import ed25519
from lianzheng.crypto.h2c import hash_to_scalar
from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key

__all__ = ["KEY_ID", "consent_seed", "creation_operation", "did_seed", "holder_secret"]

KEY_ID = "#key-1"
"""The one key of a person's DID; it authenticates and signs statements."""
_HOLDER_DST = b"LIANZHENG-V1-WALLET-HOLDER-XMD:SHA-256_SCALAR_"


def did_seed(seed: bytes, chain_id: str) -> bytes:
    """Ed25519 seed of the DID's key."""
    return _derive(seed, "wallet-did", chain_id, 0)


def holder_secret(seed: bytes, chain_id: str) -> int:
    """v; it never leaves the wallet (ID-7)."""
    return hash_to_scalar(_derive(seed, "wallet-holder", chain_id, 0), _HOLDER_DST)


def consent_seed(seed: bytes, chain_id: str, index: int) -> bytes:
    """Ed25519 seed of the ``index``-th rk; each token has its own (AUTH-1)."""
    return _derive(seed, "wallet-consent", chain_id, index)


def creation_operation(seed: bytes, chain_id: str) -> CreationOperation:
    """A creation operation for the seed's DID key with a fresh salt (ID-3)."""
    key = ed25519_key(KEY_ID, ed25519.public_key(did_seed(seed, chain_id)), "authentication", "assertionMethod")
    while True:
        operation = CreationOperation(network=chain_id, keys=(key,), salt=secrets.token_bytes(32))
        try:
            did_of(operation)
        except FormatError:  # about one digest in a thousand has too short a text
            continue
        return operation


def _derive(seed: bytes, use: str, chain_id: str, index: int) -> bytes:
    return hmac.digest(seed, tagged(use, chain_id, index), "sha256")
