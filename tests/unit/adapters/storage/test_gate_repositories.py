"""GATE-8 over the real database: counted whole or refused whole, once, whatever races."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, update

from compute_kit import START_MS, Provider, make_provider, offer, sample_people
from lianzheng.adapters.storage.compute import EpochRepository, PeerTableRepository
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.gate import ReceiptRepository, UseRepository
from lianzheng.adapters.storage.tables.compute import gate_receipt, view_epoch
from lianzheng.adapters.storage.usemark import UseMark
from lianzheng.compute.ports import UseClaim
from lianzheng.compute.tasks.model import ReportRecord
from lianzheng.compute.tasks.service import TaskService, report_root, verify_report
from lianzheng.errors import LianzhengError, RefusedError, VerificationError
from lianzheng.limits import VIEW_ANSWERS_MAX

A, B, C = ("beta-clients/wealth/bands", 1), ("beta-clients/experience/bands", 1), ("beta-clients/wealth/i01-ge-4", 1)
TASK, OTHER_TASK = bytes([1]) * 32, bytes([2]) * 32
CID, OTHER_CID = bytes([3]) * 32, bytes([4]) * 32
CLAIM = UseClaim(TASK, CID, (A,), 3, 10, bytes([5]) * 32, b"request", START_MS)


def claim(number: int, *uses: tuple[str, int], **changes: Any) -> UseClaim:
    """Request ``number`` for ``uses``."""
    name = number.to_bytes(32, "big")
    return replace(CLAIM, uses=uses, request_hash=name, request=b"request" + name, **changes)


@pytest.fixture
async def provider(tmp_path: Path) -> AsyncIterator[Provider]:
    made = await make_provider(tmp_path)
    await made.loading.publish(offer())
    await made.loading.load("beta-clients", "2026-09-01", sample_people(3))
    for view, _ in (A, B, C):
        await made.views.open_epoch(view, START_MS + 1_000_000)
    yield made
    await made.database.close()


@pytest.fixture
def uses(provider: Provider) -> UseRepository:
    return UseRepository(provider.database)


async def refuses(code: str, uses: UseRepository, wanted: UseClaim) -> None:
    before = await uses.task_uses(wanted.task)
    with pytest.raises(RefusedError) as refused:
        await uses.count(wanted, b"answer")
    assert refused.value.code == code
    assert await uses.task_uses(wanted.task) == before
    assert await uses.stored_answer(wanted.request_hash, wanted.request) is None


async def test_gate_8_same_bytes_get_the_stored_answer_and_cost_nothing(uses: UseRepository) -> None:
    assert await uses.count(claim(1, A, B, max_uses=2), b"first") == b"first"
    assert await uses.count(claim(1, A, B, max_uses=2), b"second") == b"first"
    assert await uses.stored_answer(claim(1).request_hash, claim(1).request) == b"first"
    found = await uses.task_uses(TASK)
    assert (found.counts.requests, found.counts.uses, found.counts.consents) == (1, 2, 1)


async def test_gate_8_another_request_for_a_counted_use_costs_nothing(uses: UseRepository) -> None:
    await uses.count(claim(1, A, max_uses=1, quota=1), b"first")
    assert await uses.count(claim(2, A, max_uses=1, quota=1), b"second") == b"second"
    await refuses("uses_exhausted", uses, claim(3, A, B, max_uses=1))
    assert (await uses.task_uses(TASK)).counts.requests == 2


async def test_gate_8_whole_or_refused(uses: UseRepository) -> None:
    await uses.count(claim(1, A, max_uses=2), b"")
    await refuses("uses_exhausted", uses, claim(2, B, C, max_uses=2))
    await uses.count(claim(3, C, max_uses=2), b"")
    await refuses("uses_exhausted", uses, claim(4, B, max_uses=2))


async def test_gate_8_one_cid_at_the_same_time_and_under_another_task(uses: UseRepository) -> None:
    wanted = [
        claim(n, use, max_uses=1, task=task) for n, (use, task) in enumerate(((A, TASK), (B, OTHER_TASK), (C, TASK)))
    ]
    results = await asyncio.gather(*(uses.count(one, b"x") for one in wanted), return_exceptions=True)
    refusals = [result for result in results if isinstance(result, RefusedError)]
    assert results.count(b"x") == 1
    assert [refusal.code for refusal in refusals] == ["uses_exhausted", "uses_exhausted"]


async def test_gate_8_the_same_request_at_the_same_time_is_answered_alike(uses: UseRepository) -> None:
    answers = [bytes([n]) for n in range(8)]
    results = await asyncio.gather(*(uses.count(claim(1, A), answer) for answer in answers))
    assert len(set(results)) == 1
    assert (await uses.task_uses(TASK)).counts.requests == 1


async def test_gate_8_two_nodes_processes_on_one_file_count_together(uses: UseRepository, tmp_path: Path) -> None:
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()
    other = UseRepository(database)
    results = await asyncio.gather(
        *(store.count(claim(n, use, max_uses=1), b"x") for n, (store, use) in enumerate(((uses, A), (other, B)))),
        return_exceptions=True,
    )
    assert results.count(b"x") == 1
    await database.close()


async def test_b28_quota_counts_per_task_over_all_consents(uses: UseRepository) -> None:
    await uses.count(claim(1, A, B, quota=3), b"")
    await refuses("task_exhausted", uses, claim(2, A, B, quota=3, cid=OTHER_CID))
    await uses.count(claim(3, A, quota=3, cid=OTHER_CID), b"")
    with pytest.raises(RefusedError, match="task_exhausted"):
        await uses.check_quota(claim(4, B, quota=3, cid=OTHER_CID))
    await uses.check_quota(claim(5, A, B, quota=3))  # counted before
    await uses.count(claim(6, A, quota=1, task=OTHER_TASK), b"")  # costs that task's quota, no use
    await refuses("task_exhausted", uses, claim(7, B, quota=1, task=OTHER_TASK))
    with pytest.raises(RefusedError, match="uses_exhausted"):
        await uses.check_uses(claim(8, C, max_uses=2))
    await uses.check_uses(claim(9, A, max_uses=2))


async def test_gate_0_only_open_epochs_answer_and_a_key_answers_so_often(
    uses: UseRepository, provider: Provider
) -> None:
    await refuses("epoch_not_open", uses, claim(1, A, (A[0], 2)))
    await provider.views.end(*B)
    await refuses("epoch_not_open", uses, claim(2, A, B))
    async with provider.database.begin() as connection:
        await connection.execute(update(view_epoch).values(answers=VIEW_ANSWERS_MAX - 1))
    await uses.count(claim(3, A), b"")
    await refuses("view_key_exhausted", uses, claim(4, A))


async def test_gate_1_nonce_belongs_to_one_request(uses: UseRepository) -> None:
    nonce = bytes(32)
    await uses.claim_nonce("did:a", nonce, CLAIM.request_hash, START_MS)
    await uses.claim_nonce("did:a", nonce, CLAIM.request_hash, START_MS)
    await uses.claim_nonce("did:b", nonce, OTHER_CID, START_MS)
    with pytest.raises(RefusedError, match="nonce_reused"):
        await uses.claim_nonce("did:a", nonce, OTHER_CID, START_MS)
    await uses.forget_nonces(START_MS)
    with pytest.raises(RefusedError, match="nonce_reused"):
        await uses.claim_nonce("did:a", nonce, OTHER_CID, START_MS)
    await uses.forget_nonces(START_MS + 1)
    await uses.claim_nonce("did:a", nonce, OTHER_CID, START_MS + 1)


async def test_gate_1_other_bytes_of_one_hash_are_refused(uses: UseRepository) -> None:
    await uses.count(claim(1, A), b"first")
    with pytest.raises(RefusedError, match="nonce_reused"):
        await uses.stored_answer(claim(1).request_hash, b"same words, another signature")
    with pytest.raises(RefusedError, match="nonce_reused"):
        await uses.count(replace(claim(1, A), request=b"same words, another signature"), b"")


async def test_counts_survive_a_restart(uses: UseRepository, provider: Provider, tmp_path: Path) -> None:
    await uses.count(claim(1, A, max_uses=1), b"first")
    salt = await uses.task_salt(TASK)
    await provider.database.close()
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()
    again = UseRepository(database)
    assert await again.count(claim(1, A, max_uses=1), b"second") == b"first"
    await refuses("uses_exhausted", again, claim(2, B, max_uses=1))
    assert await again.task_salt(TASK) == salt
    assert await again.receipts(TASK) == [(claim(1).request, b"first")]
    await database.close()


async def test_b26_salt_is_drawn_once_and_report_checks_against_receipts(
    uses: UseRepository, provider: Provider
) -> None:
    salts = await asyncio.gather(*(uses.task_salt(TASK) for _ in range(5)))
    assert len(set(salts)) == 1
    assert await uses.task_salt(OTHER_TASK) != salts[0]
    assert (await uses.task_uses(TASK)).counts.requests == 0
    await uses.count(claim(1, A, B), b"")
    await uses.count(claim(2, A, cid=OTHER_CID), b"")
    found = await uses.task_uses(TASK)
    assert found.cids == (CID, OTHER_CID)
    record = ReportRecord(version=1, counts=found.counts, root=report_root(salts[0], found.cids), time_ms=0)
    verify_report(record, salts[0], (OTHER_CID, CID, CID))
    for salt, cids in ((bytes(32), found.cids), (salts[0], (CID,)), (salts[0], (CID, bytes(32)))):
        with pytest.raises(VerificationError, match="report_mismatch"):
            verify_report(record, salt, cids)
    with pytest.raises(LianzhengError, match="task_unknown"):
        await TaskService(provider.sender, uses).report(TASK)


async def test_b26_requester_refuses_a_second_salt_and_keeps_receipts_once(provider: Provider) -> None:
    receipts = ReceiptRepository(provider.database)
    assert await receipts.task_salt(TASK, "did:p") is None
    await receipts.remember_task_salt(TASK, "did:p", bytes(32))
    await receipts.remember_task_salt(TASK, "did:p", bytes(32))
    await receipts.remember_task_salt(TASK, "did:q", CID)
    with pytest.raises(VerificationError, match="task_salt_changed"):
        await receipts.remember_task_salt(TASK, "did:p", CID)
    assert await receipts.task_salt(TASK, "did:p") == bytes(32)
    for _ in range(2):
        await receipts.save_receipt(TASK, "did:p", CID, CLAIM.request_hash, b"receipt", START_MS)
    assert await receipts.receipts(TASK, "did:p") == [(CID, b"receipt")]
    assert await receipts.receipts(TASK, "did:q") == []


async def test_tables_of_others_are_kept_until_their_epoch_ends(provider: Provider) -> None:
    tables = PeerTableRepository(provider.database)
    await tables.put("gamma/wealth/bands", 1, b"first", 100)
    await tables.put("gamma/wealth/bands", 1, b"second", 100)
    await tables.forget(100)
    assert await tables.get("gamma/wealth/bands", 1) == b"first"
    await tables.forget(101)
    assert await tables.get("gamma/wealth/bands", 1) is None


async def test_epochs_are_read_back_as_written(provider: Provider) -> None:
    epochs = EpochRepository(provider.database)
    found = await epochs.all()
    assert [(epoch.commit.view, epoch.status) for epoch in found] == sorted(
        (view, "published") for view, _ in (A, B, C)
    )
    assert await epochs.get(*A) == next(epoch for epoch in found if epoch.commit.view == A[0])
    assert await epochs.get(A[0], 2) is None


async def test_gate_8_a_restored_database_is_noticed(provider: Provider, tmp_path: Path) -> None:
    """The mark stands outside the database: a copy from before the last answer is older than it says."""
    mark = tmp_path / "gate.mark"
    first = UseRepository(provider.database, UseMark(mark))
    assert await first.open() is False
    await first.count(claim(1, A), b"first")
    first.close()
    again = UseRepository(provider.database, UseMark(mark))
    assert await again.open() is False, "a restart is no restore"
    again.close()
    assert mark.read_bytes() == b"00000000000000000001\n"
    await provider.database.transact(lambda c: c.execute(delete(gate_receipt)))  # what an older copy would hold
    restored = UseRepository(provider.database, UseMark(mark))
    assert await restored.open() is True
    restored.close()


async def test_gate_8_a_lost_mark_counts_as_a_restore(provider: Provider, tmp_path: Path) -> None:
    uses = UseRepository(provider.database)
    await uses.count(claim(1, A), b"first")
    marked = UseRepository(provider.database, UseMark(tmp_path / "lost.mark"))
    assert await marked.open() is True
    marked.close()


async def test_gate_8_no_twin_gets_an_answer_that_is_counted_and_not_yet_marked(
    provider: Provider, tmp_path: Path
) -> None:
    """Whoever repeats the bytes between count and mark waits for the mark too: after a crash and a restore to the
    moment before, an answer would be out that nothing counts."""
    mark = tmp_path / "twin.mark"
    marked = UseRepository(provider.database, UseMark(mark))
    assert await marked.open() is False
    unmarked = UseRepository(provider.database)  # where the first asker stands: committed, its mark still to come
    await unmarked.count(claim(1, A), b"first")
    assert mark.read_bytes() == b"00000000000000000000\n"
    assert await marked.stored_answer(claim(1).request_hash, claim(1).request) == b"first"
    assert mark.read_bytes() == b"00000000000000000001\n"
    await unmarked.count(claim(2, B), b"second")
    assert await marked.count(claim(2, B), b"made by the twin") == b"second"
    assert mark.read_bytes() == b"00000000000000000002\n"
    marked.close()


async def test_gate_8_a_crash_before_the_first_mark_is_no_restore(provider: Provider, tmp_path: Path) -> None:
    mark = tmp_path / "first.mark"
    new = UseRepository(provider.database, UseMark(mark))
    assert await new.open() is False
    new.close()
    await UseRepository(provider.database).count(claim(1, A), b"counted, and killed before it was marked")
    again = UseRepository(provider.database, UseMark(mark))
    assert await again.open() is False
    again.close()
