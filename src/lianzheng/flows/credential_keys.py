"""With which of its keys a member signs credentials: the node's own, or a P-256 key for selective disclosure."""

from __future__ import annotations

from functools import partial

from lianzheng.crypto import ecdsa
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.multikey import P256_PUB, encode_multikey
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.identity.credentials.ecdsa_sd import CRYPTOSUITE as SELECTIVE
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.did.model import DidContent, DidRecord, DidUpdate, MethodKey, did_record_hash
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.sender import TransactionSender

__all__ = ["CredentialKeys"]

_ID = "#sd-"
_NAME = "credential-sd/"


class CredentialKeys:
    """The member's signers. ``node`` signs under ``#node`` with Ed25519."""

    def __init__(self, node: ProofSigner, keystore: KeyStore, ledger: LedgerReader, sender: TransactionSender) -> None:
        self._node = node
        self._me = node.verification_method.partition("#")[0]
        self._keystore = keystore
        self._ledger = ledger
        self._sender = sender

    def signer(self, cryptosuite: str) -> ProofSigner:
        """Who makes a proof of ``cryptosuite``. Raises ``RefusedError`` ``selective_key_missing``."""
        if cryptosuite != SELECTIVE:
            return self._node
        for key in read_did(self._ledger.state, self._me).keys:
            if key.id.startswith(_ID):
                secret = self._secret(key)
                if secret is not None:
                    return ProofSigner(self._me + key.id, P256_PUB, partial(ecdsa.sign, "P-256", secret))
        raise RefusedError(
            "selective_key_missing",
            "This member's DID has no key for selective disclosure.",
            next_step="Publish one with `lianzheng credential key`.",
        )

    async def rotate(self) -> str:
        """A new P-256 key stands in the member's DID for selective disclosure, in place of the one before; its name.

        The secret is durable before the ledger knows the key. What the old key signed keeps its worth as far as
        docs/spec/credentials.md says. Raises what ``TransactionSender.send`` raises.
        """
        record = read_did(self._ledger.state, self._me)
        used = [int(name.removeprefix(_NAME)) for name in self._keystore.names() if name.startswith(_NAME)]
        number, secret = max(used, default=0) + 1, ecdsa.generate("P-256")
        self._keystore.put_secret(f"{_NAME}{number}", secret)
        multikey = encode_multikey(P256_PUB, ecdsa.public_key("P-256", secret))
        added = MethodKey(id=f"{_ID}{number}", multikey=multikey, purposes=("assertionMethod",))
        await self._sender.send("did.update", _update(record, added), ordered=True)
        return self._me + added.id

    def _secret(self, key: MethodKey) -> bytes | None:
        """The secret of a key of the DID, if it is in this node's store."""
        try:
            secret = self._keystore.get_secret(_NAME + key.id.removeprefix(_ID))
        except NotFoundError:
            return None
        fits = encode_multikey(P256_PUB, ecdsa.public_key("P-256", secret)) == key.multikey
        return secret if fits else None


def _update(record: DidRecord, added: MethodKey) -> DidUpdate:
    others = tuple(key for key in record.keys if not key.id.startswith(_ID))
    content = DidContent(keys=(*others, added), services=record.services, control=record.controls)
    return DidUpdate(did=record.did, version=record.version + 1, prev=did_record_hash(record), content=content)
