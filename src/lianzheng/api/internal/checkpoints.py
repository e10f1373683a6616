"""Checkpoint notes that this node collected; anybody inside the house may read them, the operator collects one."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from lianzheng.api.following import LedgerServices
from lianzheng.api.internal.auth import operator_router
from lianzheng.limits import INT_MAX

__all__ = ["create_router"]

_NOTE = "text/plain; charset=utf-8"


def create_router(services: LedgerServices) -> APIRouter:
    """Routes under ``/api/v1/ledger/checkpoints``."""
    router, operator = APIRouter(), operator_router(services, "ledger")

    @router.get("/api/v1/ledger/checkpoints", tags=["ledger"])
    async def checkpoints(
        before: Annotated[int | None, Query(ge=0, le=INT_MAX, description="`next` of the page before.")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> dict[str, Any]:
        """Notes, the highest first."""
        found = await services.checkpoints.page(before, limit)
        lines = [{"height": height, "made_ms": made_ms, "note": note} for height, note, made_ms in found]
        return {"checkpoints": lines, "next": found[-1][0] if len(found) == limit else None}

    @router.get("/api/v1/ledger/checkpoints/latest", tags=["ledger"])
    async def latest() -> Response:
        """The newest note: exact bytes of a signed note."""
        return Response((await services.checkpoints.get()).note, media_type=_NOTE)

    @router.get("/api/v1/ledger/checkpoints/{height}", tags=["ledger"])
    async def of_height(height: int) -> Response:
        """The note of a height: exact bytes of a signed note."""
        return Response((await services.checkpoints.get(height)).note, media_type=_NOTE)

    @operator.post("/ledger/checkpoints")
    async def collect() -> dict[str, Any]:
        """Ask every other node for its signature on a checkpoint of the newest head, and keep the note."""
        found = await services.checkpoints.collect()
        return {
            "height": found.kept.height,
            "note": found.kept.note,
            "groups": list(found.groups),
            "failed": found.failed,
        }

    router.include_router(operator)
    return router
