"""Ledger rules of task contracts (TASK-1)."""

from __future__ import annotations

from lianzheng.compute.datasets.model import dataset_record
from lianzheng.compute.datasets.rules import require_sorted
from lianzheng.compute.model import dataset_of, view_parts
from lianzheng.compute.tasks.model import (
    ApprovalRecord,
    ReportRecord,
    TaskApprove,
    TaskCancel,
    TaskClose,
    TaskContract,
    TaskPropose,
    TaskRecord,
    TaskRefuse,
    TaskReport,
    approval_key,
    approval_record,
    report_key,
    report_record,
    task_key,
    task_record,
)
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import ConflictError, RefusedError
from lianzheng.governance.incidents.model import require_not_contained
from lianzheng.governance.points.model import quota_limit
from lianzheng.ledger.context import BlockContext, Effects, RuleSpec, Sender, StateView
from lianzheng.ledger.transaction import TransactionBody, transaction_id
from lianzheng.limits import DISPUTE_WINDOW_DAYS, TASK_MS_MAX
from lianzheng.registry import FUNCTIONS, PURPOSES, Purpose

__all__ = ["RULES"]

_DAY_MS = 24 * 3600 * 1000


def _check_registry(contract: TaskContract) -> Purpose:
    function = FUNCTIONS.get(contract.function)
    if function is None or function.version != contract.function_version:
        raise RefusedError("function_unknown", "The function or its version is not in the registry.")
    purpose = PURPOSES.get(contract.purpose)
    if purpose is None:
        raise RefusedError("purpose_unknown", "The purpose is not in the registry.")
    if contract.function not in purpose.functions:
        raise RefusedError("purpose_function", "The purpose does not allow this function.")
    if contract.function != "hidden-query":
        raise RefusedError("function_unavailable", "This function does not run on tasks of this schema yet.")
    if contract.parameters:
        raise RefusedError("task_parameters_invalid", "A hidden query has no parameters.")
    return purpose


def _check_parties(contract: TaskContract, sender: Sender, block: BlockContext) -> None:
    require_sorted(contract.providers, "providers")
    if contract.requester != sender.name:
        raise RefusedError("task_requester_mismatch", "A task is proposed by its requester.")
    if contract.requester in contract.providers:
        raise RefusedError("task_self_provider", "The requester cannot be its own provider.")
    if contract.receiver != contract.requester:
        raise RefusedError("task_receiver_invalid", "A hidden query answers its requester only.")
    groups = []
    for did in (contract.requester, *contract.providers):
        member = block.members.get(did)
        if member is None or not member.active:
            raise RefusedError("member_inactive", "A party is not an active member.")
        if member.control_group not in groups:
            groups.append(member.control_group)
    if len(groups) < FUNCTIONS[contract.function].groups_min:
        raise RefusedError("task_groups_few", "The function needs parties from more control groups (CON-7).")


def _check_views(state: StateView, contract: TaskContract, purpose: Purpose) -> None:
    require_sorted(contract.views, "views")
    owners = []
    for view in contract.views:
        dataset = dataset_record(state, dataset_of(view))
        if dataset.status != "published":
            raise RefusedError("dataset_withdrawn", "A dataset of the task was withdrawn.")
        if view not in dataset.views:
            raise RefusedError("view_unknown", "A dataset does not offer a view of the task.")
        if contract.purpose not in dataset.purposes or view_parts(view)[1] not in purpose.bundles:
            raise RefusedError("purpose_not_allowed", "A view may not be asked for under this purpose.")
        if contract.function not in dataset.functions:
            raise RefusedError("function_not_allowed", "A dataset's policy does not allow this function.")
        if dataset.owner not in owners:
            owners.append(dataset.owner)
    if sorted(owners) != list(contract.providers):
        raise RefusedError("task_providers_mismatch", "The providers are not exactly the owners of the views.")


