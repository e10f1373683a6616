"""The member directory that other slices and the peer API ask (CON-7, GATE-1)."""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.encoding.binary import b64u_encode
from lianzheng.governance.members import all_members, member_of
from lianzheng.governance.model import REACHABLE, MemberRecord
from lianzheng.ledger.context import StateView

__all__ = ["MemberDirectory"]


class MemberDirectory:
    """Members as this node's head has them; nothing is cached, so an answer is never older than the state."""

    def __init__(self, state_provider: Callable[[], StateView]) -> None:
        self._state = state_provider

    def get(self, did: str) -> MemberRecord | None:
        """The member with this DID, or None."""
        return member_of(self._state(), did)

    def by_fingerprint(self, fingerprint: bytes) -> MemberRecord | None:
        """The member whose certificate's DER has this SHA-256, or None. Its phase is the caller's to judge."""
        wanted = b64u_encode(fingerprint)  # asked at every request between members: only the one found is decoded
        for _, value in self._state().scan("member/"):
            if value["fingerprint"] == wanted:
                return MemberRecord.from_json(value)
        return None

    def active(self) -> tuple[MemberRecord, ...]:
        """Members that may act and be relied on, in the order of DIDs."""
        return tuple(member for member in self.all() if member.phase == "active")

    def reachable(self) -> tuple[MemberRecord, ...]:
        """Members whose nodes are spoken to, in the order of DIDs."""
        return tuple(member for member in self.all() if member.phase in REACHABLE)

    def all(self) -> tuple[MemberRecord, ...]:
        """Every member, in the order of DIDs."""
        return all_members(self._state())

    def same_group(self, first: str, second: str) -> bool:
        """Whether both DIDs are of members under one control group (CON-7); a stranger is in no group."""
        one, other = self.get(first), self.get(second)
        return one is not None and other is not None and one.control_group == other.control_group
