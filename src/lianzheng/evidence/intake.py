"""Taking records in: one durable transaction for all that wait at the same time (EV-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lianzheng.clock import Clock
from lianzheng.errors import UnavailableError
from lianzheng.evidence.model import (
    CaptureContext,
    Document,
    DocumentDigest,
    EvidenceRecord,
    Promise,
    PromiseBody,
    digest_document,
    leaves_of_bytes,
    promise_bytes,
)
from lianzheng.evidence.ports import CaseEnd, EvidenceRepository, StoredRecord
from lianzheng.limits import PROMISE_MS

__all__ = ["Draft", "Intake"]

_FEW = 16
"""Records placed within a millisecond or two."""


@dataclass(slots=True)
class Draft:
    """An act that waits for its place in the case. The salt was drawn by the caller."""

    case_id: str
    scene: str
    operator_role: str
    context: CaptureContext
    documents: tuple[Document, ...]
    salt: bytes
    digests: tuple[DocumentDigest, ...] = field(default=())
    record: EvidenceRecord | None = None

    def to_record(self, institution: str) -> EvidenceRecord:
        """The record as the first of its case, made once. Raises ``FormatError`` ``field_invalid``."""
        return self.record or EvidenceRecord.from_json(
            {
                "v": 1,
                "case_id": self.case_id,
                "scene": self.scene,
                "institution": institution,
                "operator_role": self.operator_role,
                "context": self.context,
                "documents": self.digests,
                "previous": None,
            }
        )


class Intake:
    """Orders records within their cases and commits everything that waits in one transaction.

    A durable commit costs about a millisecond whatever it holds, so callers that arrive during one share the next.
    """

    def __init__(
        self,
        repository: EvidenceRepository,
        sign: Callable[[bytes], bytes],
        clock: Clock,
        chain_id: str,
        member: str,
        key_id: str,
    ) -> None:
        self._repository = repository
        self._sign = sign
        self._clock = clock
        self._chain_id = chain_id
        self._member = member
        self._key_id = key_id
        self._writing = asyncio.Lock()
        self._waiting: list[tuple[Sequence[Draft], asyncio.Future[list[Promise]]]] = []

    async def accept(self, draft: Draft) -> Promise:
        """The promise for ``draft``, once it is durable. Raises ``field_invalid``, ``evidence_not_stored``."""
        self.examine(draft)
        (promise,) = await self.store([draft])
        return promise

    def examine(self, draft: Draft) -> None:
        """Refuse it alone, before it shares a transaction with others. Raises ``field_invalid``."""
        draft.digests = tuple(digest_document(document) for document in draft.documents)
        draft.record = draft.to_record(self._member)

    async def store(self, drafts: Sequence[Draft]) -> list[Promise]:
        """The promises for examined ``drafts`` in their order, once all are durable: all or none."""
        future: asyncio.Future[list[Promise]] = asyncio.get_running_loop().create_future()
        self._waiting.append((drafts, future))
        async with self._writing:
            if not future.done():
                await self._write()
        return future.result()

    async def _write(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            promises = iter(await self._store([draft for drafts, _ in group for draft in drafts]))
            for drafts, future in group:
                future.set_result([next(promises) for _ in drafts])
        finally:
            # This caller sees the real error, or was cancelled; the others must not wait for ever.
            for _, future in group:
                if not future.done():
                    future.set_exception(UnavailableError("evidence_not_stored", "The record could not be stored."))
                    future.exception()  # nobody may be left to read it

    async def _store(self, drafts: list[Draft]) -> list[Promise]:
        ends = await self._repository.case_ends([draft.case_id for draft in drafts])
        due_ms = self._clock.now_ms() + PROMISE_MS
        stored = await self._placed(drafts, ends, due_ms)
        documents = {
            digest.sha256: document.data
            for draft in drafts
            for digest, document in zip(draft.digests, draft.documents, strict=True)
        }
        await self._repository.add(stored, documents)
        return [item.promise for item in stored]

    async def _placed(self, drafts: list[Draft], ends: dict[str, CaseEnd], due_ms: int) -> list[StoredRecord]:
        def place() -> list[StoredRecord]:
            return [self._place(draft, ends, due_ms) for draft in drafts]

        # Many take long enough to be in the way of everybody else on the event loop.
        return place() if len(drafts) <= _FEW else await asyncio.to_thread(place)

    def _place(self, draft: Draft, ends: dict[str, CaseEnd], due_ms: int) -> StoredRecord:
        end = ends.get(draft.case_id)
        record = draft.to_record(self._member)
        if end is not None:
            record = record.model_copy(update={"previous": end.leaves})
        data = record.to_bytes()
        leaves = leaves_of_bytes(data, draft.salt)
        seq = 0 if end is None else end.seq + 1
        ends[draft.case_id] = CaseEnd(seq, leaves)
        body = PromiseBody(
            chain_id=self._chain_id, member=self._member, key_id=self._key_id, leaves=leaves, due_ms=due_ms
        )
        promise = Promise(body=body, sig=self._sign(promise_bytes(body)))
        return StoredRecord(record, seq, draft.salt, leaves, promise, data)
