"""Ledger rules of incidents (pure, LED-1)."""

from __future__ import annotations

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.incidents.model import (
    Containment,
    IncidentClose,
    IncidentContain,
    IncidentOpen,
    IncidentRecord,
    contained_key,
    incident_key,
    incident_of,
)
from lianzheng.governance.members import member_of
from lianzheng.governance.model import NETWORK_KEY, NetworkRecord
from lianzheng.governance.motions.model import MotionRecord
from lianzheng.governance.motions.rules import open_motion
from lianzheng.governance.points.model import balance_of, points_write
from lianzheng.ledger.context import BlockContext, Effects, Sender, StateView, Write
from lianzheng.ledger.transaction import TransactionBody, transaction_id
from lianzheng.limits import INCIDENT_CONTAINS_MAX
from lianzheng.registry import FUNCTIONS

__all__ = ["carry_close", "carry_contain", "close_incident", "contain_incident", "own_target", "open_incident"]


def open_incident(
    state: StateView, sender: Sender, payload: IncidentOpen, body: TransactionBody, block: BlockContext
) -> Effects:
    """The incident is on record; its id is this transaction's id."""
    incident = transaction_id(body)
    record = IncidentRecord(
        **dict(payload),
        version=0,
        opened_by=sender.name,
        opened_ms=block.time_ms,
        status="open",
        contains=(),
        review=None,
        closed_ms=None,
    )
    name = b64u_encode(incident)
    return Effects(
        writes=((incident_key(incident), record.to_json()),),
        events=({"type": "incident.opened", "incident": name, "grade": payload.grade},),
        data={"incident": name},
    )


def own_target(state: StateView, sender: Sender, payload: IncidentContain) -> bool:
    """Whether the sender stops only what is its own: that needs no motion."""
    if payload.scope == "dataset":
        dataset = state.get(f"dataset/{payload.target}")
        return dataset is not None and dataset["owner"] == sender.name
    return payload.scope == "member" and payload.target == sender.name


def contain_incident(state: StateView, sender: Sender, payload: IncidentContain, block: BlockContext) -> MotionRecord:
    """A motion to stop the target. Refuses ``incident_unknown``, ``incident_closed``, ``target_unknown``,
    ``contained_already``, and as ``open_motion``."""
    _check_contain(state, payload, block)
    return open_motion(state, sender.name, block, "incident.contain", payload.to_json(), None)


def _check_contain(state: StateView, payload: IncidentContain, block: BlockContext) -> IncidentRecord:
    record = incident_of(state, payload.incident)
    if record.status != "open":
        raise ConflictError("incident_closed", "The incident is closed.")
    if len(record.contains) >= INCIDENT_CONTAINS_MAX:
        raise RefusedError("incident_full", "The incident contains as much as one may; open another.")
    if not _exists(state, payload, block):
        raise RefusedError("target_unknown", "The network has nothing of this name to contain.")
    if state.get(contained_key(payload.scope, payload.target)) is not None:
        raise ConflictError("contained_already", "This stands still already.")
    return record


def _exists(state: StateView, payload: IncidentContain, block: BlockContext) -> bool:
    if payload.scope == "member":
        return member_of(state, payload.target) is not None
    if payload.scope == "dataset":
        return state.get(f"dataset/{payload.target}") is not None
    return payload.target in FUNCTIONS if payload.scope == "function" else payload.target == block.chain_id


def carry_contain(state: StateView, content: JsonObject, block: BlockContext) -> tuple[Write, ...]:
    """The target stands still. Refuses as :func:`contain_incident`."""
    payload = IncidentContain.from_json(content)
    record = _check_contain(state, payload, block)
    key = contained_key(payload.scope, payload.target)
    after = record.model_copy(update={"version": record.version + 1, "contains": (*record.contains, key)})
    writes: list[Write] = [
        (key, Containment(incident=payload.incident, since_ms=block.time_ms).to_json()),
        (incident_key(payload.incident), after.to_json()),
    ]
    if payload.scope == "network":
        writes += _phase(state, "running", "contained")
    return tuple(writes)


def _phase(state: StateView, before: str, after: str) -> list[Write]:
    """A wind-down goes its own way: only a running network is contained, only a contained one runs again."""
    value = state.get(NETWORK_KEY)
    if value is None or value["phase"] != before:
        return []
    network = NetworkRecord.from_json(value)
    changed = network.model_copy(update={"version": network.version + 1, "phase": after})
    return [(NETWORK_KEY, changed.to_json())]


def close_incident(state: StateView, sender: Sender, payload: IncidentClose, block: BlockContext) -> MotionRecord:
    """A motion that the incident is over. Refuses ``incident_unknown``, ``incident_closed``, ``member_unknown``."""
    _check_close(state, payload)
    return open_motion(state, sender.name, block, "incident.close", payload.to_json(), None)


def _check_close(state: StateView, payload: IncidentClose) -> IncidentRecord:
    record = incident_of(state, payload.incident)
    if record.status != "open":
        raise ConflictError("incident_closed", "The incident is closed.")
    if payload.fined is not None and member_of(state, payload.fined) is None:
        raise RefusedError("member_unknown", "The member that is to lose points is unknown.")
    if (payload.fined is None) != (payload.fine == 0):
        raise RefusedError("fine_invalid", "A fine has a member, and a member a fine.")
    return record


def carry_close(state: StateView, content: JsonObject, block: BlockContext) -> tuple[Write, ...]:
    """What the incident stopped goes on; the fine, if any, is taken. Refuses as :func:`close_incident`."""
    payload = IncidentClose.from_json(content)
    record = _check_close(state, payload)
    changes = {"version": record.version + 1, "status": "closed", "review": payload.review, "closed_ms": block.time_ms}
    writes: list[Write] = [(incident_key(payload.incident), record.model_copy(update=changes).to_json())]
    for key in record.contains:
        writes.append((key, None))
        if key.startswith("contained/network/"):
            writes += _phase(state, "contained", "running")
    if payload.fined is not None:
        balance = balance_of(state, payload.fined)
        writes.append(points_write(state, payload.fined, balance - payload.fine, block))
    return tuple(writes)
