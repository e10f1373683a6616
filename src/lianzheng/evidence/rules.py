"""Ledger rules of the slice: one kind, ``evidence.anchor`` (EV-3). Pure (LED-1)."""

from __future__ import annotations

from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import ConflictError
from lianzheng.evidence.model import AnchorPayload, AnchorState, LogEntry, anchor_digest
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody

__all__ = ["ANCHOR_KIND", "RULES", "anchor_key", "last_anchor"]

ANCHOR_KIND = "evidence.anchor"


def anchor_key(member: str) -> str:
    """State key of a member's last accepted anchor."""
    return f"anchor/{member}"


def last_anchor(state: StateView, member: str) -> AnchorState | None:
    """The member's last accepted anchor in ``state``, or None."""
    value = state.get(anchor_key(member))
    return None if value is None else AnchorState.from_json(value)


def anchor(
    state: StateView, sender: Sender, payload: AnchorPayload, body: TransactionBody, block: BlockContext
) -> Effects:
    """Append the anchor to the evidence log. Refuses ``anchor_previous_mismatch`` (EV-3)."""
    last = last_anchor(state, sender.name)
    if payload.previous_anchor != (None if last is None else last.digest):
        raise ConflictError(
            "anchor_previous_mismatch",
            "The anchor does not follow the sender's last accepted anchor.",
            next_step="Read the state at anchor/<did> and anchor again with its digest.",
        )
    new = AnchorState(
        digest=anchor_digest(sender.name, payload),
        count=payload.count,
        log_index=block.log_size,
        height=block.height,
        time_ms=block.time_ms,
    )
    entry = LogEntry(height=block.height, time_ms=block.time_ms, sender=sender.name, payload=payload)
    return Effects(
        writes=((anchor_key(sender.name), new.to_json()),),
        log=(entry.to_bytes(),),
        events=({"type": ANCHOR_KIND, "member": sender.name, "log_index": block.log_size, "count": payload.count},),
        data={"log_index": block.log_size, "digest": b64u_encode(new.digest)},
    )


RULES: tuple[RuleSpec, ...] = (RuleSpec(ANCHOR_KIND, AnchorPayload, anchor),)
