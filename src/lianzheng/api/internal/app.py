"""The internal API: one router a slice; the operator's routes need the bearer token, the wallets' prove themselves."""

from __future__ import annotations

from fastapi import FastAPI, Response

from lianzheng import __version__
from lianzheng.api.following import LedgerServices
from lianzheng.api.internal import (
    checkpoints,
    compute,
    consents,
    credentials,
    evidence,
    explorer,
    governance,
    identifiers,
    jobs,
    ledger,
    openid,
    pages,
    proofs,
    queries,
    records,
    sources,
    suitability,
    wallet,
)
from lianzheng.api.problem import ProblemApp
from lianzheng.api.services import NodeServices
from lianzheng.evidence.model import TrustFile
from lianzheng.flows.checkpoints import witness_trust

__all__ = ["create_internal_app"]


def create_witness_app(services: LedgerServices) -> FastAPI:
    """The same listener at a witness's node: status, explorer, proofs, checkpoints, and the network's trust file."""
    app = ProblemApp(title="Lianzheng 联证 witness", version=__version__, docs_url=None, redoc_url=None)
    for create in (ledger.create_router, proofs.create_router, checkpoints.create_router, explorer.create_router):
        app.include_router(create(services))
    plain = TrustFile.of_genesis(services.genesis)

    @app.get("/api/v1/network/trust", tags=["evidence"])
    async def trust() -> Response:
        """What `lianzheng verify --trust` takes (B34: exact bytes)."""
        return Response(plain.to_bytes(), media_type="application/json")

    @app.get("/api/v1/network/trust/witnesses", tags=["evidence"])
    async def witnesses() -> Response:
        """The same with everybody who cosigns checkpoints, by control group (EV-6)."""
        found = witness_trust(plain, services.checkpoints.cosigners())
        return Response(found.to_bytes(), media_type="application/json")

    return app


def create_internal_app(services: NodeServices) -> FastAPI:
    """The application of the plain-HTTP listener inside the house, with its OpenAPI pages under ``/docs``."""
    app = ProblemApp(
        title="Lianzheng 联证",
        version=__version__,
        summary="Investor suitability across brokers: the member's own API, the wallets' inbox, DID resolution.",
        docs_url=None,
        redoc_url=None,
    )
    # Routes are tried one after the other, and records come in by the thousand a second.
    app.include_router(records.create_router(services))
    app.include_router(pages.create_router())
    for module in (
        ledger,
        proofs,
        checkpoints,
        explorer,
        identifiers,
        credentials,
        openid,
        wallet,
        governance,
        compute,
        queries,
        sources,
        jobs,
        consents,
        suitability,
        evidence,
    ):
        app.include_router(module.create_router(services))
    return app
