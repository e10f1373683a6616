"""Records that share a transaction share its fate, and nobody waits for ever (EV-3)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evidence_kit import LocalLedger, Site
from lianzheng.clock import ManualClock
from lianzheng.errors import ConflictError, LianzhengError, UnavailableError
from lianzheng.evidence.ports import NewRecord


class _Refusing:
    """The repository, refusing to store while told so."""

    def __init__(self, site: Site, error: BaseException) -> None:
        self._add = site.repository.add
        self._error: BaseException | None = error
        site.repository.add = self.add  # type: ignore[assignment, method-assign]

    async def add(self, *given: object) -> None:
        if self._error is not None:
            await asyncio.sleep(0)
            raise self._error
        await self._add(*given)  # type: ignore[arg-type]

    def heal(self) -> None:
        self._error = None


async def test_no_promise_is_given_for_what_could_not_be_stored(tmp_path: Path) -> None:
    async with Site(tmp_path, LocalLedger(ManualClock())) as site:
        disk = _Refusing(site, OSError("disk full"))
        results = await asyncio.gather(*(site.record(f"case-{n}") for n in range(5)), return_exceptions=True)
        assert all(isinstance(result, OSError | UnavailableError) for result in results)
        assert await site.service.cases() == ()
        disk.heal()
        await site.record("case-1")
        assert await site.service.cases() == ("case-1",)


async def test_a_cancelled_caller_leaves_no_other_waiting(tmp_path: Path) -> None:
    async with Site(tmp_path, LocalLedger(ManualClock())) as site:
        gate = asyncio.Event()
        add = site.repository.add

        async def slow(*given: object) -> None:
            await gate.wait()
            await add(*given)  # type: ignore[arg-type]

        site.repository.add = slow  # type: ignore[assignment, method-assign]
        tasks = [asyncio.create_task(site.record(f"case-{n}")) for n in range(3)]
        for _ in range(50):
            await asyncio.sleep(0)
        tasks[0].cancel()
        gate.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(results[0], asyncio.CancelledError)
        assert all(result is None or isinstance(result, LianzhengError) for result in results[1:])


async def test_a_place_in_a_case_is_taken_once(tmp_path: Path) -> None:
    async with Site(tmp_path, LocalLedger(ManualClock())) as site:
        await site.record("case-1")
        (placed,) = await site.service.case("case-1")
        record, leaves = placed.stored.record.to_bytes(), placed.stored.leaves
        again = NewRecord("case-1", 0, record, bytes(32), leaves.sha256, leaves.sm3, placed.stored.promise.to_bytes())
        with pytest.raises(ConflictError, match="case_order_conflict"):
            await site.repository.add([again], {})


async def test_the_same_document_is_kept_once_and_read_by_digest(tmp_path: Path) -> None:
    async with Site(tmp_path, LocalLedger(ManualClock())) as site:
        await site.record("case-1", "consent", "same")
        await site.record("case-2", "consent", "same")
        (placed,) = await site.service.case("case-2")
        assert await site.service.document(placed.stored.record.documents[0].sha256) == b"same"
        with pytest.raises(LianzhengError, match="document_unknown"):
            await site.service.document(bytes(32))


async def test_run_names_what_keeps_it_from_anchoring(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lianzheng.evidence.service._RETRY_S", 0)
    monkeypatch.setattr("lianzheng.evidence.service.ANCHOR_INTERVAL_MS", 0)
    ledger = LocalLedger(ManualClock())
    ledger.down = True
    async with Site(tmp_path, ledger) as site, asyncio.timeout(20):
        await site.record()
        task = asyncio.create_task(site.service.run())
        while _fault(site) is None:
            await asyncio.sleep(0)
        assert _fault(site) == "ledger_unavailable"
        ledger.down = False
        while _fault(site) is not None:
            await asyncio.sleep(0)
        assert ledger.log.size == 1
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _fault(site: Site) -> str | None:
    return site.service.fault
