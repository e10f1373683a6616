"""Opening and renewing epochs as jobs: watched, cancelled, carried on (GATE-0)."""

from __future__ import annotations

from contextlib import suppress

from lianzheng.compute.ports import LocalEpoch
from lianzheng.compute.views.service import ViewService
from lianzheng.errors import ConflictError
from lianzheng.flows.jobs import Job, Jobs, Progress, Result

__all__ = ["begin_epoch", "begin_renewals", "epoch_result"]


def begin_epoch(jobs: Jobs, views: ViewService, view: str, until_ms: int) -> Job:
    """A job that opens an epoch. Cancelled, it keeps the finished part of the table for the next one.

    Raises ``ConflictError``: ``job_running``, ``jobs_too_many``.
    """

    async def work(progress: Progress) -> Result:
        return epoch_result(await views.open_epoch(view, until_ms, progress.report))

    return jobs.start("epoch-open", work, subject=view)


async def begin_renewals(jobs: Jobs, views: ViewService) -> list[Job]:
    """A job for every view whose last epoch nears its end and that is to be renewed; one that runs is left alone."""
    begun = []
    for view, until_ms in await views.renewals_due():
        with suppress(ConflictError):
            begun.append(begin_epoch(jobs, views, view, until_ms))
    return begun


def epoch_result(epoch: LocalEpoch) -> Result:
    """What is shown of an epoch."""
    commit = epoch.commit
    return {"view": commit.view, "epoch": commit.epoch, "entries": commit.parameters.entries}
