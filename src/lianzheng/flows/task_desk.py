"""A member's decisions on task contracts, on the ledger and on record (TASK-1, EV-1)."""

from __future__ import annotations

from lianzheng.compute.tasks.model import TaskApprove, TaskContract, TaskRefuse
from lianzheng.compute.tasks.service import TaskService
from lianzheng.encoding.binary import b64u_encode
from lianzheng.flows.acts import ActRecorder, task_case
from lianzheng.ledger.ports import Receipt

__all__ = ["TaskDesk"]

_ROLE = "compliance"


class TaskDesk:
    """Decisions are evidence once the ledger has accepted them: what it refuses has not happened."""

    def __init__(self, tasks: TaskService, acts: ActRecorder) -> None:
        self._tasks = tasks
        self._acts = acts

    async def propose(self, contract: TaskContract) -> tuple[bytes, Receipt]:
        """The task's id and receipt. Raises ``RefusedError`` with the rule's code, as all below."""
        task, receipt = await self._tasks.propose(contract)
        await self._acts.record_message(task_case(task), "task", _ROLE, "contract.json", contract)
        return task, receipt

    async def approve(self, task: bytes) -> Receipt:
        """This provider will answer under the contract."""
        receipt = await self._tasks.approve(task)
        await self._acts.record_message(task_case(task), "task", _ROLE, "approval.json", TaskApprove(task=task))
        return receipt

    async def refuse(self, task: bytes, reason: str) -> Receipt:
        """This provider will not; ``reason`` is a code of ``TaskRefuse``."""
        receipt = await self._tasks.refuse(task, reason)
        refusal = TaskRefuse.from_json({"task": b64u_encode(task), "reason": reason})
        await self._acts.record_message(task_case(task), "task", _ROLE, "refusal.json", refusal)
        return receipt
