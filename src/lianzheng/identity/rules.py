"""What the ledger does with ``issuer.publish`` (ID-7, EQ-1), and the rules of did:lz."""

from __future__ import annotations

from lianzheng.errors import ConflictError, RefusedError
from lianzheng.identity.did.rules import RULES as DID_RULES
from lianzheng.identity.model import (
    IssuerKeyRecord,
    IssuerPublish,
    issuer_state_key,
)
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.zk.spseq import PublicKey, verify_possession

__all__ = ["CREDENTIAL_PURPOSE", "RULES", "publish_issuer_key"]

CREDENTIAL_PURPOSE = "credential"
"""What a proof of possession binds a credential key to (EQ-1): a key serves one purpose."""


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
    *DID_RULES,
    RuleSpec("issuer.publish", IssuerPublish, publish_issuer_key),
)
