"""``status.publish`` and what it leaves on the ledger: which status list of an issuer is the newest, by digest."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from lianzheng.encoding.model import Bytes32, Natural, Record
from lianzheng.ids import Did

__all__ = ["ListName", "StatusListRecord", "StatusPublish", "status_state_key"]

ListName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,40}$")]
"""The issuer's own name of a list, such as ``revocation-0``; says nothing about a person."""


class StatusPublish(Record):
    """Payload of ``status.publish``: version ``version`` of the sender's list has this digest."""

    name: ListName
    version: Annotated[int, Field(ge=1, le=2**53 - 1)]
    digest: Bytes32


class StatusListRecord(Record):
    """The newest version of one list; ``digest`` as of ``identity.status.lists.list_digest``."""

    issuer: Did
    name: ListName
    version: Natural
    digest: Bytes32
    published_ms: Natural


def status_state_key(issuer: str, name: str) -> str:
    """Where the newest version of an issuer's list stands in the ledger's state."""
    return f"status/{issuer}/{name}"
