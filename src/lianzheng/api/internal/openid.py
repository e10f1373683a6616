"""The operator's side of OpenID: make an offer or a presentation request for an outside wallet, read the answer."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.errors import NotFoundError
from lianzheng.flows.openid import Granted, OpenIdDesk, Presented, Wish
from lianzheng.limits import OPENID_OFFER_CREDENTIALS_MAX

__all__ = ["create_router"]

Text = Annotated[str, Field(min_length=1, max_length=400)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class OpenIdOfferedCredential(_Body):
    """One credential of an offer: what is said, without `id` of the subject, which is the wallet's key."""

    configuration: Text
    credential: dict[str, Any]
    status: bool = True


class OpenIdOfferBody(_Body):
    """An offer for one wallet. ``tx_code``: with a code that the person gets by another way."""

    credentials: Annotated[list[OpenIdOfferedCredential], Field(min_length=1, max_length=OPENID_OFFER_CREDENTIALS_MAX)]
    tx_code: bool = True
    holder: Text | None = None
    """Only for this DID."""


class OpenIdWishBody(_Body):
    """A presentation request; members as of ``Wish``."""

    dcql_query: dict[str, Any]
    purpose: Text
    signed: bool = True
    encrypted: bool = False
    redirect_uri: Text | None = None


class OpenIdOfferAnswer(BaseModel):
    """What goes to the wallet, and the transaction code, which must not go the same way."""

    credential_offer: dict[str, Any]
    uri: str
    uri_by_reference: str
    tx_code: str | None


class OpenIdAskedAnswer(BaseModel):
    """What goes to the wallet, and the name under which the answer is read."""

    id: str
    uri: str


class OpenIdPresentedAnswer(BaseModel):
    """One credential of an accepted answer."""

    query: str
    holder: str
    kind: str | None
    issuer: str
    trust: str
    credential: dict[str, Any]


class OpenIdResultAnswer(BaseModel):
    """``state``: open, checking, presented, declined, dead; ``error``: the last refusal."""

    state: str
    error: str
    presented: list[OpenIdPresentedAnswer]


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token; 404 ``openid_off`` at nodes without OpenID."""
    router = operator_router(services, "openid")

    @router.post("/openid/offers", status_code=201, response_model=OpenIdOfferAnswer)
    async def offer(body: OpenIdOfferBody) -> Any:
        """A credential offer with a pre-authorised code: ten minutes, one use, five tries at the transaction code."""
        desk = _desk(services)
        granted = [Granted(one.configuration, one.credential, one.status) for one in body.credentials]
        made = desk.issuance.offer(granted, tx_code=body.tx_code, holder=body.holder)
        return {
            "credential_offer": made.offer,
            "uri": made.uri,
            "uri_by_reference": made.uri_by_reference,
            "tx_code": made.tx_code,
        }

    @router.post("/openid/presentations", status_code=201, response_model=OpenIdAskedAnswer)
    async def ask(body: OpenIdWishBody) -> Any:
        """A presentation request by DCQL for one purpose of the registry."""
        desk = _desk(services)
        made = desk.presentation.ask(
            Wish(body.dcql_query, body.purpose, body.signed, body.encrypted, body.redirect_uri)
        )
        return {"id": made.id, "uri": made.uri}

    @router.get("/openid/presentations/{name}", response_model=OpenIdResultAnswer)
    async def result(name: str, response_code: str | None = None) -> Any:
        """How a presentation request stands; `response_code` where the wallet was sent on with one."""
        state, error, presented = _desk(services).presentation.result(name, response_code)
        return {"state": state, "error": error, "presented": [_presented(one) for one in presented]}

    return router


def _desk(services: NodeServices) -> OpenIdDesk:
    if services.openid is None:
        raise NotFoundError(
            "openid_off",
            "This node does not serve outside wallets.",
            next_step="Set enabled and base_url under [openid] in node.toml.",
        )
    return services.openid


def _presented(one: Presented) -> dict[str, Any]:
    verdict = one.verdict
    return {
        "query": one.query,
        "holder": one.holder,
        "kind": None if verdict.kind is None else verdict.kind.name,
        "issuer": verdict.trust.issuer,
        "trust": verdict.trust.rule,
        "credential": verdict.document,
    }
