"""A listener does not wait for ever: who connects and says nothing, or says it a byte at a time, is hung up on.

uvicorn has a time for idle connections between requests alone. Without these two a stranger holds as many connections
as the process may have files, at no cost, and with them the ledger's and the database's.
"""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from lianzheng.limits import HTTP_BODY_PAUSE_SECONDS_MAX, HTTP_HEAD_SECONDS_MAX

__all__ = ["PatientProtocol"]


class PatientProtocol(H11Protocol):
    """A request's head comes whole within its time, its body without a longer pause; an answer may take any time."""

    head_seconds: float = HTTP_HEAD_SECONDS_MAX
    pause_seconds: float = HTTP_BODY_PAUSE_SECONDS_MAX
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """The first head is awaited from here on."""
        super().connection_made(transport)
        self._start(self.head_seconds)

    def data_received(self, data: bytes) -> None:
        """A head's time runs from its first byte and is not prolonged by others; a body's pause ends with each."""
        super().data_received(data)
        if self.conn.their_state is h11.SEND_BODY:
            self._stop()
            self._start(self.pause_seconds)
        elif self.conn.their_state is not h11.IDLE:
            self._stop()  # the request is here
        elif self._deadline is None:
            self._start(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop()
        super().connection_lost(exc)

    def _start(self, seconds: float) -> None:
        self._deadline = self.loop.call_later(seconds, self._expire)

    def _stop(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _expire(self) -> None:
        self._deadline = None
        if self.flow.read_paused:  # it is we who do not read
            self._start(self.pause_seconds)
        else:
            self.transport.abort()
