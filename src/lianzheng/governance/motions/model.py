"""A motion, its ballots, and what share of the groups carries it.

State ``motion/<id>`` → :class:`MotionRecord`; id = SHA-256(tag ``motion`` ‖ chain id ‖ kind ‖ JCS(content)), so that
the same wish is one motion, whoever has it first.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, NamedTuple

from pydantic import Field

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, TimeMs
from lianzheng.errors import NotFoundError
from lianzheng.governance.groups import GroupName
from lianzheng.ledger.context import StateView

__all__ = ["SHARES", "Ballot", "MotionRecord", "MotionVote", "Share", "motion_id", "motion_key", "motion_of"]

Ballot = Literal["yes", "no"]


class Share(NamedTuple):
    """More than ``numerator / denominator`` of the groups that may vote."""

    numerator: int
    denominator: int

    def reached(self, votes: int, groups: int) -> bool:
        """Whether ``votes`` are more than this share of ``groups``."""
        return self.denominator * votes > self.numerator * groups


_TWO_THIRDS, _HALF, _THIRD = Share(2, 3), Share(1, 2), Share(1, 3)

SHARES: dict[str, Share] = {
    "member.admit": _TWO_THIRDS,
    "member.suspend": _TWO_THIRDS,
    "member.reinstate": _TWO_THIRDS,
    "member.expel": _TWO_THIRDS,
    "member.regroup": _TWO_THIRDS,
    "parameter.propose": _TWO_THIRDS,
    "points.rule": _TWO_THIRDS,
    "points.appeal": _HALF,
    "schema.upgrade": _TWO_THIRDS,
    "issuer.accredit": _TWO_THIRDS,
    # To stop is easier than to go on: what guards people must not wait for the last third.
    "incident.contain": _THIRD,
    "incident.close": _HALF,
    "issuer.withdraw": _HALF,
    "network.winddown.plan": _TWO_THIRDS,
    "network.winddown.start": _TWO_THIRDS,
    "network.winddown.freeze": _TWO_THIRDS,
    "network.winddown.disconnect": _TWO_THIRDS,
    "network.winddown.close": _TWO_THIRDS,
}
"""By kind. Two thirds is what the chain needs to go on: a smaller share could decide what it cannot carry out."""


class MotionRecord(Record):
    """A motion and the ballots so far. Past ``closes_ms`` it is over; that is derived, not written."""

    version: Natural
    """One more with every opening of the same motion and with every ballot."""
    kind: Annotated[str, Field(max_length=64)]
    content: dict[str, Any]
    excluded: GroupName | None
    """The group that the motion is about; it has no vote."""
    yes: Annotated[tuple[GroupName, ...], Seq]
    no: Annotated[tuple[GroupName, ...], Seq]
    opened_height: Natural
    opened_ms: TimeMs
    closes_ms: TimeMs
    status: Literal["open", "carried", "rejected"]


class MotionVote(Record):
    """Payload of ``member.vote`` and ``parameter.vote``: a ballot on a motion that stands."""

    motion: Bytes32
    opened_height: Natural
    """Of the motion meant: a late ballot never counts for a later motion of the same content."""
    ballot: Ballot


def motion_id(chain_id: str, kind: str, content: JsonObject) -> bytes:
    """32 bytes naming the motion."""
    return sha256("motion", chain_id, kind, encode(content))


def motion_key(motion: bytes) -> str:
    """State key."""
    return f"motion/{b64u_encode(motion)}"


def motion_of(state: StateView, motion: bytes) -> MotionRecord:
    """The motion. Raises ``NotFoundError`` ``motion_unknown``."""
    value = state.get(motion_key(motion))
    if value is None:
        raise NotFoundError("motion_unknown", "No such motion is on the ledger.")
    return MotionRecord.from_json(value)
