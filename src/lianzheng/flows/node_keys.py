"""The key by which this member signs everything: the one that its DID names as ``#node`` now (ID-3, ADR 0019).

The key store may hold several, ``node`` of the beginning and ``node/2``, ``node/3`` … of rotations. Which of them signs
is read off this node's own head, so a rotation takes over in the block that holds it, and in a restart as well.
"""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import ConfigError, NotFoundError, RefusedError
from lianzheng.identity.did.model import DidContent, DidRecord, DidUpdate, MethodKey, did_record_hash
from lianzheng.identity.model import did_state_key, public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.context import StateView
from lianzheng.ledger.sender import TransactionSender

__all__ = ["NodeKeys", "newest_node_key"]

_ID = "#node"
_FIRST = "node"
_NEXT = "node/"


def newest_node_key(keystore: KeyStore) -> str:
    """Name of the key that was made last: for an application of a member that is none now."""
    return _names(keystore)[-1]


class NodeKeys:
    """Signs by the present key, and rotates it."""

    def __init__(self, keystore: KeyStore, did: str, state: Callable[[], StateView]) -> None:
        """``state`` is that of this node's head."""
        self._keystore = keystore
        self._did = did
        self._state = state
        self._known: tuple[int, str] | None = None
        """Version of the DID and the name of its key here."""

    def sign(self, message: bytes) -> bytes:
        """Ed25519 by the present key. Raises ``ConfigError`` ``node_key_missing``."""
        return self._keystore.sign(self.name(), message)

    def name(self) -> str:
        """The present key's name in the key store; the first one's while the ledger has no record of this member.

        Raises ``ConfigError`` ``node_key_missing`` where the store has another key than the DID names.
        """
        value = self._state().get(did_state_key(self._did))
        if value is None:
            return _FIRST
        if self._known is None or self._known[0] != value["version"]:
            self._known = (value["version"], self._find(DidRecord.from_json(value)))
        return self._known[1]

    async def rotate(self, sender: TransactionSender) -> int:
        """The DID names a new ``#node`` key, which this node signs with from that block on; the DID's new version.

        The new key is durable before the ledger knows it; one that the ledger refuses is erased. Raises what
        ``TransactionSender.send`` raises, such as ``RefusedError`` ``sequencer_key_fixed``.
        """
        record = read_did(self._state(), self._did)
        name = f"{_NEXT}{len(_names(self._keystore)) + 1}"
        multikey = encode_multikey(ED25519_PUB, self._keystore.generate_signing_key(name))
        keys = tuple(
            MethodKey(id=_ID, multikey=multikey, purposes=key.purposes) if key.id == _ID else key for key in record.keys
        )
        content = DidContent(keys=keys, services=record.services, control=record.controls)
        change = DidUpdate(did=self._did, version=record.version + 1, prev=did_record_hash(record), content=content)
        try:
            await sender.send("did.update", change, ordered=True)
        except RefusedError:
            self._keystore.erase(name)
            raise
        return change.version

    def _find(self, record: DidRecord) -> str:
        try:
            public = public_key(record, _ID, "authentication")
        except NotFoundError:
            raise _missing() from None
        for name in reversed(_names(self._keystore)):
            if self._keystore.public_key(name) == public:
                return name
        raise _missing()


def _names(keystore: KeyStore) -> list[str]:
    """All node keys, the oldest first."""
    later = [int(name.removeprefix(_NEXT)) for name in keystore.names() if name.startswith(_NEXT)]
    return [_FIRST, *(f"{_NEXT}{number}" for number in sorted(later))]


def _missing() -> ConfigError:
    return ConfigError(
        "node_key_missing",
        "The key store does not hold the #node key that this member's DID names.",
        next_step="Restore the newest key store: an older one lacks the keys of later rotations.",
    )
