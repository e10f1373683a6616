"""``xsd:dateTimeStamp`` texts as milliseconds: an offset is required, fractions are read to the millisecond."""

from __future__ import annotations

import re

from lianzheng.clock import start_of_day_ms
from lianzheng.errors import FormatError

__all__ = ["xsd_time_ms"]

_TIME = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})T(?P<h>[0-9]{2}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2})(?:\.(?P<f>[0-9]{1,12}))?"
    r"(?:Z|(?P<sign>[+-])(?P<oh>[0-9]{2}):(?P<om>[0-9]{2}))\Z",
    re.ASCII,
)
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_UTC8_MS = 8 * 3_600_000


def xsd_time_ms(text: object) -> int:
    """Milliseconds UTC since 1970. Raises ``FormatError`` ``time_invalid``; a time without an offset is one."""
    match = _TIME.match(text) if isinstance(text, str) else None
    if match is None:
        raise _invalid()
    hour, minute, second = int(match["h"]), int(match["m"]), int(match["s"])
    day_end = (hour, minute, second, int(match["f"] or 0)) == (24, 0, 0, 0)  # XML Schema 1.1 §3.3.7
    offset = int(match["oh"] or 0) * 60 + int(match["om"] or 0)
    bad_time = (hour > 23 and not day_end) or minute > 59 or second > 59
    if bad_time or offset > 14 * 60 or int(match["om"] or 0) > 59 or not _is_day(match["day"]):
        raise _invalid()
    start = start_of_day_ms(match["day"]) + _UTC8_MS
    fraction = int(((match["f"] or "") + "000")[:3])
    local = start + ((hour * 60 + minute) * 60 + second) * 1000 + fraction
    return local - (-offset if match["sign"] == "-" else offset) * 60_000


def _is_day(day: str) -> bool:
    year, month, date = int(day[:4]), int(day[5:7]), int(day[8:])
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    if year == 0 or not 1 <= month <= 12:
        return False
    return 1 <= date <= (28 if month == 2 and not leap else _DAYS[month - 1])


def _invalid() -> FormatError:
    return FormatError("time_invalid", "A time is not a date and time with an offset, such as 2026-01-31T08:00:00Z.")
