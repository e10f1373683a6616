"""Whether this member's engine should make blocks and does not: its connections may be dead, and nothing tells it so.

Behind a lost route TCP sends again after pauses that double, and the engine, blocked in a write, misses the end of
its own ping: an outage of two minutes was seen to cost two more after it had ended. Members' nodes ask each other over
connections of their own (GATE-4), and what they hear decides. An engine that is started again connects anew at once.
"""

from __future__ import annotations

from lianzheng.clock import Clock
from lianzheng.limits import ENGINE_STALL_AGAIN_MS, ENGINE_STALL_MS

__all__ = ["StallWatch"]


class StallWatch:
    """How long a block has been due while members with more than 2/3 of the power could be reached."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._height = -1
        self._since_ms = 0
        self._again_ms = 0

    def stalled(self, height: int, due: bool) -> bool:
        """True once a block has been ``due`` for ``ENGINE_STALL_MS`` and none came; then not for a while.

        ``due`` says that one is expected *and* that enough members answered just now.
        """
        now_ms = self._clock.boot_ms()
        if not due or height != self._height:
            self._height, self._since_ms = height, now_ms
            return False
        if now_ms - self._since_ms < ENGINE_STALL_MS or now_ms < self._again_ms:
            return False
        self._again_ms = now_ms + ENGINE_STALL_AGAIN_MS
        return True
