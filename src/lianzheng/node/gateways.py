"""Small parts that the node itself brings: the peers' allowance and the members as rules see them, live."""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.clock import Clock
from lianzheng.governance.members import StateMembers
from lianzheng.ledger.context import MemberView, StateView

__all__ = ["LiveMembers", "TokenBucket"]

_MINUTE_US = 60_000_000


class TokenBucket:
    """``RateLimit``: a bucket per peer, refilled evenly, holding one minute's allowance."""

    def __init__(self, per_minute: int, clock: Clock) -> None:
        self._per_minute = per_minute
        self._clock = clock
        self._levels: dict[str, tuple[int, int]] = {}

    def take(self, peer: str) -> bool:
        """Take one request if the peer has one left."""
        now_us = self._clock.boot_us()
        # Levels are counted in shares of a request so that integers suffice.
        full = self._per_minute * _MINUTE_US
        level, seen_us = self._levels.get(peer, (full, now_us))
        level = min(full, level + (now_us - seen_us) * self._per_minute)
        enough = level >= _MINUTE_US
        self._levels[peer] = (level - _MINUTE_US if enough else level, now_us)
        return enough


class LiveMembers:
    """``MembersView`` of the head of the moment."""

    def __init__(self, state: Callable[[], StateView]) -> None:
        self._state = state

    def get(self, did: str) -> MemberView | None:
        """The member with this DID, or None."""
        return StateMembers(self._state()).get(did)

    def all(self) -> tuple[MemberView, ...]:
        """Every member, in the order of DIDs."""
        return StateMembers(self._state()).all()
