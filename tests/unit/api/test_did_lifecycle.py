"""A DID's whole life at a running node, resolved over HTTP, its proofs checked offline as an auditor would (LED-6)."""

from __future__ import annotations

from typing import Any

import pytest

from did_kit import Holder
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import encode
from lianzheng.errors import VerificationError
from lianzheng.identity.did.model import (
    DidContent,
    DidControl,
    DidCreate2,
    DidDeactivate,
    DidRecord,
    DidRecover,
    DidUpdate,
    commitment,
    did_record_hash,
)
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.answers import StateAnswer
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import TransactionBody
from lianzheng.verify.proofs import verify_proof
from node_kit import CHAIN, LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def _send(node: LocalNode, holder: Holder, kind: str, payload: Any, signer: int | str, key_id: str) -> str:
    body = TransactionBody(
        chain_id=CHAIN,
        kind=kind,
        sender=holder.did,
        key_id=key_id,
        nonce=1 if kind == "did.create" else None,
        expires_at=node.clock.now_ms() + 3_600_000,
        payload=payload.to_json(),
    )
    signed = sign_transaction(body, lambda message: ed25519.sign(holder.seed(signer), message))
    return (await node.services.engine.submit(signed)).result.code


def _change(record: DidRecord, **members: Any) -> dict[str, Any]:
    return {"did": record.did, "version": record.version + 1, "prev": did_record_hash(record), **members}


async def _resolve(node: LocalNode, did: str, status: int = 200, **options: str) -> Any:
    answer = await node.internal.get(f"/1.0/identifiers/{did}", params=options)
    assert answer.status_code == status, answer.text
    return answer.json()


async def _checked(node: LocalNode, answer: Any) -> list[StateAnswer]:
    """The proofs of an answer, each verified under the trust file alone."""
    trust = (await node.internal.get("/api/v1/network/trust")).content
    found = []
    for proof in answer["didResolutionMetadata"]["proof"]:
        checked = verify_proof(encode(proof["stateAnswer"]), trust)
        assert isinstance(checked, StateAnswer)
        found.append(checked)
        forged = {**proof["stateAnswer"], "value": {"status": "active"}}
        with pytest.raises(VerificationError):
            verify_proof(encode(forged), trust)
    return found


async def test_created_rotated_recovered_and_gone(node: LocalNode) -> None:
    holder = Holder("life", next_keys=1, recovery=True, chain=CHAIN)
    other = Holder("first of all", chain=CHAIN)  # so that there is a block, and a signed head to prove under
    assert await _send(node, other, "did.create", DidCreate2(operation=other.operation), 0, "#key-1") == "ok"
    missing = await _resolve(node, holder.did, 404, proof="true")
    assert [(one.key, one.value) for one in await _checked(node, missing)] == [(f"did/{holder.did}", None)]

    operation = DidCreate2(operation=holder.operation)
    assert await _send(node, holder, "did.create", operation, 0, "#key-1") == "ok"
    first = read_did(node.services.engine.state, holder.did)

    control = holder.control(next=(commitment("next", holder.multikey(2)),))
    rotated = DidContent(keys=(holder.key(1),), control=control)
    update = DidUpdate(**_change(first, content=rotated))
    assert await _send(node, holder, "did.update", update, 0, "#key-1") == "signature_invalid"
    assert await _send(node, holder, "did.update", update, 1, "#key-1") == "ok"
    second = read_did(node.services.engine.state, holder.did)
    assert await _send(node, holder, "did.update", update, 1, "#key-1") == "ok"  # the receipt of the first, no more
    assert read_did(node.services.engine.state, holder.did) == second and second.version == 2

    content = DidContent(keys=(holder.key(5),), control=DidControl())
    recover = DidRecover(**_change(second, key=holder.multikey("r"), content=content))
    assert await _send(node, holder, "did.recover", recover, "r", "#recovery") == "ok"
    third = read_did(node.services.engine.state, holder.did)

    now = await _resolve(node, holder.did, proof="true")
    assert now["didDocument"]["verificationMethod"][0]["publicKeyMultibase"] == holder.multikey(5)
    (proof,) = await _checked(node, now)
    assert DidRecord.from_json(proof.value) == third
    old = await _resolve(node, holder.did, versionId="1", proof="true")
    assert old["didDocument"]["verificationMethod"][0]["publicKeyMultibase"] == holder.multikey(0)
    proven = [DidRecord.from_json(one.value) for one in await _checked(node, old)]
    assert proven == [third, first, second]  # the present one, the one asked for, the one that ended it

    assert await _send(node, holder, "did.deactivate", DidDeactivate(**_change(third)), 5, "#key-1") == "ok"
    gone = await _resolve(node, holder.did, 410, proof="true")
    assert gone["didDocument"] is None and gone["didDocumentMetadata"]["deactivated"] is True
    (tombstone,) = await _checked(node, gone)
    assert tombstone.value is not None and (tombstone.value["status"], tombstone.value["keys"]) == ("deactivated", [])


async def test_other_methods_resolve_at_the_same_address(node: LocalNode) -> None:
    did = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
    assert (await _resolve(node, did))["didDocument"]["id"] == did
    inside = await _resolve(node, "did:web:localhost", 500)
    assert inside["didResolutionMetadata"]["error"]["code"] == "fetch_forbidden"
