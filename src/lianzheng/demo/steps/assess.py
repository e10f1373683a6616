"""Steps 6 and 7: hidden queries to each provider, then the assessment of every customer of the requester."""

from __future__ import annotations

import asyncio
from random import Random
from typing import Any

from lianzheng.demo.stage import Case, Stage
from lianzheng.demo.steps.consent import granted

__all__ = ["answers_for", "assess", "query"]

_AT_ONCE = 8


async def query(stage: Stage) -> None:
    """One customer in detail: what travels, what comes back, what the provider knows afterwards."""
    case = next(case for case in stage.cases if case.consent is not None)
    await granted(stage, [case])
    questionnaire = await stage.requester.api.get("/api/v1/questionnaire")
    await _assess_one(stage, case, questionnaire)
    for trace in _traces(case):
        bands, provider = trace["bands"], _short(stage, trace["bands"]["provider"])
        shown = ", ".join(f"{code} band {band}" for code, band in sorted(bands["bands"].items()) if band)
        what = f"gate: token checked, 2 views answered → {shown or 'all in the first band (or no record)'}"
        stage.screen.act(provider, what, trace["sent_bytes"] + trace["received_bytes"])
        stage.require(f"{provider} answered", bands["status"] == "answered")
    stage.screen.note("the bands come out of ciphertext tables at broker A: each table is downloaded once an epoch")
    for broker in stage.providers:
        log = await broker.api.get("/api/v1/gate/log")
        line = log["uses"][-1]
        who = _short(stage, line["peer"])
        stage.screen.act(
            broker.short, f"its whole log of this: {who} asked {len(line['views'])} views, cid {line['cid'][:12]}…"
        )
    numbers = [person.number.encode() for person in stage.people]
    logs = b"".join((broker.home / "node.log").read_bytes() for broker in stage.brokers)
    stage.require("no identity number stands in any node's log", not any(number in logs for number in numbers))


async def assess(stage: Stage) -> None:
    """Everybody else, several at a time."""
    questionnaire = await stage.requester.api.get("/api/v1/questionnaire")
    await granted(stage, [case for case in stage.cases if case.consent is not None])
    gate = asyncio.Semaphore(_AT_ONCE)

    async def one(case: Case) -> None:
        async with gate:
            await _assess_one(stage, case, questionnaire)

    await asyncio.gather(*(one(case) for case in stage.cases if case.result is None))
    results = [case.result["assessment"] for case in stage.cases if case.result is not None]
    local = sum(result["local_only"] for result in results)
    stage.screen.act(
        "broker A",
        f"{len(results)} customers assessed, {len(results) - local} with the alliance's bands, {local} locally",
    )
    levels = [f"C{number}" for number in range(1, 6)]
    told = [sum(result["score"]["level"] == level for result in results) for level in levels]
    final = [sum(result["level"] == level for result in results) for level in levels]
    rows = [("by questionnaire", *map(str, told)), ("after local data and bands", *map(str, final))]
    stage.screen.table("Levels", ("", *levels), rows)
    lowered = sum(result["level"] < result["score"]["level"] for result in results)
    raised = sum(result["level"] > result["score"]["level"] for result in results)
    flagged = sum(bool(result["flags"]) for result in results)
    stage.screen.note(f"{lowered} lowered, {flagged} flagged, {raised} raised: bands may lower or flag, never raise")
    stage.require("no level was raised", raised == 0)


def answers_for(questionnaire: dict[str, Any], rng: Random) -> tuple[dict[str, str], list[str]]:
    """Some answers, and the consistency warnings to confirm; options that a rule disables are not chosen."""
    chosen = {item["id"]: rng.choice(_harmless(item["options"]))["id"] for item in questionnaire["items"]}
    warned: list[str] = []
    for rule in questionnaire["rules"]:
        first, second = rule["first"], rule["second"]
        if chosen[first["item"]] not in first["options"] or chosen[second["item"]] not in second["options"]:
            continue
        if rule["kind"] == "warn":
            warned.append(rule["id"])
        else:
            item = next(item for item in questionnaire["items"] if item["id"] == second["item"])
            free = [one["id"] for one in _harmless(item["options"]) if one["id"] not in second["options"]]
            chosen[item["id"]] = free[0]
    return chosen, warned


def _harmless(options: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [option for option in options if not option["lowest_class"]]


async def _assess_one(stage: Stage, case: Case, questionnaire: dict[str, Any]) -> None:
    answers, warned = answers_for(questionnaire, Random(stage.settings.seed * 100_003 + case.person.serial))
    body = {
        "case_id": case.case_id,
        "client": case.client,
        "answers": answers,
        "confirmed": warned,
        "task": stage.task,
    }
    case.result = await stage.requester.api.post("/api/v1/assessments", body)


def _traces(case: Case) -> list[dict[str, Any]]:
    return [] if case.result is None else list(case.result["traces"])


def _short(stage: Stage, did: str) -> str:
    return next((broker.short for broker in stage.brokers if broker.did == did), "a member")
