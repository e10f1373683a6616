"""Taking records in: one durable transaction for all that wait at the same time (EV-3)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from lianzheng.clock import Clock
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject, encode_known
from lianzheng.errors import UnavailableError
from lianzheng.evidence.model import (
    CaptureContext,
    Document,
    EvidenceRecord,
    Promiser,
    describe_document,
    leaf_hashes,
)
from lianzheng.evidence.ports import CaseEnd, EvidenceRepository, NewRecord
from lianzheng.limits import PROMISE_MS

__all__ = ["Draft", "Intake"]

_FEW = 16
"""Records placed and signed within a millisecond or two."""
_SIGNERS = 2
"""Threads that sign one group: a signature leaves the interpreter to others, and is half the work that is left."""

_Head = tuple[str, int, bytes, bytes, bytes, bytes]
"""A ``NewRecord`` up to its promise."""
_Waiting = tuple[Sequence["Draft"], asyncio.Future[list[bytes]]]


@dataclass(slots=True)
class Draft:
    """An act that waits for its place in the case. The salt was drawn by the caller."""

    case_id: str
    scene: str
    operator_role: str
    context: CaptureContext
    documents: tuple[Document, ...]
    salt: bytes
    form: JsonObject = field(default_factory=dict)
    """Members of the record as the first of its case, once they are known to be one."""
    kept: dict[bytes, bytes] = field(default_factory=dict)
    """The documents' bytes by SHA-256."""

    def examine(self, institution: str) -> None:
        """Digest the documents and see that this makes a record. Raises ``FormatError`` ``field_invalid``."""
        described = []
        for document in self.documents:
            digest, form = describe_document(document)
            described.append(form)
            self.kept[digest] = document.data
        form = {
            "v": 1,
            "case_id": self.case_id,
            "scene": self.scene,
            "institution": institution,
            "operator_role": self.operator_role,
            "context": self.context.to_json(),
            "documents": described,
            "previous": None,
        }
        EvidenceRecord.from_json(form)
        self.form = form

    def data(self, end: CaseEnd | None) -> bytes:
        """Canonical bytes of the examined record behind ``end``, the last one of its case."""
        if end is not None:
            self.form["previous"] = {"sha256": b64u_encode(end.leaf_sha256), "sm3": b64u_encode(end.leaf_sm3)}
        return encode_known(self.form)


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
        self._member = member
        self._promiser = Promiser(chain_id, member, key_id)
        self._waiting: list[_Waiting] = []
        self._writer: asyncio.Task[None] | None = None

    def examine(self, draft: Draft) -> None:
        """Refuse it alone, before it shares a transaction with others. Raises ``field_invalid``."""
        draft.examine(self._member)

    async def store(self, drafts: Sequence[Draft]) -> list[bytes]:
        """The promises for examined ``drafts`` in their order, each in its canonical bytes, once all are durable: all
        or none. Raises ``UnavailableError`` ``evidence_not_stored``.
        """
        future: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        self._waiting.append((drafts, future))
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_waiting(), name="evidence-intake")
        return await future

    async def _write_waiting(self) -> None:
        # One task for all: callers that took turns at a lock would cost the event loop a round each.
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                await self._write(group)
        finally:
            self._writer = None

    async def _write(self, group: list[_Waiting]) -> None:
        drafts = [draft for given, _ in group for draft in given]
        try:
            (outcome,) = await asyncio.gather(self._store(drafts), return_exceptions=True)
            if isinstance(outcome, BaseException):
                _refuse(group[0][1], outcome)  # the first caller raises the real error
            else:
                promises = iter(outcome)
                for given, future in group:
                    mine = [next(promises) for _ in given]
                    if not future.done():  # whoever was cancelled has left
                        future.set_result(mine)
        finally:  # however it ended, nobody waits for ever
            for _, future in group:
                _refuse(future, UnavailableError("evidence_not_stored", "The record could not be stored."))

    async def _store(self, drafts: list[Draft]) -> list[bytes]:
        ends = await self._repository.case_ends([draft.case_id for draft in drafts])
        due_ms = self._clock.now_ms() + PROMISE_MS
        records = await self._promised(drafts, ends, due_ms)
        await self._repository.add(records, {key: data for draft in drafts for key, data in draft.kept.items()})
        return [record.promise for record in records]

    async def _promised(self, drafts: list[Draft], ends: dict[str, CaseEnd], due_ms: int) -> list[NewRecord]:
        if len(drafts) <= _FEW:
            return self._sign_all(self._place_all(drafts, ends), due_ms)
        # Many take long enough to be in the way of everybody else on the event loop.
        heads = await asyncio.to_thread(self._place_all, drafts, ends)
        size = -(-len(heads) // _SIGNERS)
        parts = (heads[start : start + size] for start in range(0, len(heads), size))
        signed = await asyncio.gather(*(asyncio.to_thread(self._sign_all, part, due_ms) for part in parts))
        return [record for part in signed for record in part]

    def _place_all(self, drafts: list[Draft], ends: dict[str, CaseEnd]) -> list[_Head]:
        return [self._place(draft, ends) for draft in drafts]

    def _place(self, draft: Draft, ends: dict[str, CaseEnd]) -> _Head:
        end = ends.get(draft.case_id)
        data = draft.data(end)
        sha256, sm3 = leaf_hashes(data, draft.salt)
        seq = 0 if end is None else end.seq + 1
        ends[draft.case_id] = CaseEnd(seq, sha256, sm3)
        return draft.case_id, seq, data, draft.salt, sha256, sm3

    def _sign_all(self, heads: Sequence[_Head], due_ms: int) -> list[NewRecord]:
        promiser, sign = self._promiser, self._sign
        return [NewRecord(*head, promiser.signed(promiser.body(head[4], head[5], due_ms), sign)) for head in heads]


def _refuse(future: asyncio.Future[list[bytes]], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
        future.exception()  # nobody may be left to read it
