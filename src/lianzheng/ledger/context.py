"""What a rule may see and what it may answer (LED-1): state, sender, block; effects or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lianzheng.clock import day_of
from lianzheng.encoding.canonical import JsonObject, JsonValue
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.limits import CREDENTIAL_PERIOD_MS

__all__ = ["BlockContext", "Effects", "MemberView", "MembersView", "Rule", "Sender", "StateView"]


class StateView(Protocol):
    """Read access to the ledger's state: text keys, plain JSON objects as values. Never modify a returned value."""

    def get(self, key: str) -> JsonObject | None:
        """The value at ``key``, or None."""

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        """All entries whose key starts with ``prefix``, in the order of the keys' bytes."""


@dataclass(frozen=True, slots=True)
class MemberView:
    """What lower slices may know of a member."""

    did: str
    phase: str
    control_group: str

    @property
    def active(self) -> bool:
        """Whether the member may act and be relied on."""
        return self.phase == "active"


class MembersView(Protocol):
    """The member set at this block, for slices below governance."""

    def get(self, did: str) -> MemberView | None:
        """The member with this DID, or None."""

    def all(self) -> tuple[MemberView, ...]:
        """Every member, in the order of DIDs."""


@dataclass(frozen=True, slots=True)
class Sender:
    """The authenticated sender: ``role`` is ``member``, ``person`` or ``consent_key``."""

    name: str
    key_id: str
    role: str


@dataclass(frozen=True, slots=True)
class BlockContext:
    """A rule's only notions of place and time."""

    chain_id: str
    height: int
    time_ms: int
    genesis_time_ms: int
    members: MembersView
    log_size: int = 0
    """Entries in the evidence log before this transaction: the index of the first entry that it adds."""

    @property
    def day(self) -> str:
        """Calendar day at UTC+8 of this block."""
        return day_of(self.time_ms)

    @property
    def credential_period(self) -> int:
        """Index of the credential period (ID-7, B13)."""
        return (self.time_ms - self.genesis_time_ms) // CREDENTIAL_PERIOD_MS


@dataclass(frozen=True, slots=True)
class Effects:
    """What an accepted transaction does. All of it is applied, or none (LED-4)."""

    writes: tuple[tuple[str, JsonObject | None], ...] = ()
    """Key and new value; None deletes."""
    log: tuple[bytes, ...] = ()
    """Entries for the evidence log."""
    events: tuple[JsonObject, ...] = ()
    """For subscribers: ``{"type": ..., ...}``; no part of the application hash."""
    data: JsonValue = None
    """Result data (B7)."""


@dataclass(frozen=True, slots=True)
class RuleSpec:
    """One kind of transaction: its payload type and its rule."""

    kind: str
    payload: type[Any]
    rule: Rule
    ordered: bool = False
    """True where the payload carries ``prev`` (or the kind is final) and the nonce must be null (LED-3, B6)."""


Rule = Callable[[StateView, Sender, Any, TransactionBody, BlockContext], Effects]
"""``(state, sender, payload, body, block) -> Effects``; the code of a ``LianzhengError`` raised is the result."""
