"""Recording, anchoring, resuming after a crash, bundles (EV-3, EV-4)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from evidence_kit import CONTEXT, NODE_SEED, OTHER, LocalLedger, Site, documents
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.errors import ConflictError, FormatError, NotFoundError, RefusedError, UnavailableError
from lianzheng.evidence.model import AnchorPayload, Bundle
from lianzheng.evidence.rules import last_anchor
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.history import Standing
from lianzheng.ledger.ports import LogProof
from lianzheng.limits import ANCHOR_LEAVES_MAX, BUNDLE_BYTES_MAX, PROMISE_MS
from lianzheng.verify import verify_bundle


@pytest.fixture
def ledger() -> LocalLedger:
    return LocalLedger(ManualClock())


async def test_ev3_a_promise_is_given_after_the_record_is_durable(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        promise = await site.service.record("case-1", "consent", "clerk", CONTEXT, documents("text"))
        acknowledged = await site.service.acknowledgement(promise)
        acknowledged.verify(ed25519.public_key(NODE_SEED))
        assert promise.body.due_ms == ledger.clock.now_ms() + PROMISE_MS
    async with Site(tmp_path, ledger) as again:
        (placed,) = await again.service.case("case-1")
        assert placed.state == "received" and placed.stored.promise == promise
        assert await again.service.document(acknowledged.record.documents[0].sha256) == b"text"


async def test_ev4_a_case_becomes_a_bundle_that_verifies(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        for case in ("case-1", "case-2", "case-1"):
            await site.record(case)
        assert await site.service.flush() == 3
        await site.record("case-1")
        bundle = await site.service.bundle("case-1")
        assert {placed.state for placed in await site.service.case("case-1")} == {"final"}
        report = verify_bundle(bundle, site.service.trust_file())
        assert report.exit_code == 0 and len(report.records) == 3
        assert verify_bundle(bundle, None).exit_code == 3
        assert await site.service.cases() == ("case-1", "case-2")


class MovingLedger(LocalLedger):
    """Another member's anchor stands in a new block whenever this one is asked anything."""

    def _move(self) -> None:
        last = last_anchor(self.state, OTHER)
        previous = None if last is None else last.digest
        payload = AnchorPayload(root_sha256=bytes(32), root_sm3=bytes(32), count=1, previous_anchor=previous)
        assert self.block(payload, OTHER).result.ok

    async def standing(self, log_size: int = 0) -> Standing:
        found = await super().standing(log_size)
        self._move()
        return found

    def log_entry(self, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        self._move()
        return super().log_entry(index, size)

    async def prove_log(self, index: int) -> LogProof:
        found = await super().prove_log(index)
        self._move()
        return found


async def test_ev4_a_bundle_is_made_at_one_height_while_the_ledger_moves(tmp_path: Path) -> None:
    """Nine anchors between those of others: one head, one log size, and the ledger is 9 blocks on before the end."""
    ledger = MovingLedger(ManualClock())
    async with Site(tmp_path, ledger) as site:
        for _ in range(9):
            await site.record()
            await site.service.flush()
        before = ledger.head.head.height
        data = await site.service.bundle("case-1")
        assert ledger.head.head.height == before + 1 + 9
        bundle = Bundle.from_bytes(data, BUNDLE_BYTES_MAX)
        assert len(bundle.anchors) == 9 and bundle.ledger.log_size == ledger.log.size - 10
        assert isinstance(bundle.ledger.head, SignedHead) and bundle.ledger.head.head.height == before
        assert verify_bundle(data, site.service.trust_file()).exit_code == 0


async def test_concurrent_records_of_one_case_keep_one_order(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        await asyncio.gather(*(site.record() for _ in range(40)))
        assert [placed.stored.seq for placed in await site.service.case("case-1")] == list(range(40))
        assert len(verify_bundle(await site.service.bundle("case-1"), site.service.trust_file()).records) == 40


async def test_a_batch_holds_at_most_its_bound(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        extra = 3
        await asyncio.gather(*(site.record(f"case-{n}", "task", "x") for n in range(ANCHOR_LEAVES_MAX + extra)))
        assert await site.service.flush() == ANCHOR_LEAVES_MAX + extra
        assert ledger.log.size == 2
        verify_bundle(await site.service.bundle(f"case-{ANCHOR_LEAVES_MAX}"), site.service.trust_file())


async def test_ev3_an_anchor_whose_answer_was_lost_is_found_not_repeated(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        await site.record()
        ledger.lose_answer = True
        with pytest.raises(UnavailableError):
            await site.service.flush()
    async with Site(tmp_path, ledger) as restarted:
        assert await restarted.service.flush() == 1
        assert ledger.log.size == 1
        verify_bundle(await restarted.service.bundle("case-1"), restarted.service.trust_file())


async def test_ev3_a_batch_that_never_arrived_is_sent_after_a_restart(tmp_path: Path, ledger: LocalLedger) -> None:
    ledger.down = True
    async with Site(tmp_path, ledger) as site:
        await site.record()
        with pytest.raises(UnavailableError):
            await site.service.flush()
        assert [placed.state for placed in await site.service.case("case-1")] == ["batched"]
        with pytest.raises(ConflictError, match="not_anchored_yet"):
            await site.service.bundle("case-1")
    ledger.down = False
    async with Site(tmp_path, ledger) as restarted:
        await restarted.record()
        assert await restarted.service.flush() == 2
        assert ledger.log.size == 2


async def test_ev3_a_copy_still_in_flight_takes_the_place_of_the_second(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        await site.record()
        ledger.in_flight = True
        assert await site.service.flush() == 1
        assert ledger.log.size == 1
        verify_bundle(await site.service.bundle("case-1"), site.service.trust_file())


async def test_another_refusal_is_passed_on_and_the_batch_stays(
    tmp_path: Path, ledger: LocalLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(kind: str, payload: object) -> None:
        raise RefusedError("permission_denied", "Refused.")

    async with Site(tmp_path, ledger) as site:
        await site.record()
        with monkeypatch.context() as patched:
            patched.setattr(ledger, "send", refuse)
            with pytest.raises(RefusedError, match="permission_denied"):
                await site.service.flush()
        assert await site.service.flush() == 1


async def test_a_restored_database_anchors_again_under_the_present_anchor(tmp_path: Path, ledger: LocalLedger) -> None:
    ledger.down = True
    async with Site(tmp_path / "old", ledger) as site:
        await site.record()
        with pytest.raises(UnavailableError):
            await site.service.flush()
    ledger.down = False
    async with Site(tmp_path / "other", ledger) as newer:
        await newer.record("case-9")
        await newer.service.flush()
    async with Site(tmp_path / "old", ledger) as restored:
        assert await restored.service.flush() == 1
        verify_bundle(await restored.service.bundle("case-1"), restored.service.trust_file())


async def test_bad_input_is_refused_alone(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        results = await asyncio.gather(
            site.record("ok"),
            site.record("ok", "marketing"),
            site.record("../etc/passwd"),
            site.service.record("ok", "task", "clerk", CONTEXT, ()),
            return_exceptions=True,
        )
        assert results[0] is None
        assert [getattr(error, "code", None) for error in results[1:]] == [
            "field_invalid", "field_invalid", "documents_count",
        ]  # fmt: skip
        assert all(isinstance(error, FormatError) for error in results[1:])
        assert await site.service.cases() == ("ok",)
        with pytest.raises(NotFoundError, match="case_unknown"):
            await site.service.bundle("nothing")


async def test_run_anchors_without_being_asked(
    tmp_path: Path, ledger: LocalLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lianzheng.evidence.service.ANCHOR_INTERVAL_MS", 0)
    async with Site(tmp_path, ledger) as site:
        task = asyncio.create_task(site.service.run())
        await site.record()
        async with asyncio.timeout(10):
            while ledger.log.size == 0:
                await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_ev4_signer_changes_stand_in_the_bundle(tmp_path: Path, ledger: LocalLedger) -> None:
    async with Site(tmp_path, ledger) as site:
        ledger.next_seed = b"\x08" * 32
        await site.record()
        at_the_change = await site.service.bundle("case-1")
        assert Bundle.from_bytes(at_the_change, BUNDLE_BYTES_MAX).ledger.head_chain == ()
        ledger.block()
        bundle = await site.service.bundle("case-1")
        for data, signatures in ((at_the_change, 1), (bundle, 2)):
            assert verify_bundle(data, site.service.trust_file()).signatures_checked == signatures