def _check_standing(state: StateView, contract: TaskContract) -> None:
    require_not_contained(state, "function", contract.function)
    for view in contract.views:
        require_not_contained(state, "dataset", dataset_of(view))
    limit = quota_limit(state, contract.requester)
    if limit is not None and contract.quota > limit:
        raise RefusedError(
            "points_low",
            "The requester's points allow smaller tasks only.",
            next_step="Ask with a smaller quota, or offer data and reports until the next settlement.",
        )


def _propose(
    state: StateView, sender: Sender, payload: TaskPropose, body: TransactionBody, block: BlockContext
) -> Effects:
    """A contract that each named provider may approve; its id is this transaction's id.

    Refuses ``function_unknown``, ``function_unavailable``, ``purpose_unknown``, ``purpose_function``,
    ``task_parameters_invalid``, ``task_requester_mismatch``, ``task_self_provider``, ``task_receiver_invalid``,
    ``member_inactive``, ``task_groups_few``, ``list_not_sorted``, ``dataset_unknown``, ``dataset_withdrawn``,
    ``view_unknown``, ``purpose_not_allowed``, ``function_not_allowed``, ``task_providers_mismatch``, ``task_expired``,
    ``task_expiry_far``, ``contained``, ``points_low``.
    """
    contract = payload.contract
    purpose = _check_registry(contract)
    _check_parties(contract, sender, block)
    _check_views(state, contract, purpose)
    _check_standing(state, contract)
    if contract.expires_ms <= block.time_ms:
        raise RefusedError("task_expired", "The contract would have expired before it is proposed.")
    if contract.expires_ms > block.time_ms + TASK_MS_MAX:
        raise RefusedError("task_expiry_far", "A contract lasts at most one year.")
    task = transaction_id(body)
    record = TaskRecord(
        version=1, contract=contract, status="proposed", proposed_ms=block.time_ms, time_ms=block.time_ms
    )
    return Effects(
        writes=((task_key(task), record.to_json()),),
        events=({"type": "task.proposed", "task": b64u_encode(task)},),
        data={"task": b64u_encode(task)},
    )


def _require_undecided(state: StateView, sender: Sender, task: bytes, block: BlockContext) -> None:
    record = task_record(state, task)
    if sender.name not in record.contract.providers:
        raise RefusedError("task_not_provider", "Only a provider that the contract names decides.")
    if record.status != "proposed":
        raise ConflictError("task_ended", "The task was cancelled or closed.")
    if record.contract.expires_ms <= block.time_ms:
        raise RefusedError("task_expired", "The contract has expired.")
    if approval_record(state, task, sender.name) is not None:
        raise ConflictError("task_already_decided", "This provider has decided before.")


def _approve(
    state: StateView, sender: Sender, payload: TaskApprove, body: TransactionBody, block: BlockContext
) -> Effects:
    """The provider will answer under this contract.

    Refuses ``task_unknown``, ``task_not_provider``, ``task_ended``, ``task_expired``, ``task_already_decided``.
    """
    _require_undecided(state, sender, payload.task, block)
    return _decision(
        sender, payload.task, ApprovalRecord(version=1, decision="approved", reason=None, time_ms=block.time_ms)
    )


def _refuse(
    state: StateView, sender: Sender, payload: TaskRefuse, body: TransactionBody, block: BlockContext
) -> Effects:
    """The provider will not answer under this contract; the other providers may. Refuses as ``task.approve``."""
    _require_undecided(state, sender, payload.task, block)
    return _decision(
        sender,
        payload.task,
        ApprovalRecord(version=1, decision="refused", reason=payload.reason, time_ms=block.time_ms),
    )


def _decision(sender: Sender, task: bytes, record: ApprovalRecord) -> Effects:
    return Effects(
        writes=((approval_key(task, sender.name), record.to_json()),),
        events=({"type": f"task.{record.decision}", "task": b64u_encode(task), "provider": sender.name},),
    )


