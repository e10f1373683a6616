"""Sources: sent to the node, then loaded by a job; small ones in one request."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from lianzheng.api.body import check_declared
from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.compute.model import DatasetId
from lianzheng.flows.intake import Loaded, LoadOrder
from lianzheng.flows.jobs import Progress, Result
from lianzheng.limits import CSV_ROWS_MAX, MAPPING_BYTES_MAX, SOURCE_BYTES_MAX, UPLOAD_BYTES_MAX

__all__ = ["create_router"]


class LoadBody(BaseModel):
    """Which upload, how to read it, and how many bad rows the operator leaves out knowingly."""

    model_config = ConfigDict(extra="forbid")
    upload: str
    format: Literal["csv", "parquet"] = "csv"
    mapping: Annotated[str, Field(max_length=MAPPING_BYTES_MAX)] | None = None
    accept_bad: Annotated[int, Field(strict=True, ge=0, le=CSV_ROWS_MAX)] = 0


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "compute")

    @router.post("/uploads")
    async def upload(request: Request, upload: str | None = None) -> dict[str, Any]:
        """Send a source; it waits in the node's home until it is loaded, refused or deleted.

        With `upload`, 32 hexadecimal digits of the sender's choice, it can be deleted even if this answer is lost.
        """
        check_declared(request, UPLOAD_BYTES_MAX)
        found = await services.intake.uploads.save(request.stream(), UPLOAD_BYTES_MAX, upload)
        return {"upload": found.id, "bytes": found.size, "sha256": found.digest.hex()}

    @router.delete("/uploads/{upload}")
    async def discard(upload: str) -> dict[str, Any]:
        """Delete a source that was sent and not loaded."""
        services.intake.uploads.remove(upload)
        return {"upload": upload}

    @router.post("/datasets/{dataset}/loads")
    async def begin_load(dataset: DatasetId, body: LoadBody) -> dict[str, Any]:
        """Load an upload as a job: its good rows replace the data set, or nothing changes. The upload is used up."""
        services.intake.uploads.path(body.upload)
        order = LoadOrder(body.format, None if body.mapping is None else body.mapping.encode(), body.accept_bad)

        async def work(progress: Progress) -> Result:
            return _encode(await services.intake.load(dataset, body.upload, order, progress))

        return {"job": services.jobs.start("dataset-load", work, subject=dataset).id}

    @router.post("/datasets/{dataset}/source")
    async def load(dataset: DatasetId, request: Request) -> dict[str, Any]:
        """Load a CSV source whole, or refuse it with row, column and reason of each problem."""
        check_declared(request, SOURCE_BYTES_MAX)
        found = await services.intake.uploads.save(request.stream(), SOURCE_BYTES_MAX)
        return _encode(await services.intake.load(dataset, found.id, LoadOrder()))

    return router


def _encode(loaded: Loaded) -> dict[str, Any]:
    return {
        "dataset": loaded.dataset,
        "people": loaded.people,
        "skipped": loaded.skipped,
        "as_of": loaded.as_of,
        "sha256": loaded.digest.hex(),
    }
