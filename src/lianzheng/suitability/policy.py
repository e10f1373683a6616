"""Numbers that rules set and that change: dated, versioned, per product line."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.encoding.model import Day, Natural, Record, Text
from lianzheng.errors import NotFoundError

__all__ = ["Policy", "expiry_day", "policy_on"]


class Policy(Record):
    """The numbers of one product line from ``from_day`` until the next version."""

    version: Natural
    product_line: Text
    from_day: Day
    validity_months: Natural
    tests_per_day: Natural
    tests_per_year: Natural
    reading_seconds: Natural
    """How long the written warning is shown before it can be accepted."""
    cooling_hours: Natural
    """For R5, or an investor of ``elderly_age``."""
    cooling_hours_elderly_high: Natural
    """For both at once: R4 and above, ``elderly_age`` and over."""
    elderly_age: Natural
    visit_days: Natural
    visit_days_elderly_high: Natural
    retest_watch_days: Natural
    """A test within so many days of a mismatch is flagged."""


def policy_on(policies: Sequence[Policy], product_line: str, day: str) -> Policy:
    """The version in force on ``day``. Raises ``NotFoundError`` ``policy_missing``."""
    found = [policy for policy in policies if policy.product_line == product_line and policy.from_day <= day]
    if not found:
        raise NotFoundError("policy_missing", "No policy of this product line is in force on this day.")
    return max(found, key=lambda policy: (policy.from_day, policy.version))


def expiry_day(day: str, months: int) -> str:
    """Last day of a validity of ``months`` that began on ``day``: the day before the date comes round again."""
    index = int(day[0:4]) * 12 + int(day[5:7]) - 1 + months
    year, month, dom = index // 12, index % 12 + 1, int(day[8:10]) - 1
    if dom == 0:
        year, month = (year, month - 1) if month > 1 else (year - 1, 12)
        dom = 31
    return f"{year:04d}-{month:02d}-{min(dom, _month_days(year, month)):02d}"


def _month_days(year: int, month: int) -> int:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 29 if month == 2 and leap else (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[month - 1]
