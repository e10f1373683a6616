"""What ``lianzheng dataset open`` does; imported when it runs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from lianzheng.client.http import error_from
from lianzheng.errors import ConflictError

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["open_and_watch"]

_LOOK_S = 1 / 5


async def open_and_watch(
    node: NodeClient, view: str, until_ms: int, renew: bool | None, *, quiet: bool
) -> dict[str, Any]:
    """Start the job and watch it to its end; a cancel here cancels it there.

    Raises what the job failed with, ``ConflictError`` ``job_cancelled``.
    """
    body = {"view": view, "until_ms": until_ms, "background": True, "renew": renew}
    job = (await node.post("/api/v1/epochs", body))["job"]
    try:
        ended = await _watch(node, job, view, quiet)
    except asyncio.CancelledError:
        await node.delete(f"/api/v1/jobs/{job}")
        await _watch(node, job, view, True)
        raise
    if ended["state"] == "cancelled":
        raise ConflictError(
            "job_cancelled",
            "The epoch was cancelled; what is finished of its table is kept.",
            next_step="Open it again to carry on.",
        )
    if ended["error"] is not None:
        raise error_from(ended["error"])
    result: dict[str, Any] = ended["result"]
    return result


async def _watch(node: NodeClient, job: str, view: str, quiet: bool) -> dict[str, Any]:
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True, disable=quiet or not console.is_terminal) as bar:
        task = bar.add_task(view, total=None)
        while True:
            found: dict[str, Any] = await node.get(f"/api/v1/jobs/{job}")
            bar.update(task, completed=found["done"], total=found["total"] or None)
            if found["state"] != "running":
                return found
            await asyncio.sleep(_LOOK_S)
