"""Work that a cancel must not cut in its middle: threads, and the moment of a switch."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

__all__ = ["to_its_end", "whole"]

T = TypeVar("T")


async def to_its_end(work: Coroutine[Any, Any, T], stop: Callable[[], None] | None = None) -> T:
    """As ``await work``; a cancel takes effect when it has ended, for a thread cannot be stopped in its middle.

    ``stop`` is called on a cancel, to ask the work to end soon.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        if stop is not None:
            stop()
        await asyncio.wait((task,))
        if not task.cancelled():
            task.exception()  # marks it as seen: the cancel is what the caller raises
        raise


async def whole(work: Coroutine[Any, Any, T]) -> T:
    """As above, and if the work succeeded the cancel came too late: what was switched stays switched."""
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait((task,))
        if task.cancelled() or task.exception() is not None:
            raise
        return task.result()
