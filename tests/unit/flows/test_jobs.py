"""Jobs: one at a time for each subject, cancelled cleanly, remembered up to a bound, errors by their code."""

from __future__ import annotations

import asyncio

import pytest

from lianzheng.clock import ManualClock
from lianzheng.errors import ConflictError, FormatError, NotFoundError
from lianzheng.flows.jobs import Jobs, Progress, Result
from lianzheng.limits import JOBS_KEPT, JOBS_RUNNING_MAX


class Gate:
    """Work that goes on when told to."""

    def __init__(self) -> None:
        self.open = asyncio.Event()
        self.cleaned = False

    async def work(self, progress: Progress) -> Result:
        progress.report(1, 3)
        try:
            await self.open.wait()
        finally:
            self.cleaned = True
        progress.report(3)
        return {"people": 3}


async def test_a_job_runs_and_ends_with_its_result() -> None:
    clock = ManualClock()
    jobs, gate = Jobs(clock), Gate()
    job = jobs.start("load", gate.work, subject="clients")
    assert (job.state, job.done, job.total, job.started_ms) == ("running", 0, 0, clock.now_ms())
    await asyncio.sleep(0)
    assert (jobs.get(job.id).done, jobs.get(job.id).total) == (1, 3)
    clock.advance(5)
    gate.open.set()
    ended = await jobs.wait(job.id)
    assert (ended.state, ended.done, ended.total, ended.result) == ("done", 3, 3, {"people": 3})
    assert ended.ended_ms == job.started_ms + 5
    assert jobs.cancel(job.id) == ended, "an ended job stays as it is"


async def test_one_at_a_time_for_each_kind_and_subject() -> None:
    jobs, gate = Jobs(ManualClock()), Gate()
    first = jobs.start("load", gate.work, subject="a")
    with pytest.raises(ConflictError) as caught:
        jobs.start("load", gate.work, subject="a")
    assert caught.value.code == "job_running"
    jobs.start("load", gate.work, subject="b")
    jobs.start("epoch", gate.work, subject="a")
    gate.open.set()
    await jobs.wait(first.id)
    jobs.start("load", gate.work, subject="a")
    await jobs.stop()


async def test_a_cancelled_job_cleans_up_before_it_says_so() -> None:
    jobs, gate = Jobs(ManualClock()), Gate()
    job = jobs.start("load", gate.work)
    await asyncio.sleep(0)
    assert jobs.cancel(job.id).state == "running"
    ended = await jobs.wait(job.id)
    assert (ended.state, ended.result, ended.code) == ("cancelled", None, "")
    assert gate.cleaned


async def test_work_in_a_thread_learns_of_the_cancel() -> None:
    jobs = Jobs(ManualClock())
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def work(progress: Progress) -> Result:
        loop = asyncio.get_running_loop()

        def count() -> None:
            loop.call_soon_threadsafe(begun.set)
            try:
                while True:
                    progress.check()
            finally:
                loop.call_soon_threadsafe(stopped.set)

        await asyncio.to_thread(count)
        return {}

    job = jobs.start("load", work)
    await begun.wait()
    jobs.cancel(job.id)
    await asyncio.wait_for(stopped.wait(), 10)
    assert (await jobs.wait(job.id)).state == "cancelled"


async def test_errors_are_told_by_code_and_unforeseen_ones_without_their_text() -> None:
    seen: list[tuple[str, str]] = []
    jobs = Jobs(ManualClock(), lambda kind, error: seen.append((kind, type(error).__name__)))

    async def ours(progress: Progress) -> Result:
        raise FormatError("source_refused", "Two rows are wrong.", next_step="Correct them.")

    async def theirs(progress: Progress) -> Result:
        raise ValueError("a personal value")

    first, second = jobs.start("load", ours), jobs.start("epoch", theirs)
    failed = await jobs.wait(first.id)
    assert (failed.state, failed.code, failed.text) == ("failed", "source_refused", "Two rows are wrong.")
    assert failed.next_step == "Correct them."
    broken = await jobs.wait(second.id)
    assert (broken.state, broken.code) == ("failed", "internal_error")
    assert "personal" not in repr(broken)
    assert seen == [("epoch", "ValueError")]


async def test_what_is_kept_and_what_runs_is_bounded() -> None:
    jobs, gate = Jobs(ManualClock()), Gate()

    async def nothing(progress: Progress) -> Result:
        return {}

    first = jobs.start("quick", nothing, subject="0")
    for number in range(1, JOBS_KEPT + 5):
        await jobs.wait(jobs.start("quick", nothing, subject=str(number)).id)
    assert len(jobs.all()) == JOBS_KEPT
    with pytest.raises(NotFoundError) as caught:
        jobs.get(first.id)
    assert caught.value.code == "job_unknown"
    for number in range(JOBS_RUNNING_MAX):
        jobs.start("slow", gate.work, subject=str(number))
    with pytest.raises(ConflictError) as many:
        jobs.start("slow", gate.work, subject="more")
    assert many.value.code == "jobs_too_many"
    await jobs.stop()
    assert {job.state for job in jobs.all()} == {"done", "cancelled"}


async def test_a_job_cancelled_before_its_first_step_still_cleans_up() -> None:
    jobs, cleaned = Jobs(ManualClock()), []

    async def work(progress: Progress) -> Result:
        try:
            await asyncio.sleep(60)
        finally:
            cleaned.append(progress.cancelled)
        raise AssertionError("it was cancelled")

    job = jobs.start("load", work)
    jobs.cancel(job.id)
    assert (await jobs.wait(job.id)).state == "cancelled"
    assert cleaned == [True]
