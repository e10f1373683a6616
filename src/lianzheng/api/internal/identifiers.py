"""DID resolution (``GET /1.0/identifiers/{did}``)."""

from __future__ import annotations

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from lianzheng.api.services import NodeServices
from lianzheng.errors import FormatError, NotFoundError
from lianzheng.identity.resolver import read_did, resolution_result

__all__ = ["create_router"]

_MEDIA_TYPE = "application/did-resolution"


def create_router(services: NodeServices) -> APIRouter:
    """The resolver over this node's committed state."""
    router = APIRouter(tags=["identity"])

    @router.get("/1.0/identifiers/{did}")
    async def resolve(did: str) -> JSONResponse:
        """Document and metadata of a did:lz identifier; 400 for a malformed one, 404 for an unknown one."""
        try:
            return JSONResponse(resolution_result(read_did(services.engine.state, did)), media_type=_MEDIA_TYPE)
        except FormatError:
            return _error(400, "INVALID_DID", "The DID is malformed.")
        except NotFoundError:
            return _error(404, "NOT_FOUND", "The ledger has no such DID.")

    return router


def _error(status: int, name: str, title: str) -> JSONResponse:
    error = {"type": f"https://www.w3.org/ns/did#{name}", "title": title}
    body = {"didDocument": None, "didDocumentMetadata": {}, "didResolutionMetadata": {"error": error}}
    return JSONResponse(body, status_code=status, media_type=_MEDIA_TYPE)
