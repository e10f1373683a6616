"""Task contracts from both sides: proposing and ending them, deciding on them, reporting (TASK-1, GATE-10)."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.compute.gate.model import use_leaf
from lianzheng.compute.ports import LedgerSender, UseStore
from lianzheng.compute.tasks.model import (
    ReportRecord,
    TaskApprove,
    TaskCancel,
    TaskClose,
    TaskContract,
    TaskPropose,
    TaskRecord,
    TaskRefuse,
    TaskReport,
    approval_record,
    task_record,
)
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.errors import RefusedError, VerificationError
from lianzheng.ledger.context import StateView
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.ports import Receipt

__all__ = ["TaskService", "report_root", "require_runnable", "tasks_of", "verify_report"]


class TaskService:
    """This member's acts on task contracts."""

    def __init__(self, sender: LedgerSender, uses: UseStore) -> None:
        self._sender = sender
        self._uses = uses

    async def propose(self, contract: TaskContract) -> tuple[bytes, Receipt]:
        """The task's id, and the receipt. Raises ``RefusedError`` with the rule's code, as all below."""
        receipt = await self._sender.send("task.propose", TaskPropose(contract=contract))
        return b64u_decode(receipt.result.data["task"], 32), receipt

    async def approve(self, task: bytes) -> Receipt:
        """This provider will answer under the contract."""
        return await self._sender.send("task.approve", TaskApprove(task=task))

    async def refuse(self, task: bytes, reason: str) -> Receipt:
        """This provider will not; ``reason`` is a code of ``TaskRefuse``."""
        return await self._sender.send(
            "task.refuse", TaskRefuse.from_json({"task": b64u_encode(task), "reason": reason})
        )

    async def cancel(self, task: bytes) -> Receipt:
        """No more answers under the requester's own contract."""
        return await self._sender.send("task.cancel", TaskCancel(task=task))

    async def close(self, task: bytes) -> Receipt:
        """The requester's own contract is over and its reports are final."""
        return await self._sender.send("task.close", TaskClose(task=task))

    async def report(self, task: bytes) -> Receipt:
        """Counts and root of this provider's uses so far stand on the ledger (GATE-10, B26)."""
        found = await self._uses.task_uses(task)
        root = report_root(await self._uses.task_salt(task), found.cids)
        return await self._sender.send("task.report", TaskReport(task=task, counts=found.counts, root=root))


def report_root(task_salt: bytes, cids: Sequence[bytes]) -> bytes:
    """RFC 9162 root over the sorted leaves ``H(tag ‖ task salt ‖ cid)``, each cid once (GATE-10, B26)."""
    tree = MerkleTree("sha256")
    tree.extend(sorted(use_leaf(task_salt, cid) for cid in dict.fromkeys(cids)))
    return tree.root()


def verify_report(report: ReportRecord, task_salt: bytes, cids: Sequence[bytes]) -> None:
    """The provider's report is over exactly the consents that the requester used, by its own receipts.

    Raises ``VerificationError`` ``report_mismatch``.
    """
    if len(dict.fromkeys(cids)) != report.counts.consents or report_root(task_salt, cids) != report.root:
        raise VerificationError("report_mismatch", "A provider's report does not fit this requester's receipts.")


def require_runnable(state: StateView, task: bytes, provider: str, now_ms: int) -> TaskRecord:
    """The task may run at ``provider`` at this block time (GATE-2, without its quota).

    Raises ``NotFoundError`` ``task_unknown``; ``RefusedError`` ``task_ended``, ``task_expired``, ``task_not_approved``.
    """
    record = task_record(state, task)
    if record.status != "proposed":
        raise RefusedError("task_ended", "The task was cancelled or closed.")
    if record.contract.expires_ms <= now_ms:
        raise RefusedError("task_expired", "The task contract has expired.")
    approval = approval_record(state, task, provider)
    if approval is None or approval.decision != "approved":
        raise RefusedError("task_not_approved", "This provider has not approved the task.")
    return record


def tasks_of(state: StateView, member: str) -> list[tuple[bytes, TaskRecord]]:
    """Every task that ``member`` requests or provides for, by id."""
    found = []
    for key, value in state.scan("task/"):
        parts = key.split("/")
        if len(parts) == 2:
            record = TaskRecord.from_json(value)
            if member == record.contract.requester or member in record.contract.providers:
                found.append((b64u_decode(parts[1], 32), record))
    return found
