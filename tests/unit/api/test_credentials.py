"""The product's credential routes at one running node: issue, verify, present, take back."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from node_kit import LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")

SUBJECT = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"


def level(**change: Any) -> dict[str, Any]:
    """A credential to be issued; ``None`` takes a member away."""
    document = {
        "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
        "validUntil": "2027-09-01T00:00:00Z",
        "credentialSubject": {
            "id": SUBJECT,
            "level": "C3",
            "lowestClass": False,
            "productLine": "securities",
            "assessedOn": "2026-09-01",
            "expiresOn": "2027-08-31",
        },
    } | change
    return {name: value for name, value in document.items() if value is not None}


async def post(node: LocalNode, path: str, body: Any) -> httpx.Response:
    return await node.internal.post(f"/api/v1{path}", json=body, headers=node.operator)


async def issued(node: LocalNode, **options: Any) -> dict[str, Any]:
    answer = await post(node, "/credentials/issue", {"credential": level(), "options": options})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()["verifiableCredential"]
    return found


async def test_issue_verify_suspend_take_up_revoke(node: LocalNode) -> None:
    credential = await issued(node)
    assert credential["issuer"] == node.services.did
    assert [one["statusPurpose"] for one in credential["credentialStatus"]] == ["revocation", "suspension"]
    assert credential["credentialSchema"]["id"] == "urn:lianzheng:schema:SuitabilityLevelCredential:1"
    verified = await post(node, "/credentials/verify", {"verifiableCredential": credential})
    assert verified.status_code == 200, verified.text
    body = verified.json()
    assert (body["kind"], body["trust"]["rule"]) == ("SuitabilityLevelCredential", "own")
    assert {"name": "level", "title": "风险承受能力等级", "value": "C3"} in body["rows"]

    async def code_after(purpose: str, status: bool) -> str:
        change = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": purpose}, "status": status}
        answer = await post(node, "/credentials/status", change)
        assert answer.status_code == 200, answer.text
        after = await post(node, "/credentials/verify", {"verifiableCredential": credential})
        return str(after.json().get("code", "ok"))

    assert await code_after("suspension", True) == "credential_suspended"
    assert await code_after("suspension", False) == "ok"
    assert await code_after("revocation", True) == "credential_revoked"
    back = {"credentialId": credential["id"], "credentialStatus": {"statusPurpose": "revocation"}, "status": False}
    assert (await post(node, "/credentials/status", back)).json()["code"] == "revocation_final"
