"""Incidents and what they contain.

State ``incident/<id>`` → :class:`IncidentRecord`, the id being the transaction id of ``incident.open``;
``contained/<scope>/<target>`` → :class:`Containment` while it lasts.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, TimeMs
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.ids import Did
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Word

__all__ = [
    "Containment",
    "IncidentClose",
    "IncidentContain",
    "IncidentOpen",
    "IncidentRecord",
    "Scope",
    "contained_key",
    "incident_key",
    "incident_of",
    "require_not_contained",
]

Scope = Literal["member", "dataset", "function", "network"]
Target = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class IncidentOpen(Record):
    """``incident.open`` by any active member."""

    grade: Annotated[int, Field(ge=1, le=4)]
    """1 is the gravest."""
    category: Word
    report: Bytes32
    """SHA-256 of the first report, which stays with the members."""


class IncidentContain(Record):
    """``incident.contain``: a motion to stop a member, a dataset, a function or the whole network.

    One's own member and one's own datasets stop at once.
    """

    incident: Bytes32
    scope: Scope
    target: Target
    """A member's DID, a dataset's name, a function's code, or the chain id."""


class IncidentClose(Record):
    """``incident.close``: a motion that it is over; everything that it contained goes on again."""

    incident: Bytes32
    review: Bytes32
    """SHA-256 of the review."""
    fined: Did | None
    """The member that loses points for it, or null."""
    fine: Natural


class IncidentRecord(Record):
    """One incident."""

    version: Natural
    grade: Natural
    category: Word
    report: Bytes32
    opened_by: Did
    opened_ms: TimeMs
    status: Literal["open", "closed"]
    contains: Annotated[tuple[str, ...], Seq]
    """State keys of what it stopped."""
    review: Bytes32 | None
    closed_ms: TimeMs | None


class Containment(Record):
    """Something that stands still because of an incident."""

    incident: Bytes32
    since_ms: TimeMs


def incident_key(incident: bytes) -> str:
    """State key."""
    return f"incident/{b64u_encode(incident)}"


def incident_of(state: StateView, incident: bytes) -> IncidentRecord:
    """The incident. Raises ``NotFoundError`` ``incident_unknown``."""
    value = state.get(incident_key(incident))
    if value is None:
        raise NotFoundError("incident_unknown", "No such incident is on the ledger.")
    return IncidentRecord.from_json(value)


def contained_key(scope: Scope, target: str) -> str:
    """State key."""
    return f"contained/{scope}/{target}"


def require_not_contained(state: StateView, scope: Scope, target: str) -> None:
    """Return only if this may go on. Raises ``RefusedError`` ``contained``."""
    if state.get(contained_key(scope, target)) is not None:
        raise RefusedError(
            "contained",
            "An open incident has stopped this.",
            next_step="See the incident; it goes on when the alliance closes it.",
        )
