"""Cases, bundles and the trust file."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.evidence.model import Acknowledgement
from lianzheng.evidence.ports import PlacedRecord
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
        return {"records": [_line(item) for item in placed]}

    @operator.get("/cases/{case_id}/documents")
    async def documents(case_id: str) -> dict[str, Any]:
        """The documents of a case, each with the record that names it."""
        found = []
        for item in await services.evidence.case(case_id):
            leaf, record = b64u_encode(item.stored.leaves.sha256), item.stored.record
            found += [{"record": leaf, "scene": record.scene, **one.to_json()} for one in record.documents]
        return {"documents": found}

    @operator.get("/evidence/documents/{sha256}")
    async def document(sha256: str) -> Response:
        """The very bytes of a document, by their digest; what they are, its record says."""
        data = await services.evidence.document(b64u_decode(sha256, 32))
        headers = {"content-disposition": "attachment", "x-content-type-options": "nosniff"}
        return Response(data, media_type="application/octet-stream", headers=headers)

    @operator.get("/evidence/records/{leaf}")
    async def record(leaf: str) -> dict[str, Any]:
        """One record by its SHA-256 leaf, with its salt, promise and state: what the person concerned may hold."""
        item = await services.evidence.find(b64u_decode(leaf, 32))
        kept = Acknowledgement(record=item.stored.record, salt=item.stored.salt, promise=item.stored.promise)
        return {"state": item.state, "leaf": leaf, **kept.to_json()}

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


def _line(item: PlacedRecord) -> dict[str, Any]:
    return {"state": item.state, "leaf": b64u_encode(item.stored.leaves.sha256), **item.stored.record.to_json()}
