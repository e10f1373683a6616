"""What becomes of a question once sent: answered, surely not counted, or open until its bytes are repeated (GATE-8)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lianzheng.clock import Clock
from lianzheng.compute.gate.model import GateCall, ViewEpoch
from lianzheng.compute.ports import Ask, AskStore
from lianzheng.errors import FormatError, LianzhengError, RefusedError, UnavailableError, VerificationError
from lianzheng.limits import REQUEST_SKEW_MS

__all__ = ["AskBook"]

_REPEATABLE_MS = REQUEST_SKEW_MS // 2
"""An older request is not sent again: the provider's clock may differ by the other half."""
_UNHEARD = frozenset({"peer_unreachable", "peer_failed", "answer_too_large"})
"""After these nobody knows whether the provider has counted; every other refusal says that it has not, this time."""
_PASSING = frozenset({"consent_paused"})
"""Refusals that may pass while the request can still be repeated."""


class AskBook:
    """The requester's open questions; without a store nothing is kept and nothing repeated."""

    def __init__(self, store: AskStore | None, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._on_way: set[bytes] = set()

    async def lost(self, task: bytes, cid: bytes, views: Sequence[ViewEpoch]) -> Ask | None:
        """The open question for exactly this use, if its bytes may be sent again. One on its way is left alone."""
        if self._store is None:
            return None
        for ask in await self._store.open_for(task, cid):
            same = GateCall.from_bytes(ask.call).request.views == tuple(views)
            if same and ask.request_hash not in self._on_way and self._fresh(ask):
                return ask
        return None

    async def keep(self, asks: Sequence[Ask]) -> None:
        """Durable before they are sent."""
        if self._store is not None:
            await self._store.keep(asks)

    async def check_repeatable(self, ask: Ask) -> None:
        """Raises ``UnavailableError`` ``ask_on_way``; ``RefusedError`` ``request_time_skew``, and then it is closed."""
        if ask.request_hash in self._on_way:
            raise UnavailableError("ask_on_way", "This question is being asked right now.")
        if not self._fresh(ask):
            error = RefusedError("request_time_skew", "The request is too old to be sent again.")
            await self.refused(ask, error, again=True)
            raise error

    @contextmanager
    def on_way(self, asks: Sequence[Ask]) -> Iterator[None]:
        """While these are sent and answered nobody else repeats them."""
        names = {ask.request_hash for ask in asks}
        self._on_way |= names
        try:
            yield
        finally:
            self._on_way -= names

    async def refused(self, ask: Ask, error: LianzhengError, again: bool) -> None:
        """The provider said ``error``. A first try was not counted then; an earlier one of a repeat may have been."""
        if self._store is None or error.code in _UNHEARD:
            return
        if not again:
            await self._store.drop(ask.request_hash)
        elif not isinstance(error, UnavailableError) and error.code not in _PASSING:
            await self._store.close(ask.request_hash, error.code)

    async def answered_wrongly(self, ask: Ask, error: LianzhengError) -> None:
        """The provider's answer proves nothing: the request is kept, no repeat would better it."""
        if self._store is not None and isinstance(error, FormatError | VerificationError):
            await self._store.close(ask.request_hash, error.code)

    def _fresh(self, ask: Ask) -> bool:
        return abs(self._clock.now_ms() - ask.time_ms) < _REPEATABLE_MS
