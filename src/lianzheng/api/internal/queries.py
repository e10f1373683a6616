"""What may be asked in the alliance, and hidden queries about one or many consenting customers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.encoding.binary import b64u_decode
from lianzheng.errors import FormatError
from lianzheng.flows.alliance import ProviderTrace
from lianzheng.flows.offers import catalogue
from lianzheng.limits import GATE_BATCH_MAX

__all__ = ["create_router", "encode_trace"]


class QueryBody(BaseModel):
    """Whom to ask about, by client reference, under which task."""

    model_config = ConfigDict(extra="forbid")
    task: str
    clients: Annotated[list[str], Field(min_length=1, max_length=GATE_BATCH_MAX)]


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "compute")

    @router.get("/catalogue")
    async def offers(purpose: str, function: str = "hidden-query") -> dict[str, Any]:
        """Other active members' views that may be asked for under a purpose."""
        found = catalogue(services.engine.state, services.did, purpose, function)
        return {"purpose": purpose, "function": function, "offers": [asdict(one) for one in found]}

    @router.post("/queries")
    async def query(body: QueryBody) -> dict[str, Any]:
        """Every provider of the task asked about each customer, in one batch a provider; each answer stands alone.

        Bands alone; nothing is assessed and no case is opened. `assessments` asks and assesses.
        """
        if len(set(body.clients)) != len(body.clients):
            raise FormatError("batch_duplicate", "A customer is named twice in one batch.")
        for client in body.clients:
            await services.clients.record(client)
        task = b64u_decode(body.task, 32)
        if len(body.clients) == 1:
            rows = [await services.alliance.ask_all(body.clients[0], task)]
        else:
            rows = await services.alliance.ask_many(body.clients, task)
        answers = [
            {"client": client, "traces": [encode_trace(trace) for trace in traces]}
            for client, traces in zip(body.clients, rows, strict=True)
        ]
        return {"task": body.task, "answers": answers}

    return router


def encode_trace(trace: ProviderTrace) -> dict[str, Any]:
    """One provider's part as the API shows it."""
    return {**asdict(trace), "bands": trace.bands.to_json()}
