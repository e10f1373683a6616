"""Applications, security assessments, and the payloads that move a member from phase to phase.

::

    member.apply ─> applied ─ both assessments ─> assessed ─ motion ─> admitted ─ agreement.sign ─> active
    active <─ motion ─> suspended;  active | suspended ─ member.leave ─> leaving ─ notice over ─> left
    anything from admitted on ─ motion ─> expelled;  left | expelled ─ member.apply ─> applied
"""

from __future__ import annotations

from typing import Literal

from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Bytes64, Day, Natural, Record, TimeMs
from lianzheng.governance.groups import GroupName
from lianzheng.ids import Did
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import GenesisMember

__all__ = [
    "ASSESSMENTS",
    "Application",
    "AssessmentKind",
    "AssessmentRecord",
    "GroupVoice",
    "MemberApply",
    "MemberAssess",
    "MemberLeave",
    "MemberMotion",
    "MemberRegroup",
    "application_bytes",
    "assessment_key",
    "assessment_of",
]

AssessmentKind = Literal["institution", "technology"]
ASSESSMENTS: tuple[AssessmentKind, ...] = ("institution", "technology")
"""Both are needed before a vote, and both are renewed before they end."""


class Application(GenesisMember):
    """What an institution applies with: all that genesis says of a founder, and the network that it applies to."""

    network: str
    agreement: Bytes32
    """Digest of the alliance agreement that it has read."""
    materials: Bytes32
    """SHA-256 of its papers, which stay with the members that examine them."""


class MemberApply(Record):
    """``member.apply`` by an active member that brings the application in: only members reach the ledger's door."""

    application: Application
    signature: Bytes64
    """By the ``#node`` key of the applicant's DID over :func:`application_bytes`."""


class MemberAssess(Record):
    """``member.assess`` by an active member of another control group than the assessed one."""

    member: Did
    kind: AssessmentKind
    report: Bytes32
    """SHA-256 of the assessment's report."""
    assessed_on: Day
    passed: bool


class AssessmentRecord(Record):
    """The latest assessment of its kind (state ``assessment/<did>/<kind>``)."""

    version: Natural
    member: Did
    kind: AssessmentKind
    report: Bytes32
    assessed_on: Day
    assessor: Did
    passed: bool
    until_ms: TimeMs
    """It stands up to this block time."""


class MemberMotion(Record):
    """``member.suspend``, ``member.reinstate``, ``member.expel``: a motion about another member."""

    member: Did
    reason: Bytes32
    """SHA-256 of the paper that gives the reason."""


class MemberRegroup(Record):
    """``member.regroup``: a motion that a member stands under another controlling shareholder (CON-7)."""

    member: Did
    control_group: GroupName
    reason: Bytes32


class MemberLeave(Record):
    """``member.leave`` by the leaving member: notice first, ``finish`` when the notice is over."""

    step: Literal["notice", "finish"]
    plan: Bytes32
    """SHA-256 of the paper on what becomes of results and data."""


class GroupVoice(Record):
    """``group.voice``: the present voice of a control group hands it to a sister (B35)."""

    voice: Did


def application_bytes(application: Application) -> bytes:
    """What the applicant signs."""
    return tagged("member-application", application.to_bytes())


def assessment_key(did: str, kind: str) -> str:
    """State key."""
    return f"assessment/{did}/{kind}"


def assessment_of(state: StateView, did: str, kind: AssessmentKind) -> AssessmentRecord | None:
    """The latest assessment of this kind, or None."""
    value = state.get(assessment_key(did, kind))
    return None if value is None else AssessmentRecord.from_json(value)
