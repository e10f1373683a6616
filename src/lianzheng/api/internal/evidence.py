"""Cases, bundles and the trust file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.flows.checkpoints import witness_trust

__all__ = ["create_router"]


def create_router(services: NodeServices) -> APIRouter:
    """The trust file is public; cases and bundles need the operator's token."""
    router, operator = APIRouter(), operator_router(services, "evidence")

    @router.get("/api/v1/network/trust", tags=["evidence"])
    async def trust() -> Response:
        """What `lianzheng verify --trust` takes: chain id, genesis digest, signers (B34: exact bytes)."""
        return Response(services.evidence.trust_file(), media_type="application/json")

    @router.get("/api/v1/network/trust/witnesses", tags=["evidence"])
    async def witnesses() -> Response:
        """The same with everybody who cosigns checkpoints, by control group (EV-6)."""
        found = witness_trust(services.evidence.network(), services.checkpoints.cosigners())
        return Response(found.to_bytes(), media_type="application/json")

    @operator.get("/cases")
    async def cases() -> dict[str, Any]:
        """All case ids, oldest first."""
        return {"cases": await services.evidence.cases()}

    @operator.get("/cases/{case_id}")
    async def case(case_id: str) -> dict[str, Any]:
        """The records of a case with their states."""
        placed = await services.evidence.case(case_id)
        return {"records": [{"state": item.state, **item.stored.record.to_json()} for item in placed]}

    @operator.get("/cases/{case_id}/bundle")
    async def bundle(
        case_id: str,
        checkpoint: Annotated[
            str | None, Query(pattern=r"^(latest|[0-9]{1,15})$", description="`latest`, or a checkpoint's height.")
        ] = None,
    ) -> Response:
        """The bundle that `lianzheng verify` checks offline (EV-4); under a cosigned checkpoint if one is named."""
        under = None
        if checkpoint is not None:
            under = await services.checkpoints.get(None if checkpoint == "latest" else int(checkpoint))
        return Response(await services.evidence.bundle(case_id, under), media_type="application/json")

    router.include_router(operator)
    return router
