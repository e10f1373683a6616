"""Step 7, continued: a client under 65 asks unprompted for an R4 product above the own level."""

from __future__ import annotations

import asyncio
from typing import Any

from lianzheng.demo.stage import Case, Stage
from lianzheng.errors import LianzhengError
from lianzheng.suitability.customers import age_on
from lianzheng.suitability.model import BLOCKS

__all__ = ["begin", "finish"]

_ELDERLY = 65
_WARNING = (
    "特别风险警示：您申请购买的产品风险等级为R4，高于您的风险承受能力等级。您可能损失全部本金。"
    "Special written warning: this product is R4, above your level. You may lose all of your money."
)
_DECLARATION = (
    "本人主动要求购买，已阅读警示，自愿承担风险。"
    "I asked for this product myself, have read the warning, and bear the risk."
)
_CONFIRMATION = "再次确认。 I confirm once more."


async def begin(stage: Stage) -> Case | None:
    """Asked, shown, warned; each step is evidence. None while nobody assessed so far fits the scene."""
    case = _candidate(stage)
    if case is None or case.result is None:
        return None
    api, products = stage.requester.api, await stage.requester.api.get("/api/v1/products")
    product = next(product for product in products["products"] if product["risk"] == "R4")
    level = case.result["assessment"]["level"]
    match = await api.post(
        "/api/v1/matches",
        {
            "case_id": case.case_id,
            "client": case.client,
            "profile": _profile(stage, case),
            "assessment": case.result["assessment"],
            "product": product["id"],
        },
    )
    stage.screen.act(
        "client", f"level {level}, asks for {product['en']} ({product['risk']}): fails on {', '.join(match['failing'])}"
    )
    body = {"case_id": case.case_id, "client": case.client, "match": match, "operator": "clerk-1"}
    refusal: LianzhengError | None = None
    try:
        await api.post("/api/v1/mismatches", {**body, "unprompted": False})
    except LianzhengError as error:
        refusal = error
    stage.expect(
        "broker A", "recommending it: a hard block that no role overrides", refusal, "recommendation_above_level"
    )
    await api.post("/api/v1/mismatches", {**body, "unprompted": True})
    for event in ("show", "access"):
        await _step(stage, case, event)
    await _step(stage, case, "warn", _WARNING)
    stage.screen.act(
        "broker A", "result shown, access rules checked, special written warning on screen", len(_WARNING.encode())
    )
    refusal = await _declare(stage, case)
    stage.expect("broker A", "a declaration before the reading time is over", refusal, "reading_time_short")
    stage.screen.note("reading time: 5 s in the demonstration's policy table, 60 s in the ordinary one; meanwhile …")
    return case


async def finish(stage: Stage, case: Case) -> None:
    """Declared once the reading time is over, confirmed, one order."""
    while (refusal := await _declare(stage, case)) is not None:
        if refusal.code != "reading_time_short":
            raise refusal
        await asyncio.sleep(1 / 4)
    await _step(stage, case, "reconfirm", _CONFIRMATION)
    await _step(stage, case, "order", reference="ORDER-0001")
    stage.screen.act("client", "has read the warning, declares and signs, confirms; one order, a return visit is due")


async def _declare(stage: Stage, case: Case) -> LianzhengError | None:
    try:
        await _step(stage, case, "declare", _DECLARATION)
    except LianzhengError as error:
        return error
    return None


async def _step(stage: Stage, case: Case, event: str, text: str = "", reference: str | None = None) -> None:
    body: dict[str, Any] = {"event": event, "operator": "clerk-1", "reference": reference}
    if text:
        body["documents"] = [{"name": f"{event}.txt", "text": text}]
    await stage.requester.api.post(f"/api/v1/mismatches/{case.case_id}/steps", body)


def _candidate(stage: Stage) -> Case | None:
    for case in stage.cases:
        if case.result is None or case.consent is None:
            continue
        found = case.result["assessment"]
        young = age_on(case.person.birth_date, stage.today()) < _ELDERLY
        if young and found["level"] in ("C1", "C2", "C3") and not found["lowest_class"]:
            return case
    return None


def _profile(stage: Stage, case: Case) -> dict[str, Any]:
    now = stage.clock.now_ms()
    fact = {"value": "provided", "source": "client", "time_ms": now, "verified_by": "clerk-1", "evidence": case.case_id}
    return {"subject": case.client, "fields": [{"block": block, "name": block, **fact} for block in BLOCKS]}
