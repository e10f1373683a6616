"""Retrieval ``pir`` between real nodes over mutual TLS: right, through restarts, and an altered hint is refused."""

from __future__ import annotations

import asyncio
import io
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from random import Random
from typing import Any

import pytest
from rich.console import Console

from lianzheng.clock import SystemClock
from lianzheng.compute.views.build import value_of
from lianzheng.demo.processes import NodeProcesses
from lianzheng.demo.screen import Screen
from lianzheng.demo.stage import Broker, Case, Settings, Stage
from lianzheng.demo.steps.assess import answers_for
from lianzheng.demo.steps.consent import consent, granted
from lianzheng.demo.steps.data import load
from lianzheng.demo.steps.enrolment import enrol
from lianzheng.demo.steps.founders import found, prepare
from lianzheng.demo.steps.task import agree
from lianzheng.encoding.canonical import decode_object
from lianzheng.identity.idnorm import normalise
from lianzheng.registry import read_view_value


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """Three node processes whose data sets are asked in private."""
    clock = SystemClock()
    screen = Screen(Console(file=io.StringIO()), clock)
    made = Stage(Settings(people=24, seed=7, out=tmp_path, retrieval="pir"), screen, clock)
    prepare(made)
    async with AsyncExitStack() as stack:
        made.processes = NodeProcesses({broker.short: broker.home for broker in made.brokers})
        await stack.enter_async_context(made.processes)
        for node in made.nodes:
            await stack.enter_async_context(node)
        await found(made, made.processes)
        for step in (load, enrol, consent, agree):
            await step(made)
        yield made


async def assess(stage: Stage, case: Case, name: str) -> dict[str, Any]:
    """Each provider's bands in the trace, by its short name."""
    questionnaire = await stage.requester.api.get("/api/v1/questionnaire")
    answers, warned = answers_for(questionnaire, Random(case.person.serial))
    body = {"case_id": name, "client": case.client, "answers": answers, "confirmed": warned, "task": stage.task}
    result = await stage.requester.api.post("/api/v1/assessments", body)
    short = {broker.did: broker.short for broker in stage.providers}
    return {short[trace["bands"]["provider"]]: trace["bands"] for trace in result["traces"]}


def database(broker: Broker) -> Path:
    """The node's database."""
    (found,) = broker.home.rglob("node.db")
    return found


def plain_bands(broker: Broker, case: Case) -> dict[str, int]:
    """The provider's own look at the rows that it loaded (PIR-3)."""
    idnorm = normalise("RESIDENT_ID", "CN", case.person.number, test_network=True)
    query = (
        "SELECT r.amounts FROM compute_dataset_row r JOIN compute_person p ON p.id = r.person "
        "JOIN compute_dataset_snapshot s ON s.snapshot = r.snapshot AND s.status = 'current' WHERE p.idnorm = ?"
    )
    with sqlite3.connect(database(broker)) as connection:
        row = connection.execute(query, (idnorm,)).fetchone()
    bands: dict[str, int] = {}
    for view in broker.views():
        _, bundle, form = view.split("/")
        value = None if row is None else value_of(view, decode_object(row[0]))
        for code, band in read_view_value(bundle, form, value).items():
            bands[code] = max(band, bands.get(code, 0))
    return bands


def damage(broker: Broker, view: str, epoch: int) -> None:
    """One bit of a column in the provider's own copy of a table."""
    with sqlite3.connect(database(broker)) as connection:
        where = (view, epoch)
        (table,) = connection.execute(
            "SELECT table_bytes FROM compute_view_epoch WHERE view = ? AND epoch = ?", where
        ).fetchone()
        changed = table[:-1] + bytes([table[-1] ^ 1])
        connection.execute(
            "UPDATE compute_view_epoch SET table_bytes = ? WHERE view = ? AND epoch = ?", (changed, *where)
        )


async def dataset_open(broker: Broker, view: str) -> dict[str, Any]:
    """What ``lianzheng dataset open --json`` prints."""
    words = ["dataset", "open", view, "--config", str(broker.home / "node.toml"), "--days", "1", "--json"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "lianzheng", *words, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, said = await process.communicate()
    assert process.returncode == 0, said
    return decode_object(out.strip(), 1000)


async def test_pir_3_over_the_wire_restarts_and_an_altered_hint(stage: Stage) -> None:
    processes, (provider, other) = stage.processes, stage.providers
    assert processes is not None
    first, second, third = [case for case in stage.cases if case.consent is not None][:3]
    await granted(stage, [first, second, third])

    async def check(case: Case, name: str) -> None:
        said = await assess(stage, case, name)
        for broker in (provider, other):
            assert said[broker.short]["status"] == "answered", said
            assert said[broker.short]["bands"] == plain_bands(broker, case)

    await check(first, "first")
    for broker, case in ((provider, first), (stage.requester, second)):
        await processes.end(broker.short)
        await processes.start(broker.short)
        await processes.wait_ready(broker.short, broker.api)
        await check(case, f"after {broker.short}".replace(" ", "-"))

    for view in provider.views():
        opened = await dataset_open(provider, view)
        assert (opened["view"], opened["epoch"]) == (view, 2)
    await processes.end(provider.short)
    damage(provider, provider.views()[0], 2)
    await processes.start(provider.short)
    await processes.wait_ready(provider.short, provider.api)
    altered = await assess(stage, third, "altered")
    assert altered[provider.short]["code"] == "table_hint", altered
    assert altered[provider.short]["bands"] == {}
    assert altered[other.short]["bands"] == plain_bands(other, third)
