"""The workers of a node outlive every fault of one turn; the log names no more than its type."""

from __future__ import annotations

import asyncio

from structlog.testing import capture_logs

from lianzheng.errors import UnavailableError
from lianzheng.node import run


async def test_a_worker_outlives_foreseen_and_unforeseen_faults() -> None:
    done = asyncio.Event()
    turns = iter([UnavailableError("ledger_unavailable", "x"), ValueError("欧阳样本"), KeyError("990000"), None])

    async def work() -> None:
        fault = next(turns)
        if fault is not None:
            raise fault
        done.set()
        await asyncio.Event().wait()

    with capture_logs() as logs:
        worker = asyncio.create_task(run._repeat("grants", 0, work))
        await asyncio.wait_for(done.wait(), 5)
        worker.cancel()
        await asyncio.gather(worker, return_exceptions=True)
    assert worker.cancelled()
    assert [(line["worker"], line.get("code") or line["type"]) for line in logs] == [
        ("grants", "ledger_unavailable"),
        ("grants", "ValueError"),
        ("grants", "KeyError"),
    ]
    assert "欧阳样本" not in str(logs) and "990000" not in str(logs)
