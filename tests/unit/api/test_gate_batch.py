"""The route of batches: one answer for the whole, one entry for each call (GATE-1, EQ-1)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lianzheng.compute.gate.model import GateBatch, GateBatchAnswer, GateRefusal
from lianzheng.compute.gate.requester import GATE_BATCH_PATH
from lianzheng.limits import GATE_BATCH_MAX
from node_kit import LocalNode, local_node


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[LocalNode]:
    async with local_node(tmp_path) as made:
        yield made


async def test_each_call_gets_its_own_entry(node: LocalNode) -> None:
    body = GateBatch(calls=(b"{}", b"", b"{}")).to_bytes()
    answer = await node.peer.post(GATE_BATCH_PATH, content=body)
    assert answer.status_code == 200
    entries = GateBatchAnswer.from_bytes(answer.content).answers
    assert [entry.code for entry in entries if isinstance(entry, GateRefusal)] == [
        "field_invalid",
        "json_malformed",
        "field_invalid",
    ]
    assert {entry.status for entry in entries if isinstance(entry, GateRefusal)} == {400}


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"calls":[]}', "field_invalid"),
        (b'{"calls":[' + b",".join([b'"e30"'] * (GATE_BATCH_MAX + 1)) + b"]}", "field_invalid"),
        (b'{"calls": ["e30"]}', "json_not_canonical"),
        (b"[]", None),
    ],
)
async def test_what_is_no_batch_is_refused_whole(node: LocalNode, body: bytes, code: str | None) -> None:
    answer = await node.peer.post(GATE_BATCH_PATH, content=body)
    assert answer.status_code == 400
    assert code is None or answer.json()["code"] == code
