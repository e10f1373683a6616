"""What the requester's and the nodes' side of consent need from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from lianzheng.consent.model import Grant
from lianzheng.ledger.ports import Receipt
from lianzheng.ledger.transaction import Transaction

__all__ = [
    "ConsentStore",
    "CustomerIdentities",
    "RefusalStore",
    "RevocationRelay",
    "StoredConsent",
    "StoredToken",
    "TransactionPort",
    "TransactionSubmitter",
]


@dataclass(frozen=True, slots=True, repr=False)
class StoredToken:
    """A token as the requester keeps it. ``r`` is as good as the identity number; None once it is erased.

    ``state``: ``queued``, ``granted``, ``refused`` (``code`` says why) or ``revoked``.
    """

    cid: bytes
    consent_id: str
    provider: str
    token: bytes
    r: bytes | None
    grant: Grant
    state: str
    code: str
    queued_ms: int


@dataclass(frozen=True, slots=True, repr=False)
class StoredConsent:
    """A named consent as received. ``status``: ``active`` or ``withdrawn``."""

    consent_id: str
    client_reference: str
    subject: str
    document: bytes
    status: str
    received_ms: int


class CustomerIdentities(Protocol):
    """The member's own customers, looked up by client reference."""

    async def find_idnorm(self, client_reference: str) -> bytes | None:
        """``idnorm`` of the customer, or None."""


class ConsentStore(Protocol):
    """Durable consents and tokens of the requester."""

    async def add(self, consent: StoredConsent, tokens: Sequence[StoredToken]) -> None:
        """All of it, or nothing. Raises ``ConflictError`` ``consent_exists``."""

    async def consent(self, consent_id: str) -> StoredConsent | None:
        """One consent."""

    async def consents_of(self, client_reference: str) -> tuple[StoredConsent, ...]:
        """A customer's consents, oldest first."""

    async def tokens(self, consent_id: str) -> tuple[StoredToken, ...]:
        """The tokens of one consent, in the order of its providers."""

    async def token(self, cid: bytes) -> StoredToken | None:
        """One token."""

    async def queued(self, limit: int) -> tuple[StoredToken, ...]:
        """Tokens whose grants wait, oldest first."""

    async def held(self) -> tuple[bytes, ...]:
        """cids of all tokens that may still be used."""

    async def settle(self, codes: Mapping[bytes, str]) -> None:
        """Note the ledger's code for each cid: ``ok`` makes it granted, anything else refused."""

    async def withdraw(self, cids: Sequence[bytes], *, whole: str | None = None) -> None:
        """Mark tokens revoked and erase their r; with ``whole``, mark that consent withdrawn too."""


class RefusalStore(Protocol):
    """Durable set of cids that this node has seen revoked by their own key (AUTH-4)."""

    async def add_refusal(self, cid: bytes, transaction: bytes, time_ms: int) -> bool:
        """Durable when this returns; False where it was there already."""

    async def is_refused(self, cid: bytes) -> bool:
        """Whether the cid is refused here."""

    async def unposted(self, limit: int) -> tuple[tuple[bytes, bytes], ...]:
        """(cid, transaction) of revocations not yet known to stand on the ledger."""

    async def mark_posted(self, cid: bytes) -> None:
        """The ledger holds the revocation."""


class TransactionPort(Protocol):
    """Sends a member's own transactions; ``ledger.sender.TransactionSender`` is one."""

    async def send(self, kind: str, payload: Any, ordered: bool = False) -> Receipt:
        """Raises ``RefusedError`` with the result's code where it is not ``ok``, ``UnavailableError``."""


class TransactionSubmitter(Protocol):
    """Orders a finished transaction; every ``LedgerEngine`` is one."""

    async def submit(self, tx: Transaction) -> Receipt: ...


class RevocationRelay(Protocol):
    """Passes a revocation to all members (AUTH-4)."""

    async def pass_on(self, transaction: bytes) -> None:
        """Best effort; never raises for a member that cannot be reached."""
