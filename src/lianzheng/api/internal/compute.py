"""Data sets, view epochs, task contracts and the gate's log."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict

from lianzheng.api.internal.auth import operator_router
from lianzheng.api.services import NodeServices
from lianzheng.compute.datasets.model import DatasetPublish
from lianzheng.compute.tasks.model import TaskContract, approval_record, report_record, task_record
from lianzheng.compute.tasks.service import tasks_of, verify_report
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.errors import NotFoundError
from lianzheng.flows.epochs import begin_epoch, epoch_result
from lianzheng.ids import ViewId
from lianzheng.ledger.receipt import encode_receipt
from lianzheng.limits import EPOCH_DIRECT_MAX

__all__ = ["create_router"]


class EpochBody(BaseModel):
    """Which view to open, until when; as a job or at once; and whether epochs as long follow one another."""

    model_config = ConfigDict(extra="forbid")
    view: ViewId
    until_ms: int
    background: bool = False
    renew: bool | None = None
    """Null: as it was."""


class RefusalBody(BaseModel):
    """Why a task is refused; a code of ``TaskRefuse``."""

    model_config = ConfigDict(extra="forbid")
    reason: str


def create_router(services: NodeServices) -> APIRouter:
    """Routes that need the operator's token."""
    router = operator_router(services, "compute")
    _add_dataset_routes(router, services)
    _add_task_routes(router, services)
    return router


def _add_dataset_routes(router: APIRouter, services: NodeServices) -> None:
    @router.post("/datasets")
    async def publish(body: dict[str, Any]) -> dict[str, Any]:
        """Offer a data set to the alliance (``dataset.publish``)."""
        return encode_receipt(await services.datasets.publish(DatasetPublish.from_json(body)))

    @router.post("/epochs")
    async def open_epoch(body: EpochBody, response: Response) -> dict[str, Any]:
        """Build, commit and publish a new epoch of a view under a fresh key (GATE-0, PIR-1).

        The answer is the epoch; or with status 202 a job, where it is asked for or the people are many.
        """
        if body.renew is not None:
            length_ms = body.until_ms - services.clock.now_ms()
            await services.views.renew(body.view, max(0, length_ms) if body.renew else 0)
        if body.background or await services.views.people(body.view) > EPOCH_DIRECT_MAX:
            response.status_code = 202
            return {"job": begin_epoch(services.jobs, services.views, body.view, body.until_ms).id}
        return dict(epoch_result(await services.views.open_epoch(body.view, body.until_ms)))

    @router.get("/gate/log")
    async def gate_log() -> dict[str, Any]:
        """All that this node knows of the questions it was asked."""
        return {"uses": [asdict(line) for line in services.gate_log.lines()]}


def _add_task_routes(router: APIRouter, services: NodeServices) -> None:
    @router.post("/tasks")
    async def propose(body: dict[str, Any]) -> dict[str, Any]:
        """Propose a task contract; refused at once where its purpose is not a purpose of suitability."""
        task, receipt = await services.task_desk.propose(TaskContract.from_json(body))
        return {"task": b64u_encode(task), "height": receipt.height}

    @router.get("/tasks")
    async def tasks() -> dict[str, Any]:
        """Every task of this member."""
        found = tasks_of(services.engine.state, services.did)
        return {"tasks": [{"task": b64u_encode(task), **record.to_json()} for task, record in found]}

    @router.get("/tasks/{task}")
    async def task_status(task: str) -> dict[str, Any]:
        """The contract with each provider's decision and report."""
        state, key = services.engine.state, b64u_decode(task, 32)
        record = task_record(state, key)
        providers = {}
        for did in record.contract.providers:
            approval, report = approval_record(state, key, did), report_record(state, key, did)
            providers[did] = {
                "decision": None if approval is None else approval.decision,
                "report": None if report is None else report.to_json(),
            }
        return {"task": task, **record.to_json(), "providers": providers}

    @router.post("/tasks/{task}/approval")
    async def approve(task: str) -> dict[str, Any]:
        """Approve as a named provider."""
        return encode_receipt(await services.task_desk.approve(b64u_decode(task, 32)))

    @router.post("/tasks/{task}/refusal")
    async def refuse(task: str, body: RefusalBody) -> dict[str, Any]:
        """Refuse as a named provider."""
        return encode_receipt(await services.task_desk.refuse(b64u_decode(task, 32), body.reason))

    @router.post("/tasks/{task}/report")
    async def report(task: str) -> dict[str, Any]:
        """Post this provider's counts and salted root (GATE-10)."""
        return encode_receipt(await services.tasks.report(b64u_decode(task, 32)))

    @router.get("/tasks/{task}/reports/{provider}/verdict")
    async def verdict(task: str, provider: str) -> dict[str, Any]:
        """As requester: whether a provider's report fits this member's own receipts."""
        state, key = services.engine.state, b64u_decode(task, 32)
        found, salt = report_record(state, key, provider), await services.receipts.task_salt(key, provider)
        if found is None or salt is None:
            raise NotFoundError("report_unknown", "This provider has not reported on the task, or was never asked.")
        cids = [cid for cid, _ in await services.receipts.receipts(key, provider)]
        verify_report(found, salt, cids)
        return {"task": task, "provider": provider, "consents": found.counts.consents, "uses": found.counts.uses}

    @router.post("/tasks/{task}/cancellation")
    async def cancel(task: str) -> dict[str, Any]:
        """End one's own task at once: no more answers."""
        return encode_receipt(await services.tasks.cancel(b64u_decode(task, 32)))

    @router.post("/tasks/{task}/closure")
    async def close(task: str) -> dict[str, Any]:
        """End one's own task."""
        return encode_receipt(await services.tasks.close(b64u_decode(task, 32)))
