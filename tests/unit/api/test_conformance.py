"""The server for the public suites: what holds is answered 201 or 200, everything else 400."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from credential_kit import EXAMPLES
from lianzheng.api.conformance import Issuers, create_conformance_app
from lianzheng.clock import ManualClock
from lianzheng.encoding.binary import b64u_decode
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2

_BASE = "https://127.0.0.1:1"
_SUITES = [issuer.profile for issuer in Issuers().all]


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_conformance_app(Issuers(), ManualClock(), _BASE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=_BASE) as made:
        yield made


def _credential(**change: Any) -> dict[str, Any]:
    return {
        "@context": [CREDENTIALS_V2, EXAMPLES],
        "type": ["VerifiableCredential", "AlumniCredential"],
        "issuer": "https://vc.example/issuers/5678",
        "credentialSubject": {"id": "did:example:abcdefgh", "alumniOf": "The School of Examples", "degree": "BSc"},
    } | change


async def _issued(client: httpx.AsyncClient, profile: str, **options: Any) -> dict[str, Any]:
    body = {"credential": _credential(), "options": options}
    answer = await client.post(f"/{profile}/credentials/issue", json=body)
    assert answer.status_code == 201, answer.text
    issued: dict[str, Any] = answer.json()["verifiableCredential"]
    if profile == "ecdsa-sd-2023":
        body = {"verifiableCredential": issued, "options": {"selectivePointers": ["/credentialSubject/alumniOf"]}}
        answer = await client.post(f"/{profile}/credentials/derive", json=body)
        assert answer.status_code == 201, answer.text
        issued = answer.json()["verifiableCredential"]
        assert "degree" not in issued["credentialSubject"]
    return issued


async def _verify(client: httpx.AsyncClient, profile: str, document: Any) -> tuple[int, str]:
    answer = await client.post(f"/{profile}/credentials/verify", json={"verifiableCredential": document})
    assert answer.json()["verified"] is (answer.status_code == 200)
    return answer.status_code, answer.json().get("code", "")


@pytest.mark.parametrize("profile", _SUITES)
async def test_issue_verify_alter(client: httpx.AsyncClient, profile: str) -> None:
    issued = await _issued(client, profile, mandatoryPointers=["/issuer"] if "sd" in profile else [])
    assert await _verify(client, profile, issued) == (200, "")
    assert (await client.post("/credentials/verify", json={"verifiableCredential": issued})).status_code == 200
    if "proof" not in issued:
        broken = {**issued, "id": issued["id"][:-8] + "AAAAAAAA"}
        assert await _verify(client, profile, broken) == (400, "envelope_invalid")
        return
    assert await _verify(client, profile, {**issued, "issuer": "did:example:other"}) == (400, "proof_invalid")
    other = next(name for name in ("eddsa-jcs-2022", "ecdsa-jcs-2019-p256") if not profile.startswith(name[:9]))
    assert await _verify(client, other, issued) == (400, "cryptosuite_unknown")


@pytest.mark.parametrize("profile", _SUITES)
async def test_a_status_is_set_and_cleared(client: httpx.AsyncClient, profile: str) -> None:
    issued = await _issued(
        client,
        profile,
        statusPurpose="suspension",
        mandatoryPointers=["/issuer", "/credentialStatus"] if "sd" in profile else [],
    )
    entry = issued.get("credentialStatus")
    if entry is None:  # enveloped: read it from the payload
        entry = parse_w3c(b64u_decode(issued["id"].split(".")[1]))["credentialStatus"]
    assert await _verify(client, profile, issued) == (200, "")
    for status, expected in [(True, (400, "credential_suspended")), (False, (200, ""))]:
        answer = await client.post("/credentials/status", json={"credentialStatus": entry, "status": status})
        assert answer.status_code == 200
        assert await _verify(client, profile, issued) == expected
    served = await client.get(entry["statusListCredential"])
    assert served.status_code == 200


async def test_presentations(client: httpx.AsyncClient) -> None:
    issued = await _issued(client, "eddsa-jcs-2022")
    presentation = {"@context": [CREDENTIALS_V2], "type": ["VerifiablePresentation"], "verifiableCredential": [issued]}
    options = {"challenge": "abc", "domain": "verifier.example"}
    for profile in ("eddsa-rdfc-2022", "ecdsa-rdfc-2019-p384", "vc-jose-cose"):
        answer = await client.post(f"/{profile}/presentations", json={"presentation": presentation, "options": options})
        assert answer.status_code == 201, answer.text
        body = {"verifiablePresentation": answer.json()["verifiablePresentation"], "options": {"challenge": "abc"}}
        answer = await client.post("/presentations/verify", json=body)
        assert answer.status_code == 200, answer.text
        if profile != "vc-jose-cose":
            body["options"] = {"challenge": "abd"}
            assert (await client.post("/presentations/verify", json=body)).status_code == 400
    assert (await client.post("/presentations/verify", json={"presentation": presentation})).status_code == 200
    assert (
        await client.post("/presentations/verify", json={"verifiablePresentation": presentation})
    ).status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{",
        b'{"credential": 5}',
        b'{"verifiableCredential": "x"}',
        b'{"verifiablePresentation": []}',
        b'{"credential": {}, "credential": {}}',
        b'{"credential": {}, "options": 1}',
        b'{"credential": {"@context": ["https://www.w3.org/ns/credentials/v2"], "type": {"a": []}}}',
        b'{"verifiableCredential": {"@context": [{"@version": 7}], "proof": [[]]}}',
        b'{"credentialStatus": {"type": "BitstringStatusListEntry"}}',
        b'{"a":' * 5000 + b"1" + b"}" * 5000,
    ],
)
async def test_every_malformed_body_is_answered_400(client: httpx.AsyncClient, body: bytes) -> None:
    paths = ("credentials/issue", "credentials/verify", "credentials/derive", "presentations", "presentations/verify")
    for path in (*paths, "credentials/status"):
        answer = await client.post(f"/{path}", content=body)
        assert answer.status_code == 400, (path, answer.text)


async def test_a_derivation_without_contexts_is_answered_400(client: httpx.AsyncClient) -> None:
    body = {"credential": _credential(), "options": {}}
    issued = (await client.post("/ecdsa-sd-2023/credentials/issue", json=body)).json()["verifiableCredential"]
    del issued["@context"]
    asked = {"verifiableCredential": issued, "options": {"selectivePointers": ["/issuer"]}}
    assert (await client.post("/credentials/derive", json=asked)).status_code == 400


async def test_unknown_profiles_are_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.post("/rsa-2048/credentials/issue", json={})).status_code == 404


async def test_published_documents_verify(client: httpx.AsyncClient, shared_vectors: Path) -> None:
    files = _published(shared_vectors)
    assert len(files) == 11
    for path in files:
        document = parse_w3c(path.read_bytes())
        status = await _verify(client, "eddsa-rdfc-2022" if "eddsa-rdfc" in str(path) else path_profile(path), document)
        # The permanent resident card ended in 2025, before the test's clock.
        expired = document.get("validUntil", "9") < "2026-09-21"
        assert status == ((400, "credential_expired") if expired else (200, "")), path


def _published(folder: Path) -> list[Path]:
    found = [*folder.glob("e[cd]dsa/**/signed*.json"), *folder.glob("ecdsa/**/derivedReveal*.json")]
    return sorted(path for path in found if "proof-set-chain" not in path.parts)


def path_profile(path: Path) -> str:
    known = [part for part in path.parts if part in _SUITES]
    return known[-1]


def test_it_is_no_part_of_a_node() -> None:
    source = Path(__file__).resolve().parents[3] / "src" / "lianzheng"
    users = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*.py")
        if "api.conformance" in path.read_text("utf-8") and "conformance" not in path.parts
    }
    assert users == {"cli/conformance.py"}


async def test_status_entries_that_lead_nowhere_are_answered_400(client: httpx.AsyncClient) -> None:
    """Two entries where one is set; a list of ours that is not there; a list of others beside ours is not looked at."""
    issuing = {"credential": _credential(), "options": {"statusPurpose": "revocation"}}
    answer = await client.post("/eddsa-jcs-2022/credentials/issue", json=issuing)
    ours = answer.json()["verifiableCredential"]["credentialStatus"]
    two = await client.post("/credentials/status", json={"credentialStatus": [ours, ours], "status": True})
    assert (two.status_code, two.json()["code"]) == (400, "body_invalid")
    for url, code in ((f"{_BASE}/nobody/status/revocation", 400), ("https://others.example/lists/1", 200)):
        entry = {**ours, "id": f"{url}#7", "statusListCredential": url, "statusListIndex": "7"}
        body = {"credential": _credential(credentialStatus=[ours, entry]), "options": {}}
        issued = (await client.post("/eddsa-jcs-2022/credentials/issue", json=body)).json()["verifiableCredential"]
        assert (await _verify(client, "eddsa-jcs-2022", issued))[0] == code
    revoked = await client.post("/credentials/status", json={"credentialStatus": ours, "status": True})
    assert revoked.status_code == 200
    assert await _verify(client, "eddsa-jcs-2022", issued) == (400, "credential_revoked")
