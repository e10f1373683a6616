"""``POST /api/v1/epochs``: few people at once, many or on demand as a job; cancelled, watched, its error told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lianzheng.compute.ports import PersonRow
from node_kit import LocalNode, local_node

DAY_MS = 24 * 3600 * 1000
VIEW = "clients/wealth/bands"


async def offered(node: LocalNode, people: int) -> dict[str, Any]:
    """Rows and an offer; the body that opens its view."""
    offer = {
        "dataset": "clients",
        "title": "x",
        "as_of": "2026-01-01",
        "views": [VIEW],
        "purposes": ["suitability-assessment"],
        "functions": ["hidden-query"],
        "retrieval": "table",
        "issuers": None,
    }
    rows = [PersonRow(b"%032d" % serial, {"I01": 5_000_000}) for serial in range(people)]
    await node.services.datasets.load("clients", "2026-01-01", rows)
    answer = await node.internal.post("/api/v1/datasets", json=offer, headers=node.operator)
    assert answer.status_code == 200, answer.text
    return {"view": VIEW, "until_ms": node.clock.now_ms() + DAY_MS}


async def post(node: LocalNode, body: dict[str, Any]) -> Any:
    return await node.internal.post("/api/v1/epochs", json=body, headers=node.operator)


async def ended(node: LocalNode, job: str) -> dict[str, Any]:
    await node.services.jobs.wait(job)
    answer = await node.internal.get(f"/api/v1/jobs/{job}", headers=node.operator)
    found: dict[str, Any] = answer.json()
    return found


async def test_few_at_once_and_as_a_job_when_asked(tmp_path: Path) -> None:
    async with local_node(tmp_path) as node:
        body = await offered(node, 5)
        at_once = await post(node, body)
        assert (at_once.status_code, at_once.json()) == (200, {"view": VIEW, "epoch": 1, "entries": 32})
        asked = await post(node, body | {"background": True})
        assert asked.status_code == 202
        job = await ended(node, asked.json()["job"])
        assert job["result"] == {"view": VIEW, "epoch": 2, "entries": 32}
        assert (job["state"], job["kind"], job["subject"], job["done"], job["total"]) == (
            "done", "epoch-open", VIEW, 5, 5,
        )  # fmt: skip


async def test_many_are_a_job_whatever_is_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lianzheng.api.internal.compute.EPOCH_DIRECT_MAX", 4)
    async with local_node(tmp_path) as node:
        answer = await post(node, await offered(node, 5))
        assert answer.status_code == 202
        assert (await ended(node, answer.json()["job"]))["state"] == "done"


async def test_a_failed_job_says_why(tmp_path: Path) -> None:
    async with local_node(tmp_path) as node:
        body = await offered(node, 5)
        answer = await post(node, body | {"view": "clients/level/bands", "background": True})
        job = await ended(node, answer.json()["job"])
        assert (job["state"], job["error"]["code"]) == ("failed", "view_unknown")


async def test_cancelled_and_opened_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lianzheng.compute.views.builder._CHUNK", 2)
    async with local_node(tmp_path) as node:
        body = await offered(node, 9) | {"background": True}
        job = (await post(node, body)).json()["job"]
        assert (await post(node, body)).json()["code"] == "job_running"
        await node.internal.delete(f"/api/v1/jobs/{job}", headers=node.operator)
        assert (await ended(node, job))["state"] == "cancelled"
        again = (await post(node, body)).json()["job"]
        assert (await ended(node, again))["result"]["epoch"] == 1


async def test_renewal_is_kept_until_it_is_ended(tmp_path: Path) -> None:
    async with local_node(tmp_path) as node:
        body = await offered(node, 5)
        await post(node, body | {"renew": True})
        node.clock.advance(DAY_MS)
        assert [view for view, _ in await node.services.views.renewals_due()] == [VIEW]
        body["until_ms"] = node.clock.now_ms() + 1000
        await post(node, body | {"renew": False})
        node.clock.advance(1000)
        assert await node.services.views.renewals_due() == []
