"""Step 5: the task contract, proposed by the requester, approved by each provider, on the ledger (TASK-1)."""

from __future__ import annotations

from typing import Any

from lianzheng.clock import DAY_MS
from lianzheng.crypto.digest import sha256
from lianzheng.demo.stage import Broker, Stage
from lianzheng.encoding.binary import b64u_encode

__all__ = ["agree", "contract"]

_TASK_DAYS = 30
_ASSESSMENT = "个人信息保护影响评估（样本）/ impact assessment (sample)"


def contract(stage: Stage, requester: Broker, purpose: str, providers: list[Broker]) -> dict[str, Any]:
    """A hidden-query contract of ``requester`` with these providers."""
    return {
        "v": 1,
        "function": "hidden-query",
        "function_version": 1,
        "requester": requester.did,
        "providers": sorted(broker.did for broker in providers),
        "views": sorted(view for broker in providers for view in broker.views()),
        "purpose": purpose,
        "parameters": {},
        "receiver": requester.did,
        "quota": 8 * max(len(stage.people), 1),
        "expires_ms": stage.clock.now_ms() + _TASK_DAYS * DAY_MS,
        "impact_assessment": b64u_encode(sha256("impact-assessment", _ASSESSMENT)),
    }


async def agree(stage: Stage) -> None:
    """Propose and approve."""
    terms = contract(stage, stage.requester, "suitability-assessment", stage.providers)
    proposed = await stage.requester.api.post("/api/v1/tasks", terms)
    stage.task = proposed["task"]
    stage.screen.act("broker A", f"proposes task {stage.task[:12]}…: hidden query, purpose suitability-assessment")
    for broker in stage.providers:
        receipt = await broker.api.post(f"/api/v1/tasks/{stage.task}/approval")
        stage.screen.act(broker.short, f"approves the contract: ledger height {receipt['height']}")
