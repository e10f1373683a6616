"""One use from the request to the bands: what the requester gets is k·U, and what it says is in the table (GATE-9)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gate_kit import ALPHA, BETA, EXPERIENCE, MANY, VIEWS, WEALTH, GateNet
from lianzheng.compute.gate.model import UsageReceipt, ViewEpoch, request_hash, use_leaf
from lianzheng.compute.tasks.model import report_record
from lianzheng.compute.tasks.service import report_root, verify_report
from lianzheng.compute.views.build import value_of
from lianzheng.registry import read_view_value


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path).open()
    yield made
    await made.close()


async def test_gate_9_every_person_reads_its_own_bands(net: GateNet) -> None:
    issued = [net.issue(person) for person in net.people]
    assert set(await net.grant(*issued)) == {"ok"}
    for person, token in zip(net.people, issued, strict=True):
        views = tuple(ViewEpoch(view=view, epoch=1) for view in VIEWS)
        opened = await net.client.ask(net.task, token.token.to_bytes(), token.r, views)
        for view, element in opened.elements.items():
            key = net.views.keys.get(view.view, 1)
            assert key is not None
            assert element == person.u * key.scalar
            _, bundle, form = view.view.split("/")
            expected = read_view_value(bundle, form, value_of(view.view, person.row.amounts))
            assert await net.tables.bands(view, element) == expected
    assert any(value_of(WEALTH, person.row.amounts) for person in net.people)


async def test_gate_10_both_sides_hold_the_receipt_and_the_report_fits_it(net: GateNet) -> None:
    first, second = net.issue(net.people[2]), net.issue(net.people[3])
    await net.grant(first, second)
    for issued, views in ((first, (WEALTH, EXPERIENCE)), (first, (WEALTH,)), (second, (MANY,))):
        wanted = tuple(ViewEpoch(view=view, epoch=1) for view in views)
        opened = await net.client.ask(net.task, issued.token.to_bytes(), issued.r, wanted)
        receipt = opened.receipt
        await net.receipts.remember_task_salt(net.task, BETA.did, receipt.answer.task_salt)
        await net.receipts.save_receipt(
            net.task, BETA.did, issued.cid, request_hash(receipt.request), receipt.to_bytes(), receipt.answer.time_ms
        )
    mine = await net.receipts.receipts(net.task, BETA.did)
    kept = [UsageReceipt.from_bytes(data) for _, data in mine]
    theirs = await net.uses.receipts(net.task)
    assert [(one.request.to_bytes(), one.answer.to_bytes()) for one in kept] == theirs

    await net.reports.report(net.task)
    report = report_record(net.engine.state, net.task, BETA.did)
    assert report is not None
    assert (report.counts.requests, report.counts.uses, report.counts.consents) == (3, 3, 2)
    salt = await net.receipts.task_salt(net.task, BETA.did)
    assert salt is not None
    verify_report(report, salt, [cid for cid, _ in mine])
    assert report.root == report_root(salt, sorted({first.cid, second.cid}, key=lambda cid: use_leaf(salt, cid)))


async def test_the_providers_log_names_member_task_consent_and_views_and_nothing_else(net: GateNet) -> None:
    issued = await net.granted()
    await net.ask(issued, (WEALTH, EXPERIENCE))
    line = net.log.lines()[-1]
    assert (line.peer, line.outcome, line.views) == (ALPHA.did, "answered", (f"{WEALTH}@1", f"{EXPERIENCE}@1"))
    assert line.__slots__ == ("time_ms", "peer", "task", "cid", "views", "outcome")
