"""What a rule may see and what it may answer (LED-1): state, sender, block; effects or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from lianzheng.clock import day_of
from lianzheng.encoding.canonical import JsonObject, JsonValue
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.limits import CREDENTIAL_PERIOD_MS

__all__ = [
    "BlockContext",
    "Effects",
    "MemberActivity",
    "MemberView",
    "MembersView",
    "Rule",
    "Sender",
    "StateView",
    "Write",
]


Write = tuple[str, JsonObject | None]
"""Key and new value; None deletes."""


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
    contained: bool = False
    """An incident has stopped it."""

    @property
    def active(self) -> bool:
        """Whether the member may act and be relied on."""
        return self.phase == "active" and not self.contained


class MembersView(Protocol):
    """The member set at this block, for slices below governance."""

    def get(self, did: str) -> MemberView | None:
        """The member with this DID, or None."""

    def all(self) -> tuple[MemberView, ...]:
        """Every member, in the order of DIDs."""


@dataclass(frozen=True, slots=True)
class MemberActivity:
    """What the state shows of a member's part in the work, for the settlement of points."""

    did: str
    active: bool
    dataset_days: tuple[str, ...]
    """Day of the data of each published dataset, in the order of their names."""
    indicators: int
    """Distinct indicators that its published datasets offer."""
    answered: tuple[tuple[str, int], ...]
    """Requester and counted uses reported so far since genesis, in the order of requesters."""
    reports_missing: int
    """Approved tasks past their dispute window without a report, since genesis."""


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
    activity: Callable[[], tuple[MemberActivity, ...]] = tuple
    """Every member's activity as of this block, in the order of DIDs: what governance may know of the slices above."""

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

    writes: tuple[Write, ...] = ()
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
    since: int = 1
    """The first schema that has this rule."""
    until: int | None = None
    """The first schema that no longer has it (LED-7): it stays for replay."""


Rule = Callable[[StateView, Sender, Any, TransactionBody, BlockContext], Effects]
"""``(state, sender, payload, body, block) -> Effects``; the code of a ``LianzhengError`` raised is the result."""
