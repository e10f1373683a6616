"""Whether a follower's head is recent enough to answer on (GATE-4, embedded)."""

from __future__ import annotations

from lianzheng.adapters.consensus.faults import ledger_stale
from lianzheng.clock import Clock
from lianzheng.ledger.block import SignedHead, head_hash
from lianzheng.limits import HEAD_FRESH_MS

__all__ = ["Freshness"]


class Freshness:
    """The sequencer's last answer and the highest signed head that any member showed."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._asked_ms: int | None = None
        self._required: SignedHead | None = None

    @property
    def required_height(self) -> int:
        """The height that this node must have reached."""
        return 0 if self._required is None else self._required.head.height

    def note_sequencer(self, asked_ms: int) -> None:
        """The sequencer answered the nonce sent at ``asked_ms`` of the boot clock."""
        self._asked_ms = asked_ms if self._asked_ms is None else max(asked_ms, self._asked_ms)

    def note_head(self, head: SignedHead | None) -> None:
        """A member showed this head, signed by the sequencer."""
        if head is not None and head.head.height > self.required_height:
            self._required = head

    def conflicts(self, height: int, applied: bytes) -> SignedHead | None:
        """The shown head, if it is of ``height`` and another than the applied one."""
        shown = self._required
        if shown is not None and shown.head.height == height and head_hash(shown.head) != applied:
            return shown
        return None

    def check(self, height: int) -> None:
        """Return only if the sequencer was heard within 60 s and ``height`` is not behind what was shown.

        The 60 s run from *sending* the nonce, by a clock that counts while suspended. Raises
        ``UnavailableError`` ``ledger_stale``.
        """
        if self._asked_ms is None or self._clock.boot_ms() - self._asked_ms > HEAD_FRESH_MS:
            raise ledger_stale("The sequencer has not confirmed its head within the last minute.")
        if height < self.required_height:
            raise ledger_stale("This node has not yet reached the head that another member showed.")
