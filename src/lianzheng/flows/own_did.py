"""A DID of an institution that runs no node: its keys of several kinds in a key store, its changes, its credentials.

The key store holds ``did/operation`` (what the DID is the digest of) and the secrets ``did/<kind>-<n>`` behind the keys
``#<kind>-<n>``. A secret is durable before the ledger knows its key.
"""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from lianzheng.crypto import ecdsa, sm2
from lianzheng.crypto.keystore import ScalarStore
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, SM2_PUB
from lianzheng.errors import FormatError, NotFoundError, RefusedError, VerificationError
from lianzheng.identity.credentials import CONTEXT
from lianzheng.identity.credentials.datamodel import check_credential, issuer_of
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.kinds import check_kind, require_kind, schema_entry
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.suites import SUITES
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.did.model import (
    CreationOperation2,
    DidContent,
    DidControl,
    DidCreate2,
    DidRecord,
    DidUpdate,
    MethodKey,
    did_of,
    did_record_hash,
)
from lianzheng.ledger.algorithms import TransactionSigner, transaction_signer
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody
from lianzheng.limits import TRANSACTION_LIFE_MS

__all__ = ["KeyName", "OwnDid"]

KeyName = Literal["Ed25519", "P-256", "SM2"]
_OPERATION = "did/operation"
_CODECS: dict[KeyName, int] = {"Ed25519": ED25519_PUB, "P-256": P256_PUB, "SM2": SM2_PUB}
_WORDS: dict[KeyName, str] = {"Ed25519": "ed25519", "P-256": "p256", "SM2": "sm2"}
_SALTS = 100
"""Tries until a digest gives a text that is long enough for a DID; one in some hundred does not."""


@dataclass(frozen=True)
class _Held:
    """A key whose secret is in the store."""

    key_id: str
    name: KeyName
    signer: TransactionSigner


