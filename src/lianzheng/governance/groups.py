"""Control groups: who speaks for each, which of them decide, and in which order they came (CON-7, B35).

State ``group/<name>`` → :class:`GroupRecord`, written when the group's first member becomes active and kept for good.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lianzheng.encoding.model import Natural, Record
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.governance.members import all_members, member_of
from lianzheng.governance.model import MemberRecord
from lianzheng.ids import Did
from lianzheng.ledger.context import StateView, Write

__all__ = [
    "GroupName",
    "GroupRecord",
    "electorate",
    "group_key",
    "group_of",
    "group_writes",
    "require_voice",
    "voice_of",
]

GroupName = Annotated[str, StringConstraints(min_length=1, max_length=120)]


class GroupRecord(Record):
    """One control group."""

    version: Natural
    name: GroupName
    index: Annotated[int, Field(ge=1, le=2**31)]
    """Order of admission; the group's share index, never used again for another (B35)."""
    voice: Did | None
    """The member that the group names to vote; null: its active member with the lowest DID."""


def group_key(name: str) -> str:
    """State key."""
    return f"group/{name}"


def group_of(state: StateView, name: str) -> GroupRecord:
    """The group's record. Raises ``NotFoundError`` ``group_unknown`` before its first member is active."""
    value = state.get(group_key(name))
    if value is None:
        raise NotFoundError("group_unknown", "No member of this control group has been active.")
    return GroupRecord.from_json(value)


def group_writes(state: StateView, name: str) -> tuple[Write, ...]:
    """What admits the group if it is new: the next index."""
    if state.get(group_key(name)) is not None:
        return ()
    index = sum(1 for _ in state.scan("group/")) + 1
    record = GroupRecord(version=0, name=name, index=index, voice=None)
    return ((group_key(name), record.to_json()),)


def electorate(state: StateView, excluded: str | None = None) -> tuple[str, ...]:
    """Groups that have an active member, in the order of their names, without the one that is the motion's subject."""
    names = {member.control_group for member in all_members(state) if member.phase == "active"}
    return tuple(sorted(names - {excluded}))


def voice_of(state: StateView, name: str) -> str | None:
    """DID of the member that votes for the group now: the named one while it is active, else the lowest active DID."""
    active = [member.did for member in all_members(state) if member.control_group == name and member.phase == "active"]
    if not active:
        return None
    voice = group_of(state, name).voice
    return voice if voice in active else min(active)


def require_voice(state: StateView, sender: str) -> MemberRecord:
    """The sender's record, if it speaks for its group. Refuses ``member_unknown``, ``not_group_voice``."""
    member = member_of(state, sender)
    if member is None:
        raise RefusedError("member_unknown", "The sender is not a member.")
    if voice_of(state, member.control_group) != sender:
        raise RefusedError(
            "not_group_voice",
            "Another member speaks for the sender's control group.",
            next_step="Let that member send it, or let it name you with group.voice.",
        )
    return member
