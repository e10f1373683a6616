"""Settlement as arithmetic over the state, and appeals (pure, LED-1)."""

from __future__ import annotations

from dataclasses import dataclass

from lianzheng.clock import DAY_MS, day_of, start_of_day_ms
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.members import member_of
from lianzheng.governance.motions.model import motion_id, motion_key
from lianzheng.governance.motions.rules import event_of, new_motion
from lianzheng.governance.parameters.model import parameter
from lianzheng.governance.points.model import (
    SETTLED_KEY,
    Metered,
    PointsAppeal,
    PointsSettle,
    Settlement,
    SettlementLine,
    appeal_key,
    balance_of,
    metered_key,
    points_of,
    points_write,
    settlement_key,
)
from lianzheng.ledger.context import BlockContext, Effects, MemberActivity, Sender, StateView, Write
from lianzheng.ledger.transaction import TransactionBody

__all__ = ["appeal_points", "carry_appeal", "settle_points"]


@dataclass(slots=True)
class _Sum:
    before: int
    base: int = 0
    breadth: int = 0
    quality: int = 0
    penalty: int = 0
    received: int = 0
    paid: int = 0
    missing: int = 0

    @property
    def balance(self) -> int:
        return self.before + self.base + self.breadth + self.quality - self.penalty + self.received - self.paid


def settle_points(
    state: StateView, sender: Sender, payload: PointsSettle, body: TransactionBody, block: BlockContext
) -> Effects:
    """Everybody's points for what was offered and reported since the last settlement.

    Months go one after the other from the network's first: presence is paid once for each, and for none before it.
    Refuses ``month_not_over``, ``month_settled``, ``month_out_of_order``.
    """
    if payload.month >= block.day[:7]:
        raise RefusedError("month_not_over", "A month is settled after its last day.")
    last = state.get(SETTLED_KEY)
    if last is not None and last["month"] >= payload.month:
        raise ConflictError("month_settled", "This month, or a later one, is settled.")
    due = day_of(block.genesis_time_ms)[:7] if last is None else _month_after(last["month"])
    if payload.month != due:
        raise RefusedError(
            "month_out_of_order",
            "Months are settled one after the other, from the network's first.",
            next_step=f"Settle {due} first.",
        )
    activities = block.activity()
    sums = {one.did: _earned(state, one, block) for one in activities}
    metered = _pay(state, activities, sums)
    lines = tuple(
        SettlementLine(
            member=did,
            before=one.before,
            base=one.base,
            breadth=one.breadth,
            quality=one.quality,
            penalty=one.penalty,
            received=one.received,
            paid=one.paid,
            balance=one.balance,
        )
        for did, one in sorted(sums.items())
    )
    record = Settlement(month=payload.month, height=block.height, time_ms=block.time_ms, lines=lines)
    writes: list[Write] = [
        (settlement_key(payload.month), record.to_json()),
        (SETTLED_KEY, {"month": payload.month}),
        *metered,
        *(points_write(state, line.member, line.balance, block, sums[line.member].missing) for line in lines),
    ]
    return Effects(writes=tuple(writes), events=({"type": "points.settled", "month": payload.month},))


def _month_after(month: str) -> str:
    year, number = int(month[:4]), int(month[5:])
    return f"{year:04d}-{number + 1:02d}" if number < 12 else f"{year + 1:04d}-01"


def _earned(state: StateView, activity: MemberActivity, block: BlockContext) -> _Sum:
    """What a member has earned by itself: presence, breadth, quality; and lost by reports that are overdue."""
    before = points_of(state, activity.did)
    fresh_from = block.time_ms - parameter(state, "points_fresh_days") * DAY_MS
    fresh = sum(1 for day in activity.dataset_days if start_of_day_ms(day) >= fresh_from)
    return _Sum(
        before=before.balance,
        base=parameter(state, "points_base") if activity.active else 0,
        breadth=parameter(state, "points_dataset") * len(activity.dataset_days)
        + parameter(state, "points_indicator") * activity.indicators,
        quality=parameter(state, "points_fresh") * fresh,
        penalty=parameter(state, "points_report_missing") * max(0, activity.reports_missing - before.missing),
        missing=max(before.missing, activity.reports_missing),
    )


def _pay(state: StateView, activities: tuple[MemberActivity, ...], sums: dict[str, _Sum]) -> list[Write]:
    """Uses move points from requester to provider, in the order of DIDs, while the requester has any.

    What it has not is not owed: the meter stands at what was reported, so that no debt piles up.
    """
    price = parameter(state, "points_use")
    writes: list[Write] = []
    for activity in activities:
        for requester, uses in activity.answered:
            key = metered_key(activity.did, requester)
            value = state.get(key)
            before = 0 if value is None else Metered.from_json(value).uses
            if uses <= before:
                continue
            writes.append((key, Metered(uses=uses).to_json()))
            if requester not in sums:
                continue
            paid = min(price * (uses - before), max(0, sums[requester].balance))
            sums[requester].paid += paid
            sums[activity.did].received += paid
    return writes


def appeal_points(
    state: StateView, sender: Sender, payload: PointsAppeal, body: TransactionBody, block: BlockContext
) -> Effects:
    """The other groups are asked to change the sender's balance.

    Refuses ``month_not_settled``, ``appeal_late``, ``appeal_made``, and as ``new_motion``.
    """
    value = state.get(settlement_key(payload.month))
    if value is None:
        raise RefusedError("month_not_settled", "There is no settlement of this month.")
    if block.time_ms > value["time_ms"] + parameter(state, "appeal_days") * DAY_MS:
        raise RefusedError("appeal_late", "The time for an appeal is over.")
    place = appeal_key(payload.month, sender.name)
    if state.get(place) is not None:
        raise ConflictError("appeal_made", "The sender has appealed against this settlement.")
    member = member_of(state, sender.name)
    group = None if member is None else member.control_group
    content = {**payload.to_json(), "member": sender.name}
    motion = new_motion(state, block, "points.appeal", content, group)
    name = motion_id(block.chain_id, motion.kind, motion.content)
    return Effects(
        writes=((place, {"motion": b64u_encode(name)}), (motion_key(name), motion.to_json())),
        events=(event_of(motion, block.chain_id),),
        data={"motion": b64u_encode(name)},
    )


def carry_appeal(state: StateView, content: JsonObject, block: BlockContext) -> tuple[Write, ...]:
    """The member's balance is changed as it asked."""
    did = content["member"]
    return (points_write(state, did, balance_of(state, did) + content["change"], block),)
