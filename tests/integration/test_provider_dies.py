"""A provider's process is killed with SIGKILL: the assessment goes on, and when it returns every count still stands."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from lianzheng.clock import DAY_MS, SystemClock
from lianzheng.demo.processes import NodeProcesses
from lianzheng.demo.screen import Screen
from lianzheng.demo.stage import Broker, Case, Settings, Stage
from lianzheng.demo.steps.assess import answers_for
from lianzheng.demo.steps.consent import consent, granted
from lianzheng.demo.steps.data import load
from lianzheng.demo.steps.enrolment import enrol
from lianzheng.demo.steps.founders import found, prepare
from lianzheng.demo.steps.task import agree

VIEWS = 2
"""Views that a demo provider offers; one question uses that many."""


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Three node processes, ten people, consents on the ledger, an approved task."""
    clock = SystemClock()
    screen = Screen(Console(file=io.StringIO()), clock)
    made = Stage(Settings(people=10, seed=3, out=tmp_path), screen, clock)
    prepare(made)
    async with AsyncExitStack() as stack:
        made.processes = NodeProcesses({broker.short: broker.home for broker in made.brokers})
        await stack.enter_async_context(made.processes)
        for node in made.nodes:
            await stack.enter_async_context(node)
        await found(made, made.processes)
        await load(made)
        await enrol(made)
        await consent(made)
        await agree(made)
        yield made


async def assess(stage: Stage, case: Case, name: str) -> tuple[dict[str, Any], dict[str, tuple[str, str | None]]]:
    """The assessment, and each provider's status and code."""
    questionnaire = await stage.requester.api.get("/api/v1/questionnaire")
    answers, warned = answers_for(questionnaire, Random(case.person.serial))
    body = {"case_id": name, "client": case.client, "answers": answers, "confirmed": warned, "task": stage.task}
    result = await stage.requester.api.post("/api/v1/assessments", body)
    short = {broker.did: broker.short for broker in stage.providers}
    said = {
        short[bands["provider"]]: (bands["status"], bands["code"])
        for bands in (trace["bands"] for trace in result["traces"])
    }
    return result["assessment"], said


async def reported_uses(stage: Stage, provider: Broker) -> int:
    """Counted uses by the provider's own report on the ledger."""
    await provider.api.post(f"/api/v1/tasks/{stage.task}/report")
    found = await provider.api.get(f"/api/v1/tasks/{stage.task}")
    return int(found["providers"][provider.did]["report"]["counts"]["uses"])


async def published(broker: Broker, view: str, epoch: int) -> None:
    """Wait until the node knows the epoch as published."""
    for _ in range(100):
        found = await broker.api.get("/api/v1/ledger/entries", prefix=f"epoch/{view}/{epoch}")
        if any(entry["value"]["status"] == "published" for entry in found["entries"]):
            return
        await asyncio.sleep(1 / 20)
    raise AssertionError(f"epoch {epoch} of {view} did not reach {broker.short}")


async def test_a_provider_dies_and_returns(stage: Stage) -> None:
    processes, (dying, steady) = stage.processes, stage.providers
    assert processes is not None
    patient, used_up = [case for case in stage.cases if case.consent is not None][:2]  # the second may ask once (demo)
    await granted(stage, [patient, used_up])

    _, said = await assess(stage, used_up, "before")
    assert said == {dying.short: ("answered", None), steady.short: ("answered", None)}
    assert await reported_uses(stage, dying) == VIEWS

    await processes.kill(dying.short)
    assessment, said = await assess(stage, patient, "without")
    assert said == {dying.short: ("unavailable", "peer_unreachable"), steady.short: ("answered", None)}
    assert not assessment["local_only"]
    assert assessment["level"] <= assessment["score"]["level"]
    assert any(
        reason["code"] == "provider-unavailable" and dying.did in reason["en"] for reason in assessment["reasons"]
    )

    await processes.start(dying.short)
    await processes.wait_ready(dying.short, dying.api)
    _, said = await assess(stage, patient, "again")
    assert said == {dying.short: ("answered", None), steady.short: ("answered", None)}
    assert await reported_uses(stage, dying) == 2 * VIEWS

    # A new epoch would need two more uses: the node still knows that this token has none left.
    for view in dying.views():
        opened = await dying.api.post("/api/v1/epochs", {"view": view, "until_ms": stage.clock.now_ms() + DAY_MS})
        await published(stage.requester, view, opened["epoch"])
    _, said = await assess(stage, used_up, "after")
    assert said == {dying.short: ("refused", "uses_exhausted"), steady.short: ("answered", None)}
    assert await reported_uses(stage, dying) == 2 * VIEWS
