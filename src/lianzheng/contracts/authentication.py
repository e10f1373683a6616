"""From bytes to an authenticated sender: form, chain, key, signature, expiry (LED-2, LED-4).

Whatever is refused here changes nothing. The signature rule is one implementation per network (LED-9).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from lianzheng.encoding.binary import b64u_decode
from lianzheng.encoding.canonical import is_encoding
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey
from lianzheng.errors import FormatError, RefusedError
from lianzheng.governance.model import member_key
from lianzheng.identity.did.model import first_keys
from lianzheng.identity.did.rules import RECOVERY_KEY_ID, revealed_key
from lianzheng.identity.model import did_of, did_state_key
from lianzheng.ids import chain_of_did
from lianzheng.ledger.algorithms import Algorithm, algorithm_of, verify_signature
from lianzheng.ledger.context import RuleSpec, Sender, StateView
from lianzheng.ledger.ports import TxOrigin
from lianzheng.ledger.transaction import (
    ALGORITHMS_SINCE,
    Transaction,
    body_bytes,
    payload_bytes,
    signing_bytes,
    transaction_id,
)
from lianzheng.limits import EXPIRY_AHEAD_MS_MAX

__all__ = ["Authenticator", "Envelope", "check_expiry", "parse_envelope"]

_CACHE_MAX = 8192
"""Parsed and verified transactions between the look at the door and their block."""
_Key = tuple[Algorithm, bytes]
NODE_KEY = "#node"
CREATE_KIND = "did.create"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A transaction of the right form for this chain, with its rule and typed payload."""

    transaction: Transaction
    spec: RuleSpec
    payload: Any
    signed: bytes
    origin: TxOrigin


def parse_envelope(wire: bytes, chain_id: str, rules: Mapping[str, RuleSpec], schema: int) -> Envelope:
    """Strict decode of envelope and payload, in the forms of ``schema``.

    Raises ``FormatError`` with the codes of ``Record.from_bytes``, ``RefusedError`` ``chain_mismatch``,
    ``kind_unknown``, ``nonce_missing``, ``nonce_unexpected``.
    """
    transaction = Transaction.parse_under(schema, wire)
    body = transaction.body
    if body.chain_id != chain_id:
        raise RefusedError("chain_mismatch", "The transaction is for another chain.")
    spec = rules.get(body.kind)
    if spec is None:
        raise RefusedError("kind_unknown", "This network has no such kind of transaction.")
    signed = body_bytes(wire)
    payload = spec.payload.from_json(body.payload)
    if not is_encoding(payload_bytes(signed), payload.to_json()):
        raise FormatError("json_not_canonical", "A payload is not in the one encoding of its type.")
    if spec.ordered and body.nonce is not None:
        raise RefusedError("nonce_unexpected", "This kind is ordered by its payload and carries no nonce.")
    if not spec.ordered and body.nonce is None:
        raise RefusedError("nonce_missing", "This kind needs a nonce.")
    origin = TxOrigin(transaction_id(signed), body.kind, body.sender)
    return Envelope(transaction, spec, payload, signing_bytes(signed), origin)


def check_expiry(expires_at: int, time_ms: int) -> None:
    """Return only if the transaction is alive at block time (LED-2).

    Raises ``RefusedError`` ``transaction_expired``, ``expiry_too_far``.
    """
    if expires_at < time_ms:
        raise RefusedError("transaction_expired", "The transaction expired before its block.")
    if expires_at > time_ms + EXPIRY_AHEAD_MS_MAX:
        raise RefusedError("expiry_too_far", "The transaction expires more than 24 hours ahead.")


