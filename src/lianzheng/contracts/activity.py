"""Every member's part in the work, read from the slices above governance for the settlement of points (LED-1)."""

from __future__ import annotations

from collections import defaultdict

from lianzheng.clock import DAY_MS
from lianzheng.compute.datasets.model import DatasetRecord
from lianzheng.compute.model import view_parts
from lianzheng.compute.tasks.model import TaskRecord, approval_record, report_record
from lianzheng.encoding.binary import b64u_decode
from lianzheng.ledger.context import MemberActivity, MembersView, StateView
from lianzheng.limits import DISPUTE_WINDOW_DAYS
from lianzheng.registry import BUNDLES

__all__ = ["activity_of"]


def activity_of(state: StateView, members: MembersView, time_ms: int) -> tuple[MemberActivity, ...]:
    """The activity of all members at this block time, in the order of DIDs."""
    days: defaultdict[str, list[str]] = defaultdict(list)
    indicators: defaultdict[str, dict[str, None]] = defaultdict(dict)
    for _, value in state.scan("dataset/"):
        dataset = DatasetRecord.from_json(value)
        if dataset.status != "published":
            continue
        days[dataset.owner].append(dataset.as_of)
        for view in dataset.views:
            for code in BUNDLES[view_parts(view)[1]].indicators:
                indicators[dataset.owner][code] = None
    answered, missing = _reports(state, time_ms)
    return tuple(
        MemberActivity(
            did=member.did,
            active=member.active,
            dataset_days=tuple(days[member.did]),
            indicators=len(indicators[member.did]),
            answered=tuple(sorted(answered[member.did].items())),
            reports_missing=missing[member.did],
        )
        for member in members.all()
    )


def _reports(state: StateView, time_ms: int) -> tuple[defaultdict[str, defaultdict[str, int]], defaultdict[str, int]]:
    answered: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    missing: defaultdict[str, int] = defaultdict(int)
    for key, value in state.scan("task/"):
        if key.count("/") != 1:  # a provider's decision stands below its task
            continue
        task = TaskRecord.from_json(value)
        name = b64u_decode(key.removeprefix("task/"), 32)
        overdue = time_ms > task.contract.expires_ms + DISPUTE_WINDOW_DAYS * DAY_MS
        for provider in task.contract.providers:
            report = report_record(state, name, provider)
            if report is not None:
                answered[provider][task.contract.requester] += report.counts.uses
                continue
            approval = approval_record(state, name, provider)
            if overdue and approval is not None and approval.decision == "approved":
                missing[provider] += 1
    return answered, missing
