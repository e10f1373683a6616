"""Long work of a node as jobs: started, watched, cancelled; one at a time for each kind and subject.

Jobs live in the process: a restart forgets them, and what each had begun is put in order by the service that did it.
"""

from __future__ import annotations

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonValue
from lianzheng.errors import ConflictError, LianzhengError, NotFoundError
from lianzheng.limits import JOBS_KEPT, JOBS_RUNNING_MAX

__all__ = ["Job", "JobState", "Jobs", "Progress", "Result"]

JobState = Literal["running", "done", "failed", "cancelled"]
Result = Mapping[str, JsonValue]
"""Counts, digests and names: no personal data, for it is shown to whoever may see the job."""
_CANCELLED = "job_cancelled"


class Progress:
    """How a job tells how far it is, and learns that it should stop; usable from any thread.

    Work in the event loop is cancelled as every asyncio task is; work in threads must call :meth:`check` between steps.
    """

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._counts = (0, 0)

    @property
    def done(self) -> int:
        """Units finished."""
        return self._counts[0]

    @property
    def total(self) -> int:
        """Units in all; 0 while nobody knows."""
        return self._counts[1]

    @property
    def cancelled(self) -> bool:
        """The job was asked to stop."""
        return self._stopped.is_set()

    def report(self, done: int, total: int = 0) -> None:
        """``done`` of ``total`` units are finished; a total of 0 leaves the one reported before."""
        self._counts = (done, total or self._counts[1])

    def check(self) -> None:
        """Raises ``ConflictError`` ``job_cancelled`` where the job was asked to stop."""
        if self._stopped.is_set():
            raise ConflictError("job_cancelled", "The job was cancelled; nothing it had begun remains.")

    def stop(self) -> None:
        """Ask the job to stop."""
        self._stopped.set()


@dataclass(frozen=True, slots=True)
class Job:
    """What is known of a job at one moment. ``code``, ``text`` and ``next_step`` say why it failed."""

    id: str
    kind: str
    subject: str
    state: JobState
    done: int
    total: int
    started_ms: int
    ended_ms: int | None = None
    result: Result | None = None
    code: str = ""
    text: str = ""
    next_step: str = ""


@dataclass(slots=True)
class _Entry:
    id: str
    kind: str
    subject: str
    started_ms: int
    progress: Progress = field(default_factory=Progress)
    task: asyncio.Task[Result] | None = None
    begun: bool = False
    ended_ms: int | None = None
    state: JobState = "running"
    result: Result | None = None
    error: tuple[str, str, str] = ("", "", "")

    def job(self) -> Job:
        counts = (self.progress.done, self.progress.total)
        return Job(
            self.id, self.kind, self.subject, self.state, *counts, self.started_ms, self.ended_ms, self.result,
            *self.error,
        )  # fmt: skip


class Jobs:
    """The registry of one node. ``unforeseen`` is told of an error that is none of ours, for the log."""

    def __init__(self, clock: Clock, unforeseen: Callable[[str, BaseException], None] | None = None) -> None:
        self._clock = clock
        self._unforeseen = unforeseen
        self._entries: dict[str, _Entry] = {}

    def start(self, kind: str, work: Callable[[Progress], Awaitable[Result]], *, subject: str = "") -> Job:
        """``work`` runs from now on, whoever waits for it.

        Raises ``ConflictError``: ``job_running`` (same kind and subject), ``jobs_too_many``.
        """
        running = [entry for entry in self._entries.values() if entry.state == "running"]
        for entry in running:
            if (entry.kind, entry.subject) == (kind, subject):
                raise ConflictError(
                    "job_running",
                    f"A job of this kind is running on the same subject: {entry.id}.",
                    next_step="Wait for it, or cancel it.",
                )
        if len(running) >= JOBS_RUNNING_MAX:
            raise ConflictError(
                "jobs_too_many", f"{JOBS_RUNNING_MAX} jobs are running.", next_step="Wait until one has ended."
            )
        entry = _Entry(secrets.token_hex(8), kind, subject, self._clock.now_ms())
        entry.task = asyncio.create_task(_run(work, entry), name=f"job-{kind}")
        entry.task.add_done_callback(partial(self._end, entry))
        self._entries[entry.id] = entry
        return entry.job()

    def get(self, job_id: str) -> Job:
        """Raises ``NotFoundError`` ``job_unknown``."""
        return self._entry(job_id).job()

    def all(self) -> list[Job]:
        """Running jobs and the last that ended, oldest first."""
        return [entry.job() for entry in self._entries.values()]

    def cancel(self, job_id: str) -> Job:
        """Ask a job to stop; one that has ended stays as it is. Raises ``NotFoundError`` ``job_unknown``."""
        entry = self._entry(job_id)
        if entry.state == "running" and entry.task is not None:
            entry.progress.stop()
            if entry.begun:
                entry.task.cancel()
        return entry.job()

    async def wait(self, job_id: str) -> Job:
        """The job once it has ended; whoever waits may be cancelled without cancelling the job.

        Raises ``NotFoundError`` ``job_unknown``.
        """
        entry = self._entry(job_id)
        if entry.task is not None:
            await asyncio.wait((entry.task,))
            await asyncio.sleep(0)  # the task's own callbacks run after it is done
        return entry.job()

    async def stop(self) -> None:
        """At the node's end: every job is cancelled and has put its things in order when this returns."""
        tasks = [entry.task for entry in self._entries.values() if entry.task is not None and not entry.task.done()]
        for entry in self._entries.values():
            self.cancel(entry.id)
        await asyncio.gather(*tasks, return_exceptions=True)

    def _entry(self, job_id: str) -> _Entry:
        found = self._entries.get(job_id)
        if found is None:
            raise NotFoundError("job_unknown", "This node knows no such job; a restart forgets them all.")
        return found

    def _end(self, entry: _Entry, task: asyncio.Task[Result]) -> None:
        entry.ended_ms = self._clock.now_ms()
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or (isinstance(error, LianzhengError) and error.code == _CANCELLED):
            entry.state = "cancelled"
        elif error is None:
            entry.state, entry.result = "done", task.result()
        elif isinstance(error, LianzhengError):
            entry.state, entry.error = "failed", (error.code, error.text, error.next_step)
        else:
            entry.state = "failed"
            entry.error = ("internal_error", "The node met an unexpected error.", "See the node's log by time.")
            if self._unforeseen is not None:
                self._unforeseen(entry.kind, error)
        ended = [one for one in self._entries.values() if one.state != "running"]
        for one in ended[:-JOBS_KEPT]:
            del self._entries[one.id]


async def _run(work: Callable[[Progress], Awaitable[Result]], entry: _Entry) -> Result:
    entry.begun = True
    if entry.progress.cancelled and (task := asyncio.current_task()) is not None:
        task.cancel()  # where it first waits: a task cancelled before its first step would never clean up
    return await work(entry.progress)
