"""The one place that reads time. Everything else is handed a ``Clock``."""

from __future__ import annotations

import time
from typing import Protocol

__all__ = ["DAY_MS", "Clock", "ManualClock", "SystemClock", "day_of", "end_of_day_ms", "start_of_day_ms"]

DAY_MS = 24 * 3600 * 1000
_OFFSET_MS = 8 * 3600 * 1000  # CON-8: days are calendar days at UTC+8


class Clock(Protocol):
    """Wall time and a clock that only moves forward, suspend included (CLOCK_BOOTTIME)."""

    def now_ms(self) -> int:
        """Milliseconds UTC since 1970."""

    def boot_ms(self) -> int:
        """Milliseconds since some fixed moment; never steps back, counts while suspended."""

    def boot_us(self) -> int:
        """As :meth:`boot_ms`, in microseconds: for showing how long something took."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def boot_ms(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000_000

    def boot_us(self) -> int:
        return time.clock_gettime_ns(time.CLOCK_BOOTTIME) // 1_000


class ManualClock:
    """A clock that moves only when told to; for tests and simulations."""

    def __init__(self, now_ms: int = 1_790_000_000_000) -> None:
        self._now_ms = now_ms

    def now_ms(self) -> int:
        return self._now_ms

    def boot_ms(self) -> int:
        return self._now_ms

    def boot_us(self) -> int:
        return self._now_ms * 1_000

    def advance(self, delta_ms: int) -> None:
        """Move forward by ``delta_ms`` (may be negative to play a clock that was set back)."""
        self._now_ms += delta_ms


def day_of(time_ms: int) -> str:
    """Calendar day at UTC+8 as ``YYYY-MM-DD`` (CON-8, B2). Pure arithmetic: usable in rules."""
    days = (time_ms + _OFFSET_MS) // DAY_MS
    # Civil-from-days, Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms".
    z = days + 719_468
    era = z // 146_097
    doe = z - era * 146_097
    yoe = (doe - doe // 1460 + doe // 36_524 - doe // 146_096) // 365
    doy = doe - (365 * yoe + yoe // 4 - yoe // 100)
    mp = (5 * doy + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = yoe + era * 400 + (1 if month <= 2 else 0)
    return f"{year:04d}-{month:02d}-{doy - (153 * mp + 2) // 5 + 1:02d}"


def start_of_day_ms(day: str) -> int:
    """First millisecond of ``day`` at UTC+8. ``day`` must be ``ids.Day``-shaped."""
    year, month, dom = int(day[0:4]), int(day[5:7]), int(day[8:10])
    y = year - 1 if month <= 2 else year
    era = y // 400
    yoe = y - era * 400
    doy = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + dom - 1
    doe = yoe * 365 + yoe // 4 - yoe // 100 + doy
    return (era * 146_097 + doe - 719_468) * DAY_MS - _OFFSET_MS


def end_of_day_ms(day: str) -> int:
    """Last millisecond of ``day`` at UTC+8 (B2)."""
    return start_of_day_ms(day) + DAY_MS - 1
