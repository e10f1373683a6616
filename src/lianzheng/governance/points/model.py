"""Balances and settlements.

State ``points/<did>`` → :class:`PointsRecord`; ``metered/<provider>/<requester>`` → :class:`Metered`;
``settlement/<month>`` → :class:`Settlement`; ``settled`` → ``{month}``; ``appeal/<month>/<did>`` → ``{motion}``.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, TimeMs
from lianzheng.governance.parameters.model import parameter
from lianzheng.ids import Did
from lianzheng.ledger.context import BlockContext, StateView, Write
from lianzheng.limits import INT_MAX

__all__ = [
    "SETTLED_KEY",
    "Metered",
    "Month",
    "PointsAppeal",
    "PointsRecord",
    "PointsSettle",
    "Settlement",
    "SettlementLine",
    "appeal_key",
    "balance_of",
    "metered_key",
    "points_key",
    "points_of",
    "points_write",
    "quota_limit",
    "settlement_key",
]

SETTLED_KEY = "settled"
Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")]
Signed = Annotated[int, Field(ge=-INT_MAX, le=INT_MAX)]


class PointsSettle(Record):
    """``points.settle`` by any active member: it carries no figure, the rule computes all of them."""

    month: Month


class PointsAppeal(Record):
    """``points.appeal`` by the member concerned; the other groups vote on it."""

    month: Month
    change: Signed
    """Points that it asks to be added (or, to be fair to others, taken)."""
    reason: Bytes32


class PointsRecord(Record):
    """A member's balance. A fine or a missing report may take it below zero; a transfer never does."""

    version: Natural
    balance: Signed
    missing: Natural
    """Reports overdue when it was last settled: each is counted once."""
    time_ms: TimeMs


class Metered(Record):
    """Uses that a provider has been paid for by a requester, since genesis."""

    uses: Natural


class SettlementLine(Record):
    """One member's sum: ``balance = before + base + breadth + quality - penalty + received - paid``."""

    member: Did
    before: Signed
    base: Natural
    breadth: Natural
    quality: Natural
    penalty: Natural
    received: Natural
    paid: Natural
    balance: Signed


class Settlement(Record):
    """A settlement: what was reported since the one before, up to this block."""

    month: Month
    height: Natural
    time_ms: TimeMs
    lines: Annotated[tuple[SettlementLine, ...], Seq]


def points_key(did: str) -> str:
    """State key."""
    return f"points/{did}"


def metered_key(provider: str, requester: str) -> str:
    """State key."""
    return f"metered/{provider}/{requester}"


def settlement_key(month: str) -> str:
    """State key."""
    return f"settlement/{month}"


def appeal_key(month: str, did: str) -> str:
    """State key."""
    return f"appeal/{month}/{did}"


def points_of(state: StateView, did: str) -> PointsRecord:
    """The member's points; nothing yet is a balance of 0."""
    value = state.get(points_key(did))
    return PointsRecord(version=0, balance=0, missing=0, time_ms=0) if value is None else PointsRecord.from_json(value)


def balance_of(state: StateView, did: str) -> int:
    """The member's balance."""
    return points_of(state, did).balance


def points_write(state: StateView, did: str, balance: int, block: BlockContext, missing: int | None = None) -> Write:
    """What sets a balance (and the reports counted as missing)."""
    before = points_of(state, did)
    after = PointsRecord(
        version=before.version + 1,
        balance=balance,
        missing=before.missing if missing is None else missing,
        time_ms=block.time_ms,
    )
    return (points_key(did), after.to_json())


def quota_limit(state: StateView, did: str) -> int | None:
    """Largest quota of a new task of this member; None where its balance does not limit it."""
    if balance_of(state, did) >= parameter(state, "points_query_min"):
        return None
    return parameter(state, "points_limited_quota")
