"""The clerk's side of consent: offers to show, what a client has agreed to, withdrawal at the counter."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.encoding.binary import b64u_encode

__all__ = ["create_router"]


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "consent")

    @router.get("/clients/{reference}/consents")
    async def consents(reference: str) -> dict[str, Any]:
        """A client's consents with the state of each token; never the token or its r."""
        found = []
        for consent in await services.consent_store.consents_of(reference):
            tokens = await services.consent_store.tokens(consent.consent_id)
            found.append(
                {
                    "consent_id": consent.consent_id,
                    "status": consent.status,
                    "received_ms": consent.received_ms,
                    "tokens": [
                        {"provider": one.provider, "cid": b64u_encode(one.cid), "state": one.state, "code": one.code}
                        for one in tokens
                    ],
                }
            )
        return {"consents": found}

    @router.post("/consents/flush")
    async def flush() -> dict[str, Any]:
        """Post the waiting grants if a batch is due (the node's worker does this by itself)."""
        return {"posted": await services.consents.flush_due()}

    @router.post("/consents/{consent_id}/withdrawal")
    async def withdraw(consent_id: str) -> dict[str, Any]:
        """Withdraw as the grants' sender: the person's way at the counter (AUTH-4)."""
        return {"revoked": await services.consent_desk.withdraw(consent_id)}

    return router
