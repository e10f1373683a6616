"""Reading member records out of any state, for the rules' block context and for services."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.incidents.model import contained_key
from lianzheng.governance.model import MemberRecord, member_key
from lianzheng.ledger.context import MemberView, StateView

__all__ = ["StateMembers", "all_members", "member_of"]


def member_of(state: StateView, did: str) -> MemberRecord | None:
    """The member with this DID in ``state``, or None."""
    value = state.get(member_key(did))
    return None if value is None else MemberRecord.from_json(value)


def all_members(state: StateView) -> tuple[MemberRecord, ...]:
    """Every member in ``state``, in the order of DIDs."""
    return tuple(MemberRecord.from_json(value) for _, value in state.scan("member/"))


class StateMembers:
    """The member set as lower slices may see it (``MembersView``)."""

    def __init__(self, state: StateView) -> None:
        self._state = state

    def get(self, did: str) -> MemberView | None:
        """The member with this DID, or None."""
        value = self._state.get(member_key(did))
        return None if value is None else self._view(value)

    def all(self) -> tuple[MemberView, ...]:
        """Every member, in the order of DIDs."""
        return tuple(self._view(value) for _, value in self._state.scan("member/"))

    def _view(self, value: JsonObject) -> MemberView:
        contained = self._state.get(contained_key("member", value["did"])) is not None
        return MemberView(value["did"], value["phase"], value["control_group"], contained)
