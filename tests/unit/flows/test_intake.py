"""A load changes rows, customers and the load's record in one switch, or nothing: refused, cancelled or cut off."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from lianzheng.adapters.sources.file import open_source
from lianzheng.adapters.sources.spool import Spool
from lianzheng.adapters.storage.compute import DatasetRepository
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.suitability import SqlCustomerStore
from lianzheng.clock import ManualClock
from lianzheng.compute.datasets import service as loading
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.errors import ConflictError, FormatError, LianzhengError, NotFoundError
from lianzheng.flows.clients import ClientBook
from lianzheng.flows.intake import Intake, Loaded, LoadOrder
from lianzheng.flows.jobs import Jobs, Progress, Result
from lianzheng.identity.idnorm import normalise
from lianzheng.ledger.ports import Receipt
from lianzheng.limits import UPLOADS_MAX
from source_kit import row, write

KEY = b"key"


class _NoLedger:
    async def send(self, kind: str, payload: Any, ordered: bool = False) -> Receipt:
        raise AssertionError("a load sends nothing to the ledger")


class Desk:
    """Intake over a real database; ``failing`` names the call of a store that fails, as a kill there would end it."""

    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self.rows, self.customers = DatasetRepository(database), SqlCustomerStore(database)
        self.clients = ClientBook(self.customers, KEY)
        self.spool = Spool(folder / "spool")
        clock = ManualClock()
        self.intake = Intake(
            lambda path, form, mapping, day: open_source(path, form, mapping, as_of=day, test_network=True),
            self.spool,
            self.customers,
            DatasetService(self.rows, _NoLedger(), clock),
            self.clients,
            clock,
        )

    async def send(self, *rows: dict[str, str]) -> str:
        data = write(self.folder / "sent.csv", rows).read_bytes()

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(data), 100):
                yield data[start : start + 100]

        return (await self.spool.save(chunks(), 10**6)).id

    async def load(self, *rows: dict[str, str], accept_bad: int = 0, progress: Progress | None = None) -> Loaded:
        return await self.intake.load("clients", await self.send(*rows), LoadOrder(accept_bad=accept_bad), progress)

    async def seen(self) -> dict[str, tuple[int, str]]:
        """Everybody that readers of rows and readers of customers see: amount I01 and name, by number."""
        found = {}
        async for people in self.rows.people("clients"):
            for person in people:
                record = await self.clients.record(self.clients.reference_of(person.idnorm))
                assert record == await self.customers.customer("clients", person.idnorm)
                found[record.number] = (person.amounts["I01"], record.name)
        load = await self.rows.current("clients")
        assert (load.people if load else 0) == len(found)
        return found


def seen_of(*rows: dict[str, str]) -> dict[str, tuple[int, str]]:
    return {one["number"]: (int(one["financial_assets_yuan"]), one["name"]) for one in rows}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()
    yield Desk(tmp_path, database)
    await database.close()


def idnorm(one: dict[str, str]) -> bytes:
    return normalise("RESIDENT_ID", "CN", one["number"], test_network=True)


async def test_a_load_replaces_the_one_before(desk: Desk) -> None:
    first = await desk.load(row(1), row(2))
    assert (first.people, first.skipped) == (2, 0)
    load = await desk.rows.current("clients")
    assert load is not None and (load.digest, load.skipped, load.as_of) == (first.digest, 0, first.as_of)
    new = (row(2, name="新名"), row(3))
    await desk.load(*new)
    assert await desk.seen() == seen_of(*new)
    assert await desk.clients.find_idnorm(desk.clients.reference_of(idnorm(row(1)))) is None
    assert await desk.rows.elements([idnorm(row(1))]) == {}, "nobody stays who stands in no load"
    assert list((desk.folder / "spool").iterdir()) == [], "what was sent is gone"


async def test_bad_rows_are_left_out_only_when_their_number_is_said(desk: Desk) -> None:
    await desk.load(row(9))
    rows = [row(1), row(2, name=""), row(3, financial_assets_yuan="-1"), row(4), row(4, name="又")]
    for accepted, code in ((0, "source_refused"), (3, "bad_rows_differ"), (5, "bad_rows_differ")):
        with pytest.raises(FormatError) as caught:
            await desk.load(*rows, accept_bad=accepted)
        assert caught.value.code == code
        assert await desk.seen() == seen_of(row(9))
    assert "4 of 5 rows are bad, not the 5" in caught.value.text
    loaded = await desk.load(*rows, accept_bad=4)
    assert (loaded.people, loaded.skipped) == (1, 4)
    assert await desk.seen() == seen_of(row(1)), "of two rows of one person neither is believed"
    with pytest.raises(FormatError) as clean:
        await desk.load(row(1), accept_bad=1)
    assert clean.value.code == "bad_rows_differ", "a file better than expected is another file"


STEPS = ["begin_load", "elements", "add_people", "add_customers", "finish_load", "purge"]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_crash_at_any_step_leaves_the_old_or_the_new_whole(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str, when: str
) -> None:
    """The store dies before or after a step and does nothing more, not even clean up; then a new node opens it."""
    monkeypatch.setattr(loading, "_BATCH", 2)
    old, new = (row(1), row(2), row(3)), (row(2, name="新"), row(3, name="新"), row(4), row(5), row(6))
    await desk.load(*old)
    dead = False

    def dying(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        async def run(*arguments: Any) -> Any:
            nonlocal dead
            if dead:
                raise OSError("the process is dead")
            if name == step and when == "before":
                dead = True
                raise OSError("killed")
            result = await call(*arguments)
            if name == step:
                dead = True
                raise OSError("killed")
            return result

        return run

    for store in (desk.rows, desk.customers):
        for name in (*STEPS, "abandon_load"):
            if hasattr(store, name):
                monkeypatch.setattr(store, name, dying(name, getattr(store, name)))
    with pytest.raises(OSError):
        await desk.load(*new)

    again = Desk(tmp_path, desk.database)
    switched = step == "purge" or (step, when) == ("finish_load", "after")
    expected = seen_of(*(new if switched else old))
    assert await again.seen() == expected, "before the cleaning"
    await again.rows.abandon_unfinished()
    assert await again.seen() == expected, "and after it"
    gone = [idnorm(one) for one in (row(1), row(4)) if one["number"] not in expected]
    assert await again.rows.elements(gone) == {}
    await again.load(*new)
    assert await again.seen() == seen_of(*new)


async def test_a_cancel_leaves_everything_as_before(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """At every point where the load gives way, one after the other, until it gets through."""
    monkeypatch.setattr(loading, "_BATCH", 2)
    old, new = (row(1), row(2)), (row(2, name="新"), row(3), row(4))
    await desk.load(*old)
    cancelled = 0
    for turns in range(400):
        task = asyncio.create_task(desk.load(*new))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            cancelled += 1
            assert await desk.seen() == seen_of(*old)
            assert list((desk.folder / "spool").glob("*")) == []
        else:
            assert await desk.seen() == seen_of(*new)
            break
    assert cancelled


async def test_a_job_reports_rows_and_is_cancelled_in_its_check(desk: Desk) -> None:
    await desk.load(row(9))
    jobs = Jobs(ManualClock())
    upload = await desk.send(*(row(serial) for serial in range(1, 4_001)))

    async def work(progress: Progress) -> Result:
        progress.stop()  # as a cancel does: the check, in its thread, sees it after the first rows
        loaded = await desk.intake.load("clients", upload, LoadOrder(), progress)
        return {"people": loaded.people}

    ended = await jobs.wait(jobs.start("dataset-load", work, subject="clients").id)
    assert (ended.state, ended.done) == ("cancelled", 2_000)
    assert await desk.seen() == seen_of(row(9))
    progress = Progress()
    await desk.load(*(row(serial) for serial in range(1, 6)), progress=progress)
    assert (progress.done, progress.total) == (5, 5)


async def test_one_load_of_a_data_set_at_a_time(desk: Desk) -> None:
    first = asyncio.create_task(desk.load(row(1)))
    while not desk.intake._loading:
        await asyncio.sleep(0)
    with pytest.raises(ConflictError) as caught:
        await desk.load(row(2))
    assert caught.value.code == "dataset_loading"
    await first
    assert await desk.seen() == seen_of(row(1))


async def test_what_waits_is_bounded_private_and_named_by_the_node(desk: Desk) -> None:
    sent = [await desk.send(row(1)) for _ in range(UPLOADS_MAX)]
    assert {path.stat().st_mode & 0o777 for path in (desk.folder / "spool").iterdir()} == {0o600}
    assert (desk.folder / "spool").stat().st_mode & 0o777 == 0o700
    with pytest.raises(ConflictError) as many:
        await desk.send(row(1))
    assert many.value.code == "uploads_too_many"
    for name in ("../node.db", "", "x", "/etc/passwd", "0" * 32):
        with pytest.raises(NotFoundError) as unknown:
            desk.spool.path(name)
        assert unknown.value.code == "upload_unknown"
    desk.spool.remove(sent[0])

    async def long() -> AsyncIterator[bytes]:
        for _ in range(3):
            yield b"x" * 10

    with pytest.raises(LianzhengError) as large:
        await desk.spool.save(long(), 25)
    assert large.value.code == "too_large"
    assert len(list((desk.folder / "spool").iterdir())) == UPLOADS_MAX - 1, "nothing remains of it"
    desk.spool.clear()
    assert list((desk.folder / "spool").iterdir()) == []
