"""A member's decisions on task contracts, on the ledger and on record (TASK-1, EV-1)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lianzheng.compute.tasks.model import TaskApprove, TaskContract, TaskRefuse, approval_record
from lianzheng.compute.tasks.service import TaskService
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.model import Record
from lianzheng.errors import RefusedError
from lianzheng.flows.acts import ActRecorder, task_case
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import Receipt

__all__ = ["TaskDesk"]

_ROLE = "compliance"


class TaskDesk:
    """Decisions are evidence once the ledger has accepted them: what it refuses has not happened."""

    def __init__(self, me: str, tasks: TaskService, acts: ActRecorder, state: Callable[[], StateView]) -> None:
        self._me = me
        self._state = state
        self._tasks = tasks
        self._acts = acts
        self._recording = asyncio.Lock()

    async def propose(self, contract: TaskContract) -> tuple[bytes, Receipt]:
        """The task's id and receipt; the same contract again gets the same.

        Raises ``RefusedError`` with the rule's code, as all below.
        """
        task, receipt = await self._tasks.propose(contract)
        await self._record(task, "contract.json", contract)
        return task, receipt

    async def approve(self, task: bytes) -> Receipt:
        """This provider will answer under the contract."""
        approval = TaskApprove(task=task)
        try:
            receipt = await self._tasks.approve(task)
        except RefusedError as error:
            await self._complete(error, task, "approved", None, "approval.json", approval)
            raise
        await self._record(task, "approval.json", approval)
        return receipt

    async def refuse(self, task: bytes, reason: str) -> Receipt:
        """This provider will not; ``reason`` is a code of ``TaskRefuse``."""
        refusal = TaskRefuse.from_json({"task": b64u_encode(task), "reason": reason})
        try:
            receipt = await self._tasks.refuse(task, reason)
        except RefusedError as error:
            await self._complete(error, task, "refused", reason, "refusal.json", refusal)
            raise
        await self._record(task, "refusal.json", refusal)
        return receipt

    async def _complete(
        self, error: RefusedError, task: bytes, decision: str, reason: str | None, name: str, message: Record
    ) -> None:
        """The same decision stands already, perhaps by a try that a crash cut off before it was on record."""
        found = approval_record(self._state(), task, self._me) if error.code == "task_already_decided" else None
        if found is not None and (found.decision, found.reason) == (decision, reason):
            await self._record(task, name, message)

    async def _record(self, task: bytes, name: str, message: Record) -> None:
        """On record once, however often the act is repeated."""
        async with self._recording:
            await self._acts.complete(task_case(task), "task", _ROLE, name, message)
