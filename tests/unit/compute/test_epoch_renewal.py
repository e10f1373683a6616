"""Epochs that follow one another: the next is opened before the last ends, as a job, and stops when told (GATE-0)."""

from __future__ import annotations

from pathlib import Path

import pytest

from compute_kit import DAY_MS, START_MS, Provider, make_provider, offer, sample_people
from lianzheng.flows.epochs import begin_epoch, begin_renewals
from lianzheng.flows.jobs import Jobs
from lianzheng.limits import EPOCH_MS_MAX

VIEW = "beta-clients/wealth/bands"
UNTIL = START_MS + 30 * DAY_MS


async def opened(folder: Path) -> tuple[Provider, Jobs]:
    provider = await make_provider(folder)
    await provider.loading.publish(offer())
    await provider.loading.load("beta-clients", "2026-09-01", sample_people(20))
    await provider.views.renew(VIEW, 30 * DAY_MS)
    await provider.views.open_epoch(VIEW, UNTIL)
    return provider, Jobs(provider.ledger.clock)


async def test_the_next_epoch_is_opened_a_day_before_the_last_ends(tmp_path: Path) -> None:
    provider, jobs = await opened(tmp_path)
    provider.ledger.clock.advance(29 * DAY_MS - 1)
    assert await begin_renewals(jobs, provider.views) == []
    provider.ledger.clock.advance(1)
    (job,) = await begin_renewals(jobs, provider.views)
    ended = await jobs.wait(job.id)
    assert (ended.state, ended.kind, ended.subject, ended.done, ended.total) == ("done", "epoch-open", VIEW, 20, 20)
    assert ended.result == {"view": VIEW, "epoch": 2, "entries": 32}
    assert await begin_renewals(jobs, provider.views) == []
    second = await provider.epochs.get(VIEW, 2)
    assert second is not None
    assert second.commit.until_ms == UNTIL + 30 * DAY_MS
    for number in (1, 2):  # for a day both answer
        assert provider.views.keys.get(VIEW, number) is not None
    provider.ledger.clock.advance(DAY_MS)
    assert provider.views.keys.get(VIEW, 1) is None
    assert provider.views.keys.get(VIEW, 2) is not None


async def test_short_epochs_are_renewed_in_their_last_tenth(tmp_path: Path) -> None:
    provider, jobs = await opened(tmp_path)
    await provider.views.renew(VIEW, 100)
    provider.ledger.clock.advance(30 * DAY_MS - 11)
    assert await begin_renewals(jobs, provider.views) == []
    provider.ledger.clock.advance(1)
    (job,) = await begin_renewals(jobs, provider.views)
    assert (await jobs.wait(job.id)).state == "done"


async def test_after_a_long_stop_the_next_epoch_begins_now_and_stays_within_its_bound(tmp_path: Path) -> None:
    provider, _ = await opened(tmp_path)
    await provider.views.renew(VIEW, EPOCH_MS_MAX)
    provider.ledger.clock.advance(400 * DAY_MS)
    assert await provider.views.renewals_due() == [(VIEW, provider.ledger.clock.now_ms() + EPOCH_MS_MAX)]


async def test_a_restart_remembers_and_zero_ends_it(tmp_path: Path) -> None:
    provider, _ = await opened(tmp_path)
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    provider.ledger.clock.advance(30 * DAY_MS)
    assert [view for view, _ in await restarted.views.renewals_due()] == [VIEW]
    await restarted.views.renew(VIEW, 0)
    assert await restarted.views.renewals_due() == []


async def test_a_job_that_runs_is_left_alone_and_a_cancelled_one_is_carried_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lianzheng.compute.views.builder._CHUNK", 5)
    provider, jobs = await opened(tmp_path)
    provider.ledger.clock.advance(29 * DAY_MS)
    (job,) = await begin_renewals(jobs, provider.views)
    assert await begin_renewals(jobs, provider.views) == []
    jobs.cancel(job.id)
    assert (await jobs.wait(job.id)).state == "cancelled"
    assert [epoch.commit.epoch for epoch in await provider.epochs.all()] == [1]
    again = begin_epoch(jobs, provider.views, VIEW, UNTIL + DAY_MS)
    assert (await jobs.wait(again.id)).state == "done"


async def test_a_withdrawn_data_set_fails_before_any_work(tmp_path: Path) -> None:
    provider, jobs = await opened(tmp_path)
    await provider.loading.withdraw("beta-clients")
    provider.ledger.clock.advance(29 * DAY_MS)
    (job,) = await begin_renewals(jobs, provider.views)
    ended = await jobs.wait(job.id)
    assert (ended.state, ended.code, ended.done) == ("failed", "dataset_withdrawn", 0)
