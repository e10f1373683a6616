"""What the ledger does with ``status.publish``: an issuer's list moves forward, one version at a time.

A verifier that is handed a list compares its digest with the ledger's: an issuer, or whoever serves the list, cannot
show an old one to some and a new one to others.
"""

from __future__ import annotations

from lianzheng.errors import ConflictError
from lianzheng.identity.status.model import StatusListRecord, StatusPublish, status_state_key
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody

__all__ = ["RULES", "publish_status_list"]


def publish_status_list(
    state: StateView, sender: Sender, payload: StatusPublish, body: TransactionBody, block: BlockContext
) -> Effects:
    """The sender's list ``name`` is now at the version that follows the one on the ledger.

    Refuses: ``status_version_stale`` (any other version, the present one again included).
    """
    place = status_state_key(sender.name, payload.name)
    before = state.get(place)
    present = 0 if before is None else StatusListRecord.from_json(before).version
    if payload.version != present + 1:
        raise ConflictError(
            "status_version_stale",
            f"The ledger has version {present} of this status list.",
            next_step="Publish the next version.",
        )
    record = StatusListRecord(
        issuer=sender.name,
        name=payload.name,
        version=payload.version,
        digest=payload.digest,
        published_ms=block.time_ms,
    )
    return Effects(
        writes=((place, record.to_json()),),
        events=({"type": "status.published", "issuer": sender.name, "list": payload.name, "version": payload.version},),
    )


RULES: tuple[RuleSpec, ...] = (RuleSpec("status.publish", StatusPublish, publish_status_list, since=2),)
