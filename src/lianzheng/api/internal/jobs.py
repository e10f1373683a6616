"""Long work of the node: what runs, how far it is, how it ended; cancelling it."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.flows.jobs import Job

__all__ = ["create_router", "encode_job"]


def encode_job(job: Job) -> dict[str, Any]:
    """The job as the API shows it; ``error`` is null unless it failed."""
    error = {"code": job.code, "text": job.text, "next_step": job.next_step} if job.state == "failed" else None
    return {
        "id": job.id,
        "kind": job.kind,
        "subject": job.subject,
        "state": job.state,
        "done": job.done,
        "total": job.total,
        "started_ms": job.started_ms,
        "ended_ms": job.ended_ms,
        "result": None if job.result is None else dict(job.result),
        "error": error,
    }


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "jobs")

    @router.get("/jobs")
    async def jobs() -> dict[str, Any]:
        """Running jobs and the last that ended, oldest first."""
        return {"jobs": [encode_job(job) for job in services.jobs.all()]}

    @router.get("/jobs/{job}")
    async def job_status(job: str) -> dict[str, Any]:
        """One job: state `running`, `done`, `failed` or `cancelled`, with its counts, result or error."""
        return encode_job(services.jobs.get(job))

    @router.delete("/jobs/{job}")
    async def cancel(job: str) -> dict[str, Any]:
        """Ask a job to stop; it says `cancelled` once what it had begun is undone. An ended job stays as it is."""
        return encode_job(services.jobs.cancel(job))

    return router
