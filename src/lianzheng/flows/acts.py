"""Putting a member's acts on record: one place that knows which case and scene an act belongs to (EV-1)."""

from __future__ import annotations

from collections.abc import Sequence

from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.model import Record
from lianzheng.errors import NotFoundError
from lianzheng.evidence.model import Acknowledgement, CaptureContext, Document
from lianzheng.evidence.service import EvidenceService

__all__ = ["ActRecorder", "consent_case", "network_case", "task_case"]


def consent_case(consent_id: str) -> str:
    """The case under which a consent's evidence stands."""
    return f"consent-{consent_id}"


def task_case(task: bytes) -> str:
    """The case of a task contract."""
    return f"task-{b64u_encode(task)}"


def network_case(chain_id: str) -> str:
    """The case of a member's acts as a member: agreement, keys."""
    return f"network-{chain_id}"


class ActRecorder:
    """Evidence with this node's capture context, timed by its clock."""

    def __init__(self, evidence: EvidenceService, capture: CaptureContext, clock: Clock) -> None:
        self._evidence = evidence
        self._capture = capture
        self._clock = clock

    async def record(self, case_id: str, scene: str, role: str, documents: Sequence[Document]) -> Acknowledgement:
        """The act is durable and its anchor promised; the acknowledgement is for the person concerned (EV-3)."""
        context = self._capture.model_copy(update={"local_time_ms": self._clock.now_ms()})
        return await self._evidence.acknowledgement(
            await self._evidence.record(case_id, scene, role, context, documents)
        )

    async def record_message(self, case_id: str, scene: str, role: str, name: str, message: Record) -> Acknowledgement:
        """As :meth:`record`, for one canonical message."""
        return await self.record(case_id, scene, role, [Document(name, "application/json", message.to_bytes())])

    async def complete(self, case_id: str, scene: str, role: str, name: str, message: Record) -> None:
        """What a crash between the ledger and the record has left out is on record now; nothing is recorded twice."""
        digest = sha256_raw(message.to_bytes())
        try:
            placed = await self._evidence.case(case_id)
        except NotFoundError:
            placed = ()
        if not any(document.sha256 == digest for item in placed for document in item.stored.record.documents):
            await self.record_message(case_id, scene, role, name, message)

    async def first(self, case_id: str) -> Acknowledgement:
        """The acknowledgement of a case's first record. Raises ``NotFoundError`` ``case_unknown``."""
        placed = await self._evidence.case(case_id)
        return await self._evidence.acknowledgement(placed[0].stored.promise)