class OwnDid:
    """One DID and the store with its keys."""

    def __init__(self, store: ScalarStore) -> None:
        """Raises ``NotFoundError`` ``key_unknown`` for a store that holds no DID."""
        self._store = store
        self._operation = CreationOperation2.from_bytes(store.get_secret(_OPERATION))

    @classmethod
    def make(
        cls, store: ScalarStore, chain_id: str, names: Sequence[KeyName], controllers: Sequence[str] = ()
    ) -> OwnDid:
        """A DID with a new key of each kind named, and of Ed25519, without which nobody could change it.

        Raises ``ConflictError`` ``key_exists`` for a store that holds a DID.
        """
        wanted = dict.fromkeys(("Ed25519", *names))
        keys = tuple(_new_key(store, name) for name in wanted)
        content = DidContent(keys=keys, control=DidControl(controllers=tuple(sorted({*controllers}))))
        for _ in range(_SALTS):
            operation = CreationOperation2(network=chain_id, salt=secrets.token_bytes(32), content=content)
            try:
                did_of(operation)
            except FormatError:
                continue
            store.put_secret(_OPERATION, operation.to_bytes())
            return cls(store)
        raise RefusedError("did_invalid", "No salt gave a DID.", next_step="Try again.")

    @property
    def did(self) -> str:
        """The DID."""
        return did_of(self._operation)

    def create(self, now_ms: int, by: KeyName = "Ed25519") -> Transaction:
        """``did.create``, signed by the key of kind ``by``; another than Ed25519 counts from schema 3 on (ADR 0025)."""
        held = self._one(self._operation.content.keys, by)
        return self._signed("did.create", DidCreate2(operation=self._operation), held, 1, now_ms)

    def with_key(self, record: DidRecord, name: KeyName, now_ms: int, by: KeyName = "Ed25519") -> Transaction:
        """``did.update``: a new key of kind ``name`` in place of the present one, or beside the others.

        Raises ``NotFoundError`` ``key_unknown`` where no present key of kind ``by`` is in the store.
        """
        held = self._one(record.keys, by)
        added = _new_key(self._store, name)
        prefix = f"#{_WORDS[name]}-"
        others = tuple(key for key in record.keys if not key.id.startswith(prefix))
        content = DidContent(keys=(*others, added), services=record.services, control=record.controls)
        change = DidUpdate(did=record.did, version=record.version + 1, prev=did_record_hash(record), content=content)
        return self._signed("did.update", change, held, None, now_ms)

    def issue(self, credential: JsonObject, record: DidRecord, suites: Sequence[str], now_ms: int) -> JsonObject:
        """``credential``, of one of the alliance's kinds, completed, with a proof of each of ``suites``.

        Raises ``VerificationError``: ``credential_issuer_mismatch``, ``cryptosuite_unknown``,
        ``credential_schema_invalid``; ``NotFoundError`` ``key_unknown`` where a suite's key is not in the store and
        the DID; ``FormatError`` of the data model, ``cryptosuites_apart``, ``credential_member_reserved``.
        """
        if len({*suites}) < len(suites):
            raise FormatError("cryptosuites_apart", "A cryptosuite is named twice.", next_step="Name each once.")
        if {"proof", "credentialSchema"} & {*credential}:
            raise FormatError("credential_member_reserved", "Schema and proof are put in here.")
        start = rfc3339(now_ms)
        whole: JsonObject = {
            "@context": [CONTEXT[0], dict(CONTEXT[1])],
            "id": f"urn:uuid:{uuid.uuid4()}",
            "issuer": self.did,
            "validFrom": start,
            **credential,
        }
        kind = require_kind(whole)
        whole["credentialSchema"] = schema_entry(kind)
        if issuer_of(whole) != self.did:
            raise VerificationError("credential_issuer_mismatch", "This DID issues in its own name only.")
        check_credential(whole)
        check_kind(whole, kind)
        for suite in suites:
            whole = create_proof(whole, self._proof_signer(record, suite), ProofOptions(suite, created=start))
        return whole

    def _proof_signer(self, record: DidRecord, suite: str) -> ProofSigner:
        found = SUITES.get(suite)
        for name, codec in _CODECS.items():
            if found is not None and found.form != "sd" and codec in found.codecs:
                held = self._one(record.keys, name, "assertionMethod")
                return ProofSigner(record.did + held.key_id, codec, held.signer.sign)
        raise VerificationError("cryptosuite_unknown", "No key here makes proofs of this cryptosuite.")

    def _one(self, keys: Sequence[MethodKey], name: KeyName, purpose: str = "authentication") -> _Held:
        """The key of this kind that stands in ``keys`` and whose secret is here."""
        for key in keys:
            if key.id.startswith(f"#{_WORDS[name]}-") and purpose in key.purposes:
                signer = transaction_signer(_CODECS[name], self._store.get_secret(f"did/{key.id[1:]}"))
                if signer.multikey == key.multikey:
                    return _Held(key.id, name, signer)
        raise NotFoundError(
            "key_unknown", f"The DID has no {name} key that is in this store.", next_step="Add one with `did key`."
        )

    def _signed(self, kind: str, payload: Any, held: _Held, nonce: int | None, now_ms: int) -> Transaction:
        body = TransactionBody(
            chain_id=self._operation.network,
            kind=kind,
            sender=self.did,
            key_id=held.key_id,
            nonce=nonce,
            expires_at=now_ms + TRANSACTION_LIFE_MS,
            payload=payload.to_json(),
        )
        return sign_transaction(body, held.signer.sign, held.signer.alg)


def _new_key(store: ScalarStore, name: KeyName) -> MethodKey:
    """A new key of this kind, its secret in the store."""
    prefix = f"did/{_WORDS[name]}-"
    used = [int(one.removeprefix(prefix)) for one in store.names() if one.startswith(prefix)]
    fragment = f"{_WORDS[name]}-{max(used, default=0) + 1}"
    if name == "SM2":
        secret = sm2.generate()
    else:
        secret = ecdsa.generate("P-256") if name == "P-256" else secrets.token_bytes(32)
    store.put_secret(f"did/{fragment}", secret)
    multikey = transaction_signer(_CODECS[name], secret).multikey
    return MethodKey(id=f"#{fragment}", multikey=multikey, purposes=("assertionMethod", "authentication"))
