"""Taking records in: one durable transaction for all that wait at the same time (EV-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

from lianzheng.clock import Clock
from lianzheng.errors import UnavailableError
from lianzheng.evidence.model import (
    CaptureContext,
    Document,
    DocumentDigest,
    EvidenceRecord,
    LeafPair,
    Promise,
    PromiseBody,
    digest_document,
    leaves_of,
    promise_bytes,
)
from lianzheng.evidence.ports import CaseEnd, EvidenceRepository, StoredRecord
from lianzheng.limits import PROMISE_MS

__all__ = ["Draft", "Intake"]


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

    def to_record(self, institution: str, previous: LeafPair | None) -> EvidenceRecord:
        """The record at this place. Raises ``FormatError`` ``field_invalid``."""
        return EvidenceRecord.from_json(
            {
                "v": 1,
                "case_id": self.case_id,
                "scene": self.scene,
                "institution": institution,
                "operator_role": self.operator_role,
                "context": self.context,
                "documents": self.digests,
                "previous": previous,
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
        self._waiting: list[tuple[Draft, asyncio.Future[Promise]]] = []

    async def accept(self, draft: Draft) -> Promise:
        """The promise for ``draft``, once it is durable. Raises ``field_invalid``, ``evidence_not_stored``."""
        draft.digests = tuple(digest_document(document) for document in draft.documents)
        draft.to_record(self._member, None)  # refuse it alone, before it shares a transaction with others
        future: asyncio.Future[Promise] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, future))
        async with self._writing:
            if not future.done():
                await self._write()
        return future.result()

    async def _write(self) -> None:
        group, self._waiting = self._waiting, []
        try:
            promises = await self._store([draft for draft, _ in group])
            for (_, future), promise in zip(group, promises, strict=True):
                future.set_result(promise)
        finally:
            # This caller sees the real error, or was cancelled; the others must not wait for ever.
            for _, future in group:
                if not future.done():
                    future.set_exception(UnavailableError("evidence_not_stored", "The record could not be stored."))
                    future.exception()  # nobody may be left to read it

    async def _store(self, drafts: list[Draft]) -> list[Promise]:
        ends = await self._repository.case_ends([draft.case_id for draft in drafts])
        due_ms = self._clock.now_ms() + PROMISE_MS
        stored = [self._place(draft, ends, due_ms) for draft in drafts]
        documents = {
            digest.sha256: document.data
            for draft in drafts
            for digest, document in zip(draft.digests, draft.documents, strict=True)
        }
        await self._repository.add(stored, documents)
        return [item.promise for item in stored]

    def _place(self, draft: Draft, ends: dict[str, CaseEnd], due_ms: int) -> StoredRecord:
        end = ends.get(draft.case_id)
        record = draft.to_record(self._member, None if end is None else end.leaves)
        leaves = leaves_of(record, draft.salt)
        seq = 0 if end is None else end.seq + 1
        ends[draft.case_id] = CaseEnd(seq, leaves)
        body = PromiseBody(
            chain_id=self._chain_id, member=self._member, key_id=self._key_id, leaves=leaves, due_ms=due_ms
        )
        return StoredRecord(record, seq, draft.salt, leaves, Promise(body=body, sig=self._sign(promise_bytes(body))))
