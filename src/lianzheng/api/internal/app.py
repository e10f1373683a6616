"""The internal API: one router a slice; the operator's routes need the bearer token, the wallets' prove themselves."""

from __future__ import annotations

from fastapi import FastAPI

from lianzheng import __version__
from lianzheng.api.internal import (
    checkpoints,
    compute,
    consents,
    evidence,
    explorer,
    governance,
    identifiers,
    jobs,
    ledger,
    pages,
    proofs,
    records,
    sources,
    suitability,
    wallet,
)
from lianzheng.api.problem import ProblemApp
from lianzheng.api.services import NodeServices

__all__ = ["create_internal_app"]


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
        wallet,
        governance,
        compute,
        sources,
        jobs,
        consents,
        suitability,
        evidence,
    ):
        app.include_router(module.create_router(services))
    return app