def _report(
    state: StateView, sender: Sender, payload: TaskReport, body: TransactionBody, block: BlockContext
) -> Effects:
    """The provider's counts and root so far; a later report may only grow (GATE-10).

    Refuses ``task_unknown``, ``task_not_approved``, ``task_ended`` (closed), ``report_counts_invalid``,
    ``report_decreasing``.
    """
    record = task_record(state, payload.task)
    approval = approval_record(state, payload.task, sender.name)
    if approval is None or approval.decision != "approved":
        raise RefusedError("task_not_approved", "Only a provider that approved the task reports on it.")
    if record.status == "closed":
        raise ConflictError("task_ended", "The task is closed.")
    counts = payload.counts
    if not counts.consents <= counts.uses <= record.contract.quota or (counts.uses > 0) != (counts.requests > 0):
        raise RefusedError("report_counts_invalid", "The counts contradict each other or the quota.")
    before = report_record(state, payload.task, sender.name)
    if before is not None and (
        counts.requests < before.counts.requests
        or counts.uses < before.counts.uses
        or counts.consents < before.counts.consents
    ):
        raise RefusedError("report_decreasing", "A later report has smaller counts.")
    version = 1 if before is None else before.version + 1
    after = ReportRecord(version=version, counts=counts, root=payload.root, time_ms=block.time_ms)
    return Effects(
        writes=((report_key(payload.task, sender.name), after.to_json()),),
        events=({"type": "task.reported", "task": b64u_encode(payload.task), "provider": sender.name},),
    )


def _require_requester(state: StateView, sender: Sender, task: bytes) -> TaskRecord:
    record = task_record(state, task)
    if record.contract.requester != sender.name:
        raise RefusedError("task_not_requester", "Only the requester ends its task.")
    return record


def _cancel(
    state: StateView, sender: Sender, payload: TaskCancel, body: TransactionBody, block: BlockContext
) -> Effects:
    """No more answers under this contract. Refuses ``task_unknown``, ``task_not_requester``, ``task_ended``."""
    record = _require_requester(state, sender, payload.task)
    if record.status != "proposed":
        raise ConflictError("task_ended", "The task was cancelled or closed before.")
    return _ended(payload.task, record, "cancelled", block)


def _close(state: StateView, sender: Sender, payload: TaskClose, body: TransactionBody, block: BlockContext) -> Effects:
    """The task is over and its reports final.

    Refuses ``task_unknown``, ``task_not_requester``, ``task_ended``, and ``task_report_missing`` while a provider that
    approved has not reported, until the dispute window after the expiry is over.
    """
    record = _require_requester(state, sender, payload.task)
    if record.status == "closed":
        raise ConflictError("task_ended", "The task was closed before.")
    overdue = block.time_ms > record.contract.expires_ms + DISPUTE_WINDOW_DAYS * _DAY_MS
    for provider in record.contract.providers:
        approval = approval_record(state, payload.task, provider)
        approved = approval is not None and approval.decision == "approved"
        if approved and not overdue and report_record(state, payload.task, provider) is None:
            raise RefusedError("task_report_missing", "A provider that approved the task has not reported yet.")
    return _ended(payload.task, record, "closed", block)


def _ended(task: bytes, record: TaskRecord, status: str, block: BlockContext) -> Effects:
    after = record.model_copy(update={"version": record.version + 1, "status": status, "time_ms": block.time_ms})
    return Effects(
        writes=((task_key(task), after.to_json()),),
        events=({"type": f"task.{status}", "task": b64u_encode(task)},),
    )


RULES: tuple[RuleSpec, ...] = (
    RuleSpec("task.propose", TaskPropose, _propose),
    RuleSpec("task.approve", TaskApprove, _approve),
    RuleSpec("task.refuse", TaskRefuse, _refuse),
    RuleSpec("task.report", TaskReport, _report),
    RuleSpec("task.cancel", TaskCancel, _cancel),
    RuleSpec("task.close", TaskClose, _close),
)
