"""What status lists need from outside."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

__all__ = ["IssuedEntry", "StatusFetcher", "StatusStore", "StoredList"]


@dataclass(frozen=True)
class StoredList:
    """One list of this issuer: its bits now, what was published of it, and what is about to be."""

    name: str
    purpose: str
    url: str
    bits: bytes
    changes: int
    """Counts the flips; a document made at fewer is not the newest."""
    published: bytes | None
    """RFC 8785 bytes of the signed list that the ledger names."""
    published_changes: int
    pending: bytes | None
    """Those of the next one, made durable before its digest is sent."""
    pending_changes: int


@dataclass(frozen=True)
class IssuedEntry:
    """One entry of a credential that this issuer issued."""

    credential_id: str
    name: str
    index: int
    purpose: str


class StatusStore(Protocol):
    """Durable lists and entries; what a method changes is durable when it returns."""

    async def open_list(self, purpose: str) -> StoredList | None:
        """The newest list of a purpose, or None."""

    async def add_list(self, name: str, purpose: str, url: str, bits: bytes) -> None:
        """A list without entries; a name that is there already is left alone."""

    async def load_list(self, name: str) -> StoredList:
        """Raises ``NotFoundError`` ``status_list_unknown``."""

    async def names(self) -> tuple[str, ...]:
        """Names of all lists, sorted."""

    async def used(self, name: str) -> int:
        """How many entries of a list are taken."""

    async def take_index(self, name: str, credential_id: str, entries_max: int) -> int:
        """A free index below ``entries_max``, drawn at random and taken for good.

        Raises ``ConflictError`` ``status_list_full``.
        """

    async def entries_of(self, credential_id: str) -> tuple[IssuedEntry, ...]:
        """Entries of a credential; empty for one that was not issued here."""

    async def flip(self, entry: IssuedEntry, value: bool) -> bool:
        """Set or clear the entry's bit; whether that changed anything."""

    async def set_pending(self, name: str, document: bytes, changes: int) -> None:
        """``document`` is about to be published."""

    async def promote(self, name: str) -> None:
        """The pending document is the published one."""

    async def add_issued(self, credential_id: str, kind: str, subject: str, digest: bytes, time_ms: int) -> None:
        """Note that a credential was issued: what it was and about whom, not what it says.

        Raises ``ConflictError`` ``credential_exists``.
        """


class StatusFetcher(Protocol):
    """Brings lists of others."""

    async def fetch(self, issuer: str, name: str, url: str) -> bytes:
        """The list ``name`` of a member, or where ``issuer`` is none, what stands at ``url``.

        Raises ``NotFoundError``, ``UnavailableError``; ``FormatError`` ``answer_too_large``, ``too_large``.
        """
