"""What the ledger does with ``did.create`` and ``issuer.publish`` (ID-3, ID-7, EQ-1)."""

from __future__ import annotations

from lianzheng.errors import ConflictError, RefusedError
from lianzheng.identity.model import (
    DidCreate,
    IssuerKeyRecord,
    IssuerPublish,
    did_of,
    did_record,
    did_state_key,
    issuer_state_key,
)
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.zk.spseq import PublicKey, verify_possession

__all__ = ["CREDENTIAL_PURPOSE", "RULES", "create_did", "publish_issuer_key"]

CREDENTIAL_PURPOSE = "credential"
"""What a proof of possession binds a credential key to (EQ-1): a key serves one purpose."""


def create_did(
    state: StateView, sender: Sender, payload: DidCreate, body: TransactionBody, block: BlockContext
) -> Effects:
    """The DID exists, certified by its own operation and signed by one of its own keys.

    Refuses: ``did_network_wrong``, ``did_sender_wrong``, ``key_unknown``, ``did_exists`` (ID-3).
    """
    operation = payload.operation
    if operation.network != block.chain_id:
        raise RefusedError("did_network_wrong", "The creation operation names another network.")
    did = did_of(operation)
    if sender.name != did:
        raise RefusedError("did_sender_wrong", "A DID is created by itself only.")
    if not any(key.id == body.key_id and "authentication" in key.purposes for key in operation.keys):
        raise RefusedError("key_unknown", "The signing key is not an authentication key of the operation.")
    if state.get(did_state_key(did)) is not None:
        raise ConflictError("did_exists", "This DID exists already.")
    record = did_record(operation, block.time_ms)
    return Effects(
        writes=((did_state_key(did), record.to_json()),),
        events=({"type": "did.created", "did": did},),
        data={"did": did},
    )


def publish_issuer_key(
    state: StateView, sender: Sender, payload: IssuerPublish, body: TransactionBody, block: BlockContext
) -> Effects:
    """The sender has exactly one credential key for the period, and has proved that it holds it.

    Refuses: ``member_not_active``, ``issuer_period_invalid`` (neither this period nor the next),
    ``issuer_key_exists``, ``point_malformed|point_not_in_subgroup|point_identity``, ``possession_invalid``.
    """
    member = block.members.get(sender.name)
    if member is None or not member.active:
        raise RefusedError("member_not_active", "Only an active member issues credentials.")
    if payload.period not in (block.credential_period, block.credential_period + 1):
        raise RefusedError("issuer_period_invalid", "A credential key is published for this period or the next.")
    place = issuer_state_key(sender.name, payload.period)
    if state.get(place) is not None:
        raise ConflictError("issuer_key_exists", "The issuer has a credential key for this period.")
    key = PublicKey.from_bytes(payload.key)
    verify_possession(key, payload.pop, block.chain_id, sender.name, CREDENTIAL_PURPOSE, payload.period)
    record = IssuerKeyRecord(issuer=sender.name, period=payload.period, key=payload.key, published_ms=block.time_ms)
    return Effects(
        writes=((place, record.to_json()),),
        events=({"type": "issuer.published", "issuer": sender.name, "period": payload.period},),
    )


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("did.create", DidCreate, create_did),
    RuleSpec("issuer.publish", IssuerPublish, publish_issuer_key),
)
