"""What identity needs from outside."""

from __future__ import annotations

from typing import Protocol

from lianzheng.ledger.context import StateView

__all__ = ["CustomerDirectory", "EnrolmentStore", "LedgerReader", "WebFetcher"]


class LedgerReader(Protocol):
    """The committed state and time of this node's head; every ``LedgerEngine`` is one."""

    @property
    def state(self) -> StateView: ...

    def now_block_ms(self) -> int: ...


class CustomerDirectory(Protocol):
    """The member's own customers, looked up by document."""

    async def find_customer(self, idnorm: bytes) -> str | None:
        """The member's client reference of the person, or None."""


class EnrolmentStore(Protocol):
    """Durable records of enrolment."""

    async def add_challenge(self, nonce: bytes, did: str, expires_ms: int, now_ms: int) -> None:
        """Keep a nonce for one DID. Raises ``UnavailableError`` ``rate_limited`` where too many are open."""

    async def take_challenge(self, nonce: bytes, did: str, now_ms: int) -> None:
        """Use a nonce up, atomically. Raises ``RefusedError`` ``enrolment_nonce_unknown`` (foreign, used, expired)."""

    async def claim_holder(self, holder: bytes, element: bytes, did: str, time_ms: int) -> None:
        """Tie V to U for good, atomically; the same pair again is fine.

        Raises ``ConflictError`` ``holder_key_reused`` where V stands with another U (ID-7).
        """

    async def add_issued(self, did: str, period: int, client_reference: str, credential: bytes, time_ms: int) -> None:
        """Note what was issued to whom."""


class WebFetcher(Protocol):
    """Documents of others from the web, over https and from public addresses only."""

    async def fetch(self, url: str) -> bytes:
        """The body, of bounded size, within bounded time.

        Raises ``NotFoundError`` ``did_unknown`` (404, 410, no such host); ``RefusedError`` ``fetch_forbidden`` (where
        the URL or a redirect leads); ``UnavailableError`` ``fetch_failed``; ``FormatError`` ``too_large``.
        """
