"""Keys that derive from the wallet's two secrets, the seed and the reserve (ID-3, ID-7, AUTH-4).

secret:  HMAC-SHA-256(seed or reserve, tag ``wallet-<use>`` ‖ chain id ‖ index)
seed:    uses ``did`` (the first key), ``holder``, ``consent`` (index counts tokens)
reserve: uses ``next`` (index counts rotations), ``recovery``, ``share`` (seals the wallet beside the shares' words)
v:       hash_to_field of the secret ``holder``, one per wallet
"""

from __future__ import annotations

import hmac
import secrets

from lianzheng.crypto import ed25519
from lianzheng.crypto.h2c import hash_to_scalar
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import FormatError
from lianzheng.identity.did.model import CreationOperation2, DidContent, DidControl, MethodKey, commitment
from lianzheng.identity.model import CreationOperation, DidKey, did_of

__all__ = [
    "KEY_ID",
    "consent_seed",
    "control_of",
    "creation_operation",
    "did_seed",
    "fresh_index",
    "holder_secret",
    "method_key",
    "next_seed",
    "recovery_seed",
    "share_key",
]

KEY_ID = "#key-1"
"""The first key of a person's DID; it authenticates and signs statements. After a rotation ``#key-<version>`` does."""
_SLOT_KEYS = 2**20
_SLOTS = 2**31
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


def fresh_index() -> int:
    """Where a restored wallet goes on counting its consent keys: its copy may be older than its last consent (AUTH-1).

    One of 2^31 stretches of 2^20 keys, at random: two restorations of one copy meet with a chance of 2^-31.
    """
    return (1 + secrets.randbelow(_SLOTS - 1)) * _SLOT_KEYS


def next_seed(reserve: bytes, chain_id: str, index: int) -> bytes:
    """Ed25519 seed of the key that the ``index``-th rotation under this reserve reveals."""
    return _derive(reserve, "wallet-next", chain_id, index)


def recovery_seed(reserve: bytes, chain_id: str) -> bytes:
    """Ed25519 seed of the recovery key; a recovery takes a fresh reserve, so there is one for each."""
    return _derive(reserve, "wallet-recovery", chain_id, 0)


def share_key(reserve: bytes, chain_id: str) -> bytes:
    """AES-256 key of the wallet's copy in the share files."""
    return _derive(reserve, "wallet-share", chain_id, 0)


def control_of(reserve: bytes, chain_id: str, index: int) -> DidControl:
    """Commitments to the ``index``-th next key and to the recovery key (ID-3)."""
    return DidControl(
        next=(commitment("next", _multikey(next_seed(reserve, chain_id, index))),),
        recovery=commitment("recovery", _multikey(recovery_seed(reserve, chain_id))),
    )


def method_key(key_id: str, secret: bytes) -> MethodKey:
    """A person's key as the DID's record has it."""
    return MethodKey(id=key_id, multikey=_multikey(secret), purposes=("assertionMethod", "authentication"))


def creation_operation(
    seed: bytes, chain_id: str, reserve: bytes | None = None
) -> CreationOperation | CreationOperation2:
    """A creation operation for the seed's DID key with a fresh salt; a reserve gives its commitments (ID-3)."""
    key = method_key(KEY_ID, did_seed(seed, chain_id))
    while True:
        operation = _operation(chain_id, key, secrets.token_bytes(32), reserve)
        try:
            did_of(operation)
        except FormatError:  # about one digest in a thousand has too short a text
            continue
        return operation


def _operation(
    chain_id: str, key: MethodKey, salt: bytes, reserve: bytes | None
) -> CreationOperation | CreationOperation2:
    if reserve is None:
        plain = DidKey(id=key.id, multikey=key.multikey, purposes=("assertionMethod", "authentication"))
        return CreationOperation(network=chain_id, keys=(plain,), salt=salt)
    content = DidContent(keys=(key,), control=control_of(reserve, chain_id, 0))
    return CreationOperation2(network=chain_id, salt=salt, content=content)


def _multikey(secret: bytes) -> str:
    return encode_multikey(ED25519_PUB, ed25519.public_key(secret))


def _derive(seed: bytes, use: str, chain_id: str, index: int) -> bytes:
    return hmac.digest(seed, tagged(use, chain_id, index), "sha256")