class Authenticator:
    """Finds the sender's key and checks the signature; remembers what it has verified by exact bytes."""

    def __init__(self, chain_id: str, rules: Mapping[str, RuleSpec], schema: int) -> None:
        self._schema = schema
        self._chain_id = chain_id
        self._rules = rules
        self._parsed: dict[bytes, Envelope] = {}
        self._verified: dict[bytes, _Key] = {}
        self._creators: dict[bytes, tuple[Sender, _Key]] = {}

    def open(self, data: bytes) -> Envelope:
        """:func:`parse_envelope`, remembered."""
        envelope = self._parsed.get(data)
        if envelope is None:
            envelope = parse_envelope(data, self._chain_id, self._rules, self._schema)
            _remember(self._parsed, data, envelope)
        return envelope

    def forget(self, data: bytes) -> None:
        """Drop what is remembered of a transaction that has had its block."""
        envelope = self._parsed.pop(data, None)
        if envelope is not None:
            self._creators.pop(envelope.signed, None)
        self._verified.pop(data, None)

    def authenticate(self, state: StateView, data: bytes, envelope: Envelope) -> Sender:
        """The sender, proven by the signature under the key that the state (or did.create itself) holds.

        Raises ``RefusedError`` ``sender_unknown``, ``key_unknown``, ``algorithm_mismatch`` (the key's algorithm is
        another than the message says); ``FormatError``; ``VerificationError`` ``signature_invalid``.
        """
        sender, key = self._resolve(state, envelope)
        proof = envelope.transaction.proof
        if proof.alg != key[0]:
            raise RefusedError("algorithm_mismatch", "A transaction's alg is not the algorithm of its key.")
        if self._verified.get(data) != key:
            verify_signature(*key, envelope.signed, proof.sig)
            _remember(self._verified, data, key)
        return sender

    def _resolve(self, state: StateView, envelope: Envelope) -> tuple[Sender, _Key]:
        body = envelope.transaction.body
        if body.sender.startswith("rk:"):
            if body.key_id:
                raise RefusedError("key_unknown", "A consent key has no key id.")
            return Sender(body.sender, "", "consent_key"), ("Ed25519", b64u_decode(body.sender[3:], 32))
        if chain_of_did(body.sender) != self._chain_id:
            raise RefusedError("sender_unknown", "The sender is of another network.")
        if body.kind == CREATE_KIND:
            return self._creator(envelope)
        value = state.get(did_state_key(body.sender))
        role = "person" if state.get(member_key(body.sender)) is None else "member"
        if value is None or value["status"] != "active":
            raise RefusedError("sender_unknown", "The ledger does not know the sender.")
        revealed = revealed_key(envelope.payload, value, body.key_id)
        if revealed is not None and (role == "person" or body.key_id in (NODE_KEY, RECOVERY_KEY_ID)):
            return Sender(body.sender, body.key_id, role), _ed25519(revealed)
        if role == "member" and body.key_id != NODE_KEY:
            raise RefusedError("key_unknown", "A member's transaction is signed with its #node key.")
        for key in value["keys"]:
            if key["id"] == body.key_id and "authentication" in key["purposes"]:
                return Sender(body.sender, body.key_id, role), self._key(key["multikey"])
        raise _no_such_key()

    def _key(self, multikey: str) -> _Key:
        """A key that stands in a DID; a committed one that is revealed stays Ed25519 under every schema."""
        return algorithm_of(multikey) if self._schema >= ALGORITHMS_SINCE else _ed25519(multikey)

    def _creator(self, envelope: Envelope) -> tuple[Sender, _Key]:
        """A DID that creates itself: the state has no say in it, so it is worked out once for the bytes."""
        body = envelope.transaction.body
        found = self._creators.get(envelope.signed)
        if found is None:
            operation = envelope.payload.operation
            if did_of(operation) != body.sender:
                raise RefusedError("sender_unknown", "A DID can only create itself.")
            named = (key for key in first_keys(operation) if key.id == body.key_id)
            key = next((key for key in named if "authentication" in key.purposes), None)
            if key is None:
                raise _no_such_key()
            found = Sender(body.sender, body.key_id, "person"), self._key(key.multikey)
            _remember(self._creators, envelope.signed, found)
        return found


def _no_such_key() -> RefusedError:
    return RefusedError("key_unknown", "The sender has no key of this id that may authenticate.")


@lru_cache(maxsize=4096)
def _ed25519(multikey: str) -> _Key:
    return "Ed25519", decode_multikey(multikey, ED25519_PUB)


def _remember(cache: dict[bytes, Any], key: bytes, value: object) -> None:
    if len(cache) >= _CACHE_MAX:
        del cache[next(iter(cache))]
    cache[key] = value
