"""Sources over the internal API: sent, loaded by a job that can be watched, refused with a report and no value."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from node_kit import LocalNode
from source_kit import row, write

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def upload(node: LocalNode, data: bytes) -> str:
    answer = await node.internal.post("/api/v1/uploads", content=data, headers=node.operator)
    assert answer.status_code == 200, answer.text
    assert answer.json()["bytes"] == len(data)
    return str(answer.json()["upload"])


async def load(node: LocalNode, dataset: str, **body: Any) -> dict[str, Any]:
    """The job once it has ended."""
    answer = await node.internal.post(f"/api/v1/datasets/{dataset}/loads", json=body, headers=node.operator)
    assert answer.status_code == 200, answer.text
    job = str(answer.json()["job"])
    await node.services.jobs.wait(job)
    ended: dict[str, Any] = (await node.internal.get(f"/api/v1/jobs/{job}", headers=node.operator)).json()
    listed = (await node.internal.get("/api/v1/jobs", headers=node.operator)).json()["jobs"]
    assert ended in listed
    assert (await node.internal.delete(f"/api/v1/jobs/{job}", headers=node.operator)).json() == ended
    return ended


async def test_an_upload_is_loaded_by_a_job(node: LocalNode, tmp_path: Path) -> None:
    data = write(tmp_path / "a.csv", [row(1), row(2)]).read_bytes()
    ended = await load(node, "clients", upload=await upload(node, data))
    assert (ended["state"], ended["kind"], ended["subject"]) == ("done", "dataset-load", "clients")
    assert (ended["done"], ended["total"], ended["error"]) == (2, 2, None)
    assert (ended["result"]["people"], ended["result"]["skipped"]) == (2, 0)


async def test_bad_rows_and_a_mapping(node: LocalNode, tmp_path: Path) -> None:
    bad = row(2, financial_assets_yuan="-31415")
    data = write(tmp_path / "a.csv", [row(1), bad]).read_bytes()
    ended = await load(node, "second", upload=await upload(node, data))
    assert (ended["state"], ended["error"]["code"]) == ("failed", "source_refused")
    assert "row 3, column financial_assets_yuan: amount_negative" in ended["error"]["text"]
    assert "--accept-bad 1" in ended["error"]["next_step"]
    assert "31415" not in ended["error"]["text"] and bad["number"] not in str(ended)
    names = "\n".join(f'{name} = "{name}"' for name in list(row(1))[:7])
    ended = await load(
        node, "second", upload=await upload(node, data), mapping=f"[columns]\n{names}\n", accept_bad=1, format="csv"
    )
    assert ended["result"]["skipped"] == 1
    ended = await load(node, "second", upload=await upload(node, data), mapping="[columns")
    assert ended["error"]["code"] == "mapping_invalid"


async def test_what_is_no_load_is_refused(node: LocalNode, tmp_path: Path) -> None:
    name = await upload(node, b"x")
    for dataset, body, code in (
        ("a", {"upload": "0" * 32}, "upload_unknown"),
        ("A%20b", {"upload": name}, "field_invalid"),
        ("a", {"upload": name, "accept_bad": -1}, "field_invalid"),
        ("a", {"upload": name, "accept_bad": True}, "field_invalid"),
        ("a", {"upload": name, "format": "xlsx"}, "field_invalid"),
        ("a", {"upload": name, "more": 1}, "field_invalid"),
    ):
        answer = await node.internal.post(f"/api/v1/datasets/{dataset}/loads", json=body, headers=node.operator)
        assert answer.json()["code"] == code, body
    path = f"/api/v1/uploads/{name}"
    assert (await node.internal.delete(path, headers=node.operator)).status_code == 200
    assert (await node.internal.delete(path, headers=node.operator)).json()["code"] == "upload_unknown"
    assert (await node.internal.get("/api/v1/jobs/x", headers=node.operator)).json()["code"] == "job_unknown"
