"""Task contracts (TASK-1) and what becomes of them on the ledger.

State: ``task/<id>`` → :class:`TaskRecord`; ``task/<id>/approval/<provider>`` → :class:`ApprovalRecord`;
``receipts/<id>/<provider>`` → :class:`ReportRecord`. The id is the transaction id of ``task.propose``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lianzheng.compute.model import Code, Positive
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, TimeMs
from lianzheng.errors import NotFoundError
from lianzheng.ids import Did, ViewId
from lianzheng.ledger.context import StateView
from lianzheng.limits import TASK_PROVIDERS_MAX, TASK_VIEWS_MAX

__all__ = [
    "TASK_DECISIONS",
    "ApprovalRecord",
    "ReportRecord",
    "TaskApprove",
    "TaskCancel",
    "TaskClose",
    "TaskContract",
    "TaskCounts",
    "TaskPropose",
    "TaskRecord",
    "TaskRefuse",
    "TaskReport",
    "approval_key",
    "approval_record",
    "report_key",
    "report_record",
    "task_key",
    "task_record",
]


TASK_DECISIONS = ("task.propose", "task.approve", "task.refuse", "task.cancel", "task.close")
"""Each can stand once: one contract, one decision of a provider, one end. A repeat is told of the first."""


class TaskContract(Record):
    """What the parties agree to compute."""

    v: Literal[1] = 1
    function: Code
    function_version: Positive
    requester: Did
    providers: Annotated[tuple[Did, ...], Seq, Field(min_length=1, max_length=TASK_PROVIDERS_MAX)]
    """Sorted."""
    views: Annotated[tuple[ViewId, ...], Seq, Field(min_length=1, max_length=TASK_VIEWS_MAX)]
    """Sorted; the datasets' owners are exactly the providers."""
    purpose: Code
    parameters: dict[str, Any]
    """Empty for a hidden query."""
    receiver: Did
    quota: Positive
    """Counted (cid, view, epoch) at each provider (B28)."""
    expires_ms: TimeMs
    impact_assessment: Bytes32
    """SHA-256 of the requester's impact assessment, which stays with it."""


class TaskPropose(Record):
    """``task.propose`` by the requester."""

    contract: TaskContract


class TaskApprove(Record):
    """``task.approve`` by a named provider."""

    task: Bytes32


class TaskRefuse(Record):
    """``task.refuse`` by a named provider; the reason is a code, never free text."""

    task: Bytes32
    reason: Literal["legal-basis", "impact-assessment", "purpose", "views", "quota", "capacity", "other"]


class TaskCounts(Record):
    """Counts of a provider's report (GATE-10)."""

    requests: Natural
    """Requests answered anew; repeats of the same bytes do not count."""
    uses: Natural
    """Counted (cid, view, epoch) under this task."""
    consents: Natural
    """Distinct cids: leaves under the root."""


class TaskReport(Record):
    """``task.report`` by an approved provider: counts and the root over ``H(tag ‖ task salt ‖ cid)`` (GATE-10, B26)."""

    task: Bytes32
    counts: TaskCounts
    root: Bytes32


class TaskCancel(Record):
    """``task.cancel`` by the requester: no more answers."""

    task: Bytes32


class TaskClose(Record):
    """``task.close`` by the requester, once the reports are in."""

    task: Bytes32


class TaskRecord(Record):
    """The task's state on the ledger."""

    version: Positive
    contract: TaskContract
    status: Literal["proposed", "cancelled", "closed"]
    """``proposed`` while the contract can run; each provider's decision stands apart."""
    proposed_ms: TimeMs
    time_ms: TimeMs


class ApprovalRecord(Record):
    """One provider's decision."""

    version: Positive
    decision: Literal["approved", "refused"]
    reason: str | None
    time_ms: TimeMs


class ReportRecord(Record):
    """One provider's latest report."""

    version: Positive
    counts: TaskCounts
    root: Bytes32
    time_ms: TimeMs


def task_key(task: bytes) -> str:
    """State key."""
    return f"task/{b64u_encode(task)}"


def approval_key(task: bytes, provider: str) -> str:
    """State key."""
    return f"task/{b64u_encode(task)}/approval/{provider}"


def report_key(task: bytes, provider: str) -> str:
    """State key."""
    return f"receipts/{b64u_encode(task)}/{provider}"


def task_record(state: StateView, task: bytes) -> TaskRecord:
    """The record of a task. Raises ``NotFoundError`` ``task_unknown``."""
    found = state.get(task_key(task))
    if found is None:
        raise NotFoundError("task_unknown", "No such task is on the ledger.")
    return TaskRecord.from_json(found)


def approval_record(state: StateView, task: bytes, provider: str) -> ApprovalRecord | None:
    """The provider's decision, or None."""
    found = state.get(approval_key(task, provider))
    return None if found is None else ApprovalRecord.from_json(found)


def report_record(state: StateView, task: bytes, provider: str) -> ReportRecord | None:
    """The provider's latest report, or None."""
    found = state.get(report_key(task, provider))
    return None if found is None else ReportRecord.from_json(found)
