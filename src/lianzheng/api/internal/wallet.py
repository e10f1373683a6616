"""The wallets' inbox: enrolment, consents, withdrawal, access log. Each message proves itself; no log-in (AUTH-4)."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict

from lianzheng.api.body import BoundedRoute, read_body
from lianzheng.api.services import NodeServices
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import RefusedError
from lianzheng.identity.enrolment import EnrolmentRequest
from lianzheng.ids import Did
from lianzheng.ledger.sender import require_ok
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import FORM_BYTES_MAX, MESSAGE_BYTES_MAX, TRANSACTION_BYTES_MAX

__all__ = ["create_router"]


class ChallengeBody(BaseModel):
    """The wallet that wants to enrol."""

    model_config = ConfigDict(extra="forbid")
    did: Did


def create_router(services: NodeServices) -> APIRouter:
    """Routes under ``/api/v1/wallet``."""
    router = APIRouter(prefix="/api/v1/wallet", tags=["wallet"], route_class=BoundedRoute)

    @router.post("/enrolment-challenges")
    async def challenge(body: ChallengeBody) -> dict[str, Any]:
        """A nonce for one DID, good for ten minutes (ID-7)."""
        return (await services.issuer.challenge(body.did)).to_json()

    @router.post("/enrolments")
    async def enrol(request: Request) -> dict[str, Any]:
        """The document is checked against this member's customers and the class of (G, U, V) signed (ID-7)."""
        raw = await read_body(request, MESSAGE_BYTES_MAX)
        return (await services.issuer.enrol(EnrolmentRequest.from_bytes(raw))).to_json()

    @router.post("/consents")
    async def consent(request: Request) -> dict[str, Any]:
        """A named consent with one token per provider; its grants go on the ledger with the next batch (AUTH-2..4)."""
        receipt = await services.consent_desk.receive(await read_body(request, MESSAGE_BYTES_MAX))
        return {
            "consent_id": receipt.received.consent_id,
            "cids": [b64u_encode(cid) for cid in receipt.received.cids],
            "acknowledgement": receipt.acknowledgement.to_json(),
        }

    @router.post("/revocations")
    async def revoke(request: Request) -> dict[str, Any]:
        """A withdrawal signed by the consent's own key: refused here at once, passed to all members, then posted."""
        receipt = await services.revocations.accept(await read_body(request, TRANSACTION_BYTES_MAX))
        return {"height": None if receipt is None else receipt.height}

    @router.post("/pauses")
    async def pause(request: Request) -> dict[str, Any]:
        """A pause, or the end of one, signed by the consent's own key (AUTH-4); every node takes it."""
        tx = Transaction.parse(await read_body(request, TRANSACTION_BYTES_MAX))
        if tx.body.kind not in ("consent.pause", "consent.resume"):
            raise RefusedError("kind_unknown", "Only pauses of a consent and their ends are taken here.")
        return {"height": require_ok(await services.engine.submit(tx), tx.body.kind).height}

    @router.post("/access-challenges")
    async def access_challenge() -> dict[str, Any]:
        """A nonce for one question about the uses of a consent, good for two minutes."""
        return services.accesses.challenge().to_json()

    @router.post("/accesses")
    async def accesses(request: Request) -> dict[str, Any]:
        """Who asked what under the consent whose key has signed the question, when, and which bands came back."""
        return (await services.accesses.answer(await read_body(request, FORM_BYTES_MAX))).to_json()

    return router
