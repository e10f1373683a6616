"""A decision that a crash cut off before it was on record is completed by its repeat, once, and only if it stands."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any, cast

import pytest

from compute_kit import contract
from consent_kit import ALPHA, Network
from ledger_kit import make_genesis
from lianzheng.adapters.storage.evidence import SqlEvidenceRepository
from lianzheng.compute.tasks.model import ApprovalRecord, approval_key
from lianzheng.compute.tasks.service import TaskService
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.evidence.model import CaptureContext
from lianzheng.evidence.service import EvidenceService
from lianzheng.flows.acts import ActRecorder, task_case
from lianzheng.flows.task_desk import TaskDesk
from lianzheng.ledger.ports import Receipt, TxResult
from lianzheng.ledger.state import MemoryState

TASK = b"t" * 32
CAPTURE = CaptureContext(system="counter", software_version="1", channel="branch", local_time_ms=0)


class _Decided:
    """A task service before which the ledger has a decision already."""

    code = "task_already_decided"

    async def approve(self, _task: bytes) -> Any:
        raise RefusedError(self.code, "decided")

    async def refuse(self, _task: bytes, _reason: str) -> Any:
        raise RefusedError(self.code, "decided")


async def test_a_repeat_completes_the_record(tmp_path: Path) -> None:
    network = await Network(tmp_path).open()
    evidence = EvidenceService(
        SqlEvidenceRepository(network.database), network.ledger, network.senders[ALPHA.did], ALPHA.sign,  # type: ignore[arg-type]
        network.clock, make_genesis(), ALPHA.did,
    )  # fmt: skip
    state, service = MemoryState(), _Decided()
    acts = ActRecorder(evidence, CAPTURE, network.clock)
    desk = TaskDesk(ALPHA.did, cast(TaskService, service), acts, lambda: state)
    with pytest.raises(RefusedError):
        await desk.approve(TASK)
    with pytest.raises(NotFoundError, match="case_unknown"):  # it is not this member's decision that stands
        await evidence.case(task_case(TASK))

    decision = ApprovalRecord(version=1, decision="approved", reason=None, time_ms=1)
    state.apply(((approval_key(TASK, ALPHA.did), decision.to_json()),))
    for _ in range(2):
        with pytest.raises(RefusedError, match="task_already_decided"):
            await desk.approve(TASK)
    with pytest.raises(RefusedError):
        await desk.refuse(TASK, "other")  # another decision than the one that stands
    names = [
        document.name for placed in await evidence.case(task_case(TASK)) for document in placed.stored.record.documents
    ]
    assert names == ["approval.json"]
    await network.database.close()


class _Proposed(_Decided):
    """A task service whose sender tells the first receipt again."""

    async def propose(self, _contract: Any) -> Any:
        return TASK, Receipt(TASK, 1, 0, 1, TxResult("ok"))


async def test_a_contract_proposed_again_is_on_record_once(tmp_path: Path) -> None:
    network = await Network(tmp_path).open()
    evidence = EvidenceService(
        SqlEvidenceRepository(network.database), network.ledger, network.senders[ALPHA.did], ALPHA.sign,  # type: ignore[arg-type]
        network.clock, make_genesis(), ALPHA.did,
    )  # fmt: skip
    acts = ActRecorder(evidence, CAPTURE, network.clock)
    desk = TaskDesk(ALPHA.did, cast(TaskService, _Proposed()), acts, MemoryState)
    first, *again = await asyncio.gather(*(desk.propose(contract()) for _ in range(3)))
    assert again == [first] * 2
    placed = await evidence.case(task_case(TASK))
    assert [document.name for item in placed for document in item.stored.record.documents] == ["contract.json"]
    await network.database.close()
