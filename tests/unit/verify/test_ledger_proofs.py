"""Proofs about the ledger from a running node's API, checked without it; every altered field is refused (LED-6)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import encode
from lianzheng.errors import VerificationError
from lianzheng.evidence.model import TrustFile
from lianzheng.ledger.answers import GrowthAnswer, LogAnswer, StateAnswer
from lianzheng.ledger.hashing import digest_of, leaf_hash
from lianzheng.verify import verify_proof
from node_kit import LocalNode, local_node

DIGEST = digest_of("sha256")


async def _anchor(node: LocalNode, count: int) -> None:
    from evidence_kit import CONTEXT, documents

    for number in range(count):
        await node.services.evidence.record("case", "suitability-test", "manager", CONTEXT, documents(f"d{number}"))
        await node.services.evidence.flush()


async def _get(node: LocalNode, path: str) -> bytes:
    answer = await node.internal.get(f"/api/v1/ledger/proofs/{path}")
    assert answer.status_code == 200, answer.text
    return encode(answer.json())


def _altered(value: Any) -> Iterator[Any]:
    """The same JSON with one member changed, emptied, dropped or added, at every depth."""
    if isinstance(value, dict):
        for name in value:
            for other in _altered(value[name]):
                yield value | {name: other}
            yield {key: value[key] for key in value if key != name}
        yield value | {"more": 1}
    elif isinstance(value, list):
        for index, item in enumerate(value):
            for other in _altered(item):
                yield [*value[:index], other, *value[index + 1 :]]
            yield value[:index] + value[index + 1 :]
        yield [*value, value[0] if value else "AAAA"]
    elif isinstance(value, str):
        middle = len(value) // 2
        yield value[:middle] + ("A" if value[middle : middle + 1] != "A" else "B") + value[middle + 1 :]
        if value:
            yield ""
        yield None
    elif isinstance(value, int):
        yield value + 1
        yield True
    elif value is None:
        yield {}
        yield "AAAA"


async def test_proofs_hold_without_the_node_and_no_altered_one_does(tmp_path: Path) -> None:
    async with local_node(tmp_path) as node:
        await _anchor(node, 3)
        trust = TrustFile.of_genesis(node.services.genesis).to_bytes()
        did = node.services.did
        present, absent = await _get(node, f"state?key=member/{did}"), await _get(node, "state?key=member/nobody")
        log, growth = await _get(node, "log/1"), await _get(node, "growth/1")
        old_root = leaf_hash((await node.services.engine.prove_log(0)).entry, DIGEST)
        height = node.services.engine.status().height
        earlier = await _get(node, f"state?key=member/{did}&height={height - 1}")
        refused = await node.internal.get(f"/api/v1/ledger/proofs/state?key=a&height={height + 1}")
        assert refused.status_code == 404 and refused.json()["code"] == "height_not_provable"
    answers = [verify_proof(data, trust, old_root) for data in (present, absent, log, growth, earlier)]
    assert [type(answer) for answer in answers] == [StateAnswer, StateAnswer, LogAnswer, GrowthAnswer, StateAnswer]
    assert isinstance(answers[0], StateAnswer) and answers[0].value is not None and answers[0].value["did"] == did
    assert isinstance(answers[1], StateAnswer) and answers[1].value is None
    for answer in answers:
        count, plain = 0, answer.to_json()
        for altered in _altered(plain):
            if plain.get("value", "") is None and altered | {"key": plain["key"]} == plain and altered.get("key"):
                continue  # an empty place shows every key absent that would stand there
            count += 1
            with pytest.raises(VerificationError):
                verify_proof(encode(altered), trust, old_root)
        assert count > 40


async def test_a_proof_needs_its_network_and_a_proof_of_growth_the_earlier_root(tmp_path: Path) -> None:
    async with local_node(tmp_path) as node:
        await _anchor(node, 2)
        trust = TrustFile.of_genesis(node.services.genesis)
        state, growth = await _get(node, "state?key=network"), await _get(node, "growth/1")
    foreign = trust.model_copy(update={"chain_id": "another"})
    strangers = trust.model_copy(update={"signers": ("z6Mkk7yqnGF3YwTrLpqrW6PGsKci7dNqh1CjnvMbzrMerSeL",)})
    for data, other, root, code in (
        (state, foreign, None, "network_foreign"),
        (state, strangers, None, "head_signature_invalid"),
        (growth, trust, None, "root_missing"),
        (growth, trust, sha256_raw(b"another"), "consistency_invalid"),
        (b"{}", trust, None, "proof_malformed"),
        (b'{"type":"other"}', trust, None, "proof_malformed"),
        (state + b"\n", trust, None, "proof_malformed"),
    ):
        with pytest.raises(VerificationError) as refusal:
            verify_proof(data, other.to_bytes(), root)
        assert refusal.value.code == code
