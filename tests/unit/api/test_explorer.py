"""The explorer and the governance routes of a running node."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from lianzheng.encoding.canonical import decode_object
from node_kit import LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module", autouse=True)
async def indexing(node: LocalNode) -> AsyncIterator[None]:
    task = asyncio.create_task(node.services.explorer.run())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await node.services.explorer.index.close()


async def transactions(node: LocalNode, **query: str) -> list[dict[str, object]]:
    answer = await node.internal.get("/api/v1/explorer/transactions", params=query)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["transactions"])


async def until_indexed(node: LocalNode, kind: str) -> dict[str, object]:
    for _ in range(2000):
        if found := await transactions(node, kind=kind):
            return found[0]
        await asyncio.sleep(0.005)
    raise AssertionError(f"{kind} was not indexed")


async def test_an_act_of_governance_is_sent_indexed_and_streamed(node: LocalNode) -> None:
    payload = {"grade": 3, "category": "outage", "report": "A" * 43}
    sent = await node.internal.post("/api/v1/governance/incident.open", json=payload, headers=node.operator)
    assert sent.status_code == 200 and sent.json()["result"]["code"] == "ok", sent.text
    line = await until_indexed(node, "incident.open")
    one = await node.internal.get(f"/api/v1/explorer/transactions/{line['tx_id']}")
    assert one.json() == line
    blocks = (await node.internal.get("/api/v1/explorer/blocks")).json()["blocks"]
    assert line["height"] in [block["height"] for block in blocks]
    incidents = (await node.internal.get("/api/v1/explorer/incidents", params={"status": "open"})).json()["incidents"]
    assert [one["category"] for one in incidents] == ["outage"]
    stream = node.services.explorer.stream(1)
    first = await anext(stream)
    assert first["height"] >= 1


async def test_the_stream_has_ids_and_goes_on_after_the_last_one_seen(node: LocalNode) -> None:
    from lianzheng.api.internal.explorer import _sse
    from lianzheng.ledger.index import Place

    async def source() -> AsyncIterator[dict[str, object]]:
        for height, index in ((4, 0), (4, 1), (5, 0)):
            yield {"height": height, "index": index}

    lines = [line async for line in _sse(source(), Place(4, 0))]
    assert [line.split(b"\n")[0] for line in lines] == [b"id: 4:1", b"id: 5:0"]
    assert decode_object(lines[0].split(b"data: ")[1].strip(), 1000) == {"height": 4, "index": 1}


async def test_parameters_have_what_their_next_change_needs(node: LocalNode) -> None:
    found = (await node.internal.get("/api/v1/explorer/parameters")).json()["parameters"]
    days = next(one for one in found if one["name"] == "motion_days")
    assert (days["value"], days["set"], days["least"], days["most"]) == (14, False, 1, 90)
    # One group alone is the whole electorate: its own motion carries.
    sent = await node.internal.post(
        "/api/v1/governance/parameter.propose", json={"name": "motion_days", "value": 21}, headers=node.operator
    )
    assert sent.status_code == 200, sent.text
    assert sent.json()["result"]["data"]["status"] == "carried"
    found = (await node.internal.get("/api/v1/explorer/parameters")).json()["parameters"]
    assert next(one["value"] for one in found if one["name"] == "motion_days") == 21
    motions = (await node.internal.get("/api/v1/explorer/motions", params={"status": "carried"})).json()["motions"]
    assert motions[0]["kind"] == "parameter.propose" and motions[0]["over"] is True


async def test_members_show_points_group_and_assessments(node: LocalNode) -> None:
    found = (await node.internal.get("/api/v1/explorer/members")).json()["members"]
    assert [member["speaks"] for member in found] == [True]
    assert found[0]["points"] == 0 and "certificate" not in found[0]
    assert found[0]["assessments"] == {"institution": None, "technology": None}


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/api/v1/explorer/transactions?before=x", 400, "query_invalid"),
        ("/api/v1/explorer/transactions?before=1:99999999999999999", 400, "query_invalid"),
        ("/api/v1/explorer/blocks?before=-1", 400, "query_invalid"),
        ("/api/v1/explorer/transactions?limit=0", 400, "field_invalid"),
        ("/api/v1/explorer/transactions/AAAA", 400, "length_invalid"),
        ("/api/v1/explorer/transactions/" + "A" * 43, 404, "transaction_unknown"),
        ("/api/v1/explorer/settlements/2026-01", 404, "settlement_unknown"),
    ],
)
async def test_bad_questions(node: LocalNode, path: str, status: int, code: str) -> None:
    answer = await node.internal.get(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text


async def test_governance_acts_are_checked_before_they_are_sent(node: LocalNode) -> None:
    for path, payload, code in (
        ("agreement.sign", {}, "kind_unknown"),
        ("evidence.anchor", {}, "kind_unknown"),
        ("incident.open", {"grade": 9, "category": "x", "report": "A" * 43}, "field_invalid"),
        ("member.leave", {"step": "notice", "plan": "A" * 43}, "quorum_lost"),
    ):
        answer = await node.internal.post(f"/api/v1/governance/{path}", json=payload, headers=node.operator)
        assert answer.json()["code"] == code, answer.text
