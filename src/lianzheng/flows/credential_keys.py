"""With which of its keys a member signs credentials: the node's own, or keys for that alone in the member's DID.

Such a key has one kind, and one at a time stands in the DID: its name says the kind and counts on (``#sm2-1``).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

from lianzheng.crypto import ecdsa, sm2
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.multikey import P256_PUB, SM2_PUB, encode_multikey
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.identity.credentials.ecdsa_sd import CRYPTOSUITE as SELECTIVE
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.suites import SM2_SUITE
from lianzheng.identity.did.model import DidContent, DidRecord, DidUpdate, MethodKey, did_record_hash
from lianzheng.identity.ports import LedgerReader
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.sender import TransactionSender

__all__ = ["CredentialKeys", "CredentialKind"]

CredentialKind = Literal["selective", "P-256", "SM2"]


@dataclass(frozen=True)
class _Kind:
    """Name in the DID, name in the key store, and how such keys are made and used."""

    prefix: str
    secret: str
    codec: int
    since: int
    """The first schema of the ledger whose DIDs hold such keys."""
    generate: Callable[[], bytes]
    public: Callable[[bytes], bytes]
    sign: Callable[[bytes, bytes], bytes]


def _p256(prefix: str, secret: str) -> _Kind:
    generate, public, sign = (partial(one, "P-256") for one in (ecdsa.generate, ecdsa.public_key, ecdsa.sign))
    return _Kind(prefix, secret, P256_PUB, 2, generate, public, sign)


_KINDS: dict[CredentialKind, _Kind] = {
    "selective": _p256("#sd-", "credential-sd/"),
    "P-256": _p256("#p256-", "credential-p256/"),
    "SM2": _Kind("#sm2-", "credential-sm2/", SM2_PUB, 3, sm2.generate, sm2.public_key, sm2.sign),
}
_OF_SUITE: dict[str, CredentialKind] = {
    SELECTIVE: "selective",
    "ecdsa-jcs-2019": "P-256",
    "ecdsa-rdfc-2019": "P-256",
    SM2_SUITE: "SM2",
}
"""What is not here is signed by the node's own key."""


class CredentialKeys:
    """The member's signers. ``node`` signs under ``#node`` with Ed25519."""

    def __init__(self, node: ProofSigner, keystore: KeyStore, ledger: LedgerReader, sender: TransactionSender) -> None:
        self._node = node
        self._me = node.verification_method.partition("#")[0]
        self._keystore = keystore
        self._ledger = ledger
        self._sender = sender

    def signer(self, cryptosuite: str) -> ProofSigner:
        """Who makes a proof of ``cryptosuite``.

        Raises ``RefusedError``: ``selective_key_missing``, ``credential_key_missing``.
        """
        name = _OF_SUITE.get(cryptosuite)
        if name is None:
            return self._node
        kind = _KINDS[name]
        for key in read_did(self._ledger.state, self._me).keys:
            if key.id.startswith(kind.prefix):
                secret = self._secret(kind, key)
                if secret is not None:
                    return ProofSigner(self._me + key.id, kind.codec, partial(kind.sign, secret))
        raise _missing(name)

    async def rotate(self, name: CredentialKind = "selective") -> str:
        """A new key of this kind stands in the member's DID, in place of the one before; its name.

        The secret is durable before the ledger knows the key. What the old key signed keeps its worth as far as
        docs/spec/credentials.md says. Raises ``RefusedError`` ``schema_without_sm2`` and what
        ``TransactionSender.send`` raises.
        """
        kind, network = _KINDS[name], self._ledger.state.get(NETWORK_KEY)
        if kind.since > 2 and (network is None or network["schema"] < kind.since):
            raise RefusedError(
                "schema_without_sm2",
                "This network's ledger takes no SM2 keys yet.",
                next_step="Have the alliance go over to schema 3: `lianzheng alliance upgrade`.",
            )
        record = read_did(self._ledger.state, self._me)
        names = self._keystore.names()
        used = [int(one.removeprefix(kind.secret)) for one in names if one.startswith(kind.secret)]
        number, secret = max(used, default=0) + 1, kind.generate()
        self._keystore.put_secret(f"{kind.secret}{number}", secret)
        multikey = encode_multikey(kind.codec, kind.public(secret))
        added = MethodKey(id=f"{kind.prefix}{number}", multikey=multikey, purposes=("assertionMethod",))
        await self._sender.send("did.update", _update(record, kind.prefix, added), ordered=True)
        return self._me + added.id

    def _secret(self, kind: _Kind, key: MethodKey) -> bytes | None:
        """The secret of a key of the DID, if it is in this node's store."""
        try:
            secret = self._keystore.get_secret(kind.secret + key.id.removeprefix(kind.prefix))
        except NotFoundError:
            return None
        return secret if encode_multikey(kind.codec, kind.public(secret)) == key.multikey else None


def _missing(name: CredentialKind) -> RefusedError:
    if name == "selective":
        return RefusedError(
            "selective_key_missing",
            "This member's DID has no key for selective disclosure.",
            next_step="Publish one with `lianzheng credential key`.",
        )
    return RefusedError(
        "credential_key_missing",
        f"This member's DID has no {name} key for credentials.",
        next_step=f"Publish one with `lianzheng credential key --kind {name}`.",
    )


def _update(record: DidRecord, prefix: str, added: MethodKey) -> DidUpdate:
    others = tuple(key for key in record.keys if not key.id.startswith(prefix))
    content = DidContent(keys=(*others, added), services=record.services, control=record.controls)
    return DidUpdate(did=record.did, version=record.version + 1, prev=did_record_hash(record), content=content)
