"""Routes of the counter at a node alone: catalogue, offers, queries, documents, the member's own record, pauses."""

from __future__ import annotations

from typing import Any

import pytest

from lianzheng.consent.model import ConsentPause, consent_key_name
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.evidence.model import Acknowledgement
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import TransactionBody
from node_kit import CHAIN, LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")

CONTEXT = {"system": "s", "software_version": "1", "channel": "branch", "local_time_ms": 0}


async def call(node: LocalNode, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    answer = await node.internal.request(method, f"/api/v1{path}", json=body, headers=node.operator)
    return answer.status_code, answer.json()


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("purpose=marketing", "purpose_unknown"),
        ("purpose=suitability-assessment&function=guess", "function_unknown"),
        ("purpose=suitability-statistics", "purpose_function"),
    ],
)
async def test_the_catalogue_knows_registered_purposes_only(node: LocalNode, query: str, code: str) -> None:
    status, found = await call(node, "GET", f"/catalogue?{query}")
    assert (status, found["code"]) == (403, code)


async def test_a_member_alone_is_offered_nothing(node: LocalNode) -> None:
    status, found = await call(node, "GET", "/catalogue?purpose=suitability-assessment")
    assert (status, found["offers"]) == (200, [])
    body = {"client": "c-x", "purpose": "suitability-assessment", "contact": "x", "complaints": "y"}
    status, found = await call(node, "POST", "/consents/offers", body)
    assert (status, found["code"]) == (404, "customer_unknown")


async def test_queries_are_looked_at_before_anybody_is_asked(node: LocalNode) -> None:
    for clients, expected in (
        (["c-x", "c-x"], (400, "batch_duplicate")),
        (["c-x"], (404, "customer_unknown")),
        ([], (400, "field_invalid")),
        (["c"] * 257, (400, "field_invalid")),
    ):
        status, found = await call(node, "POST", "/queries", {"task": "A" * 43, "clients": clients})
        assert (status, found["code"]) == expected


async def test_documents_and_records_are_found_by_their_digests(node: LocalNode) -> None:
    document = {"name": "a.txt", "media_type": "text/plain", "data": b64u_encode(b"\x00act")}
    act = {"case_id": "case-doc", "scene": "task", "operator_role": "clerk", "context": CONTEXT}
    _, promise = await call(node, "POST", "/evidence/records", {**act, "documents": [document]})
    leaf, digest = promise["body"]["leaves"]["sha256"], b64u_encode(sha256_raw(b"\x00act"))
    _, listed = await call(node, "GET", "/cases/case-doc/documents")
    (line,) = listed["documents"]
    assert (line["record"], line["scene"], line["name"], line["sha256"]) == (leaf, "task", "a.txt", digest)
    answer = await node.internal.get(f"/api/v1/evidence/documents/{digest}", headers=node.operator)
    assert (answer.content, answer.headers["x-content-type-options"]) == (b"\x00act", "nosniff")
    _, found = await call(node, "GET", f"/evidence/records/{leaf}")
    assert (found.pop("leaf"), found.pop("state")) == (leaf, "received")
    me = public_key(read_did(node.services.engine.state, node.services.did), "#node", "assertionMethod")
    Acknowledgement.from_json(found).verify(me)
    for path, code in (
        ("/cases/none/documents", "case_unknown"),
        (f"/evidence/documents/{'A' * 43}", "document_unknown"),
        (f"/evidence/records/{'A' * 43}", "evidence_unknown"),
    ):
        status, found = await call(node, "GET", path)
        assert (status, found["code"]) == (404, code)
    assert (await call(node, "GET", "/evidence/documents/x"))[0] == 400


async def test_a_member_changes_what_it_names_and_nothing_else(node: LocalNode) -> None:
    before = node.services.directory.get(node.services.did)
    assert before is not None
    status, receipt = await call(node, "POST", "/member", {"licences": ["one", "two"]})
    after = node.services.directory.get(node.services.did)
    assert (status, receipt["result"]["code"]) == (200, "ok")
    assert after == before.model_copy(update={"licences": ("one", "two"), "version": before.version + 1})
    status, _ = await call(node, "POST", "/member", {"endpoint": None})
    after = node.services.directory.get(node.services.did)
    assert after is not None and after.endpoint is None and after.certificate == before.certificate
    for body in ({"name": "other"}, {"control_group": "x"}, {"certificate": "é"}, {"endpoint": "http://x"}):
        status, found = await call(node, "POST", "/member", body)
        assert (status, found["code"]) in ((400, "field_invalid"), (400, "base64_malformed")), body


def transaction(kind: str, payload: dict[str, Any], expires_at: int) -> bytes:
    """Signed by a consent's key."""
    seed = bytes([7]) * 32
    body = TransactionBody(
        chain_id=CHAIN,
        kind=kind,
        sender=consent_key_name(ed25519.public_key(seed)),
        key_id="",
        nonce=None,
        expires_at=expires_at,
        payload=payload,
    )
    return sign_transaction(body, lambda data: ed25519.sign(seed, data)).to_bytes()


async def test_pauses_are_the_ledgers_to_judge_and_nothing_else_gets_in(node: LocalNode) -> None:
    expires_at = node.clock.now_ms() + 60_000
    pause = ConsentPause(cid=bytes(32), seq=2, prev=bytes(32)).to_json()
    for kind, code in (("consent.pause", "consent_unknown"), ("consent.resume", "consent_unknown"),
                       ("consent.revoke", "kind_unknown"), ("task.close", "kind_unknown")):  # fmt: skip
        data = transaction(kind, pause, expires_at)
        answer = await node.internal.post("/api/v1/wallet/pauses", content=data)
        assert (answer.status_code, answer.json()["code"]) == (403, code)
