"""Recording through the API: every record's promise, or its own reason (EV-1, EV-3)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from lianzheng.evidence.model import Acknowledgement, Promise
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.limits import EVIDENCE_BATCH_MAX
from node_kit import LocalNode, local_node

ONE, MANY = "/api/v1/evidence/records", "/api/v1/evidence/records/batch"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[LocalNode]:
    async with local_node(tmp_path) as made:
        yield made


def act(case: str, **changes: Any) -> dict[str, Any]:
    context = {"system": "crm", "software_version": "1", "channel": "branch", "local_time_ms": 1}
    document = {"name": "a.json", "media_type": "application/json", "data": "e30"}
    form = {"case_id": case, "scene": "consent", "operator_role": "clerk", "context": context, "documents": [document]}
    return form | changes


async def test_one_act_is_durable_and_promised(node: LocalNode) -> None:
    answer = await node.internal.post(ONE, json=act("case-1"), headers=node.operator)
    assert answer.status_code == 200
    promise = Promise.from_bytes(answer.content)
    (placed,) = await node.services.evidence.case("case-1")
    assert placed.stored.promise == promise
    assert await node.services.evidence.document(placed.stored.record.documents[0].sha256) == b"{}"


async def test_each_record_of_a_batch_gets_its_promise_or_its_reason(node: LocalNode) -> None:
    records = [act("case-1"), act("case-2", scene="no-such"), act("case-1"), {"case_id": "x"}, act("case-3")]
    answer = await node.internal.post(MANY, json={"records": records}, headers=node.operator)
    outcomes = answer.json()["outcomes"]
    assert [outcome.get("code", "ok") for outcome in outcomes] == ["ok", "field_invalid", "ok", "field_invalid", "ok"]
    first, second = await node.services.evidence.case("case-1")
    assert second.stored.record.previous == first.stored.leaves
    assert [Promise.from_json(outcomes[at]) for at in (0, 2)] == [first.stored.promise, second.stored.promise]
    assert await node.services.evidence.cases() == ("case-1", "case-3")


@pytest.mark.parametrize("body", [{}, {"records": []}, [], {"records": [1] * (EVIDENCE_BATCH_MAX + 1)}, {"records": 1}])
async def test_what_is_no_batch_is_refused_whole(node: LocalNode, body: Any) -> None:
    answer = await node.internal.post(MANY, json=body, headers=node.operator)
    assert (answer.status_code, answer.json()["code"]) == (400, "batch_size")


async def test_many_are_each_the_record_that_one_alone_would_be(node: LocalNode) -> None:
    acts = [act(f"case-{number // 2}", operator_role=f"clerk-{number}") for number in range(40)]
    answer = await node.internal.post(MANY, json={"records": acts}, headers=node.operator)
    promises = [Promise.from_json(outcome) for outcome in answer.json()["outcomes"]]
    key = public_key(read_did(node.services.engine.state, node.services.did), "#node", "assertionMethod")
    for number, promise in enumerate(promises):
        placed = (await node.services.evidence.case(f"case-{number // 2}"))[number % 2].stored
        assert (placed.record.operator_role, placed.promise) == (f"clerk-{number}", promise)
        assert placed.record.context.to_json() == acts[number]["context"]
        Acknowledgement(record=placed.record, salt=placed.salt, promise=promise).verify(key)


@pytest.mark.parametrize(("value", "code"), [(1.0, "json_type"), (2**53, "json_integer_range"), ({"ä": 1}, "json_key")])
async def test_what_lies_outside_the_profile_refuses_the_whole_request(node: LocalNode, value: Any, code: str) -> None:
    bad = act("case-2", context={**act("case-2")["context"], "local_time_ms": value})
    for path, body in ((ONE, bad), (MANY, {"records": [act("case-1"), bad]}), (MANY, {"records": [], "x": value})):
        answer = await node.internal.post(path, json=body, headers=node.operator)
        assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert await node.services.evidence.cases() == ()


async def test_nobody_records_without_the_token(node: LocalNode) -> None:
    for path in (ONE, MANY):
        assert (await node.internal.post(path, json={})).status_code == 401
    assert await node.services.evidence.cases() == ()
