"""The clerk's side of consent: offers to show, what a client has agreed to, withdrawal at the counter."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.consent.model import consent_state_key, decode_token
from lianzheng.consent.ports import StoredConsent, StoredToken
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.jcs import decode_w3c
from lianzheng.errors import NotFoundError
from lianzheng.flows.acts import consent_case
from lianzheng.flows.offers import OfferOrder, make_offer

__all__ = ["create_router"]

Count = Annotated[int, Field(strict=True, ge=1, le=10_000)]


class OfferBody(BaseModel):
    """What the clerk decides; names, codes and views come from the ledger."""

    model_config = ConfigDict(extra="forbid")
    client: str
    purpose: str
    function: str = "hidden-query"
    providers: list[str] = []
    """Empty: everybody who offers something for the purpose."""
    queries: Count = 4
    look_back_months: Count = 24
    retention_days: Count = 365
    contact: str
    complaints: str
    template: str = "sharing-zh-1"
    processors: list[str] = []


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "consent")

    @router.post("/consents/offers")
    async def offer(body: OfferBody) -> dict[str, Any]:
        """What to put before a client: a ``ConsentOffer`` with a fresh id. Nothing is kept until it comes back signed.

        Asked are all views that the providers offer for the purpose.
        """
        await services.clients.record(body.client)
        fields = body.model_dump() | {"providers": tuple(body.providers), "processors": tuple(body.processors)}
        made = make_offer(services.engine.state, services.did, services.genesis.chain_id, OfferOrder(**fields))
        return made.to_json()

    @router.get("/clients/{reference}/consents")
    async def consents(reference: str) -> dict[str, Any]:
        """A client's consents with the state of each token; never the token or its r."""
        found = await services.consent_store.consents_of(reference)
        return {"consents": [_summary(one, await services.consent_store.tokens(one.consent_id)) for one in found]}

    @router.get("/consents/{consent_id}")
    async def consent(consent_id: str) -> dict[str, Any]:
        """One consent as it was signed, and for each token what the ledger says of it now."""
        found = await services.consent_store.consent(consent_id)
        if found is None:
            raise NotFoundError("consent_unknown", "This member holds no such consent.")
        tokens = await services.consent_store.tokens(consent_id)
        subject = decode_w3c(found.document)["credentialSubject"]
        lines = [{**_token(one), **_terms(services, one)} for one in tokens]
        signed = {name: subject["offer"][name] for name in ("purpose", "function", "queries")}
        days = {name: subject[name] for name in ("not_before", "not_after")}
        who = {"client": found.client_reference, "subject": found.subject, "case": consent_case(consent_id)}
        return {**_summary(found, tokens), **who, **signed, **days, "tokens": lines}

    @router.post("/consents/flush")
    async def flush() -> dict[str, Any]:
        """Post the waiting grants if a batch is due (the node's worker does this by itself)."""
        return {"posted": await services.consents.flush_due()}

    @router.post("/consents/{consent_id}/withdrawal")
    async def withdraw(consent_id: str) -> dict[str, Any]:
        """Withdraw as the grants' sender: the person's way at the counter (AUTH-4)."""
        return {"revoked": await services.consent_desk.withdraw(consent_id)}

    return router


def _summary(consent: StoredConsent, tokens: tuple[StoredToken, ...]) -> dict[str, Any]:
    return {
        "consent_id": consent.consent_id,
        "status": consent.status,
        "received_ms": consent.received_ms,
        "tokens": [_token(one) for one in tokens],
    }


def _token(token: StoredToken) -> dict[str, Any]:
    return {"provider": token.provider, "cid": b64u_encode(token.cid), "state": token.state, "code": token.code}


def _terms(services: NodeServices, token: StoredToken) -> dict[str, Any]:
    terms = decode_token(token.token).terms
    record = services.engine.state.get(consent_state_key(token.cid))
    ledger = None if record is None else record["status"]
    return {"views": list(terms.views), "max_uses": terms.max_uses, "ledger": ledger}
