"""The server for the public suites in one process, and its requests as the suites make them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from credential_kit import CREATED, signer
from lianzheng.api.conformance import Issuers, create_conformance_app
from lianzheng.clock import ManualClock
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof

_BASE = "https://127.0.0.1:1"


@dataclass(frozen=True)
class Suite:
    """What a suite's endpoints do: each call returns the HTTP status and the body."""

    http: httpx.AsyncClient
    issuers: Issuers

    async def post(self, path: str, body: dict[str, Any]) -> tuple[int, Any]:
        """One request."""
        answer = await self.http.post(path, json=body)
        return answer.status_code, answer.json()

    async def issue(self, profile: str, credential: dict[str, Any], **options: Any) -> tuple[int, Any]:
        """As the suites do it: the issuer that the local configuration names, where the document names none."""
        issuer, did = credential.get("issuer"), self.issuers.find(profile).did
        sent = {**credential, "issuer": {"id": did, **issuer} if isinstance(issuer, dict) else issuer or did}
        status, body = await self.post(f"/{profile}/credentials/issue", {"credential": sent, "options": options})
        return status, body.get("verifiableCredential", body)

    async def verify(self, profile: str, credential: Any, **options: Any) -> int:
        """The verifier's status; its body says the same."""
        sent = {"verifiableCredential": credential, "options": {"checks": ["proof"], **options}}
        status, body = await self.post(f"/{profile}/credentials/verify", sent)
        assert body["verified"] is (status == 200)
        assert bool(body["errors"]) is (status != 200)
        return status

    async def verify_presented(self, profile: str, presentation: Any) -> int:
        """The status of a presentation's verification."""
        body = {"verifiablePresentation": presentation, "options": {"checks": []}}
        return (await self.post(f"/{profile}/presentations/verify", body))[0]


@pytest.fixture
async def suite() -> AsyncIterator[Suite]:
    issuers = Issuers()
    app = create_conformance_app(issuers, ManualClock(), _BASE)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=_BASE) as http:
        yield Suite(http, issuers)


@pytest.fixture
def present() -> Any:
    """A presentation by a key of the suite's own, as its data generator makes it."""
    key = signer()
    did = key.verification_method.partition("#")[0]

    def made(number: int = 0, **change: Any) -> dict[str, Any]:
        unsigned = {
            "@context": [CREDENTIALS_V2],
            "type": ["VerifiableCredential"],
            "issuer": did,
            "credentialSubject": {"id": "did:example:subject"},
        }
        signed = create_proof(unsigned, key, ProofOptions("eddsa-rdfc-2022", CREATED))
        document: dict[str, Any] = {"@context": [CREDENTIALS_V2], "type": ["VerifiablePresentation"]}
        document |= {"verifiableCredential": [signed] * number} if number else {}
        options = ProofOptions("eddsa-rdfc-2022", CREATED, purpose="authentication", domain="suite", challenge="u1")
        return create_proof(document | change, key, options)

    made.did = did  # type: ignore[attr-defined]
    return made
