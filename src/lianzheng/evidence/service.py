"""Recording, anchoring and handing out evidence at one member (EV-1..EV-4).

received --flush--> batched --anchor in a block--> anchored(height) --proof under a signed head--> final
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from lianzheng.clock import Clock
from lianzheng.errors import ConflictError, FormatError, LianzhengError, NotFoundError, RefusedError, UnavailableError
from lianzheng.evidence.assembly import BatchPaths, assemble_bundle
from lianzheng.evidence.intake import Draft, Intake
from lianzheng.evidence.model import (
    Acknowledgement,
    AnchorPayload,
    CaptureContext,
    Document,
    LeafPair,
    Promise,
    TrustFile,
    anchor_digest,
)
from lianzheng.evidence.ports import AnchorSender, Batch, EvidenceRepository, PlacedRecord
from lianzheng.evidence.rules import ANCHOR_KIND, last_anchor
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.history import KeptCheckpoint, Standing
from lianzheng.ledger.merkle import root_of
from lianzheng.ledger.ports import LedgerEngine, LogProof
from lianzheng.limits import ANCHOR_INTERVAL_MS, ANCHOR_LEAVES_MAX, DOCUMENT_BYTES_MAX, RECORD_DOCUMENTS_MAX

__all__ = ["Act", "EvidenceService"]

_RETRY_S = 2.0


@dataclass(frozen=True, slots=True)
class Act:
    """One act to be recorded, with the arguments of :meth:`EvidenceService.record`."""

    case_id: str
    scene: str
    operator_role: str
    context: CaptureContext
    documents: tuple[Document, ...]


class EvidenceService:
    """One member's evidence. Nothing is acknowledged before it is durable; nothing is anchored twice on purpose."""

    def __init__(
        self,
        repository: EvidenceRepository,
        engine: LedgerEngine,
        sender: AnchorSender,
        sign: Callable[[bytes], bytes],
        clock: Clock,
        genesis: Genesis,
        member: str,
        key_id: str = "#node",
    ) -> None:
        self._repository = repository
        self._engine = engine
        self._sender = sender
        self._member = member
        self._genesis = genesis
        self._intake = Intake(repository, sign, clock, genesis.chain_id, member, key_id)
        self._flushing = asyncio.Lock()
        self._received = asyncio.Event()
        self._fault: str | None = None

    async def record(
        self, case_id: str, scene: str, operator_role: str, context: CaptureContext, documents: Sequence[Document]
    ) -> Promise:
        """Store one act durably and promise its anchor (EV-1, EV-3).

        Raises ``FormatError``: ``field_invalid`` (scene, case id, role), ``documents_count``, ``document_too_large``.
        """
        (outcome,) = await self.record_many([Act(case_id, scene, operator_role, context, tuple(documents))])
        if isinstance(outcome, LianzhengError):
            raise outcome
        return Promise.from_bytes(outcome)

    async def record_many(self, acts: Sequence[Act | LianzhengError]) -> list[bytes | LianzhengError]:
        """For each act, in their order, the canonical bytes of its promise or what :meth:`record` raises; an error
        among them stays what it is.

        A malformed act refuses itself. The others are durable together or not at all: ``evidence_not_stored``.
        """
        outcomes: list[bytes | LianzhengError | None] = []
        drafts: list[Draft] = []
        for act in acts:
            try:
                if isinstance(act, LianzhengError):
                    raise act
                draft = _draft(act)
                self._intake.examine(draft)
                drafts.append(draft)
                outcomes.append(None)
            except LianzhengError as error:
                outcomes.append(error)
        promises = iter(await self._intake.store(drafts) if drafts else [])
        self._received.set()
        return [next(promises) if outcome is None else outcome for outcome in outcomes]

    async def find(self, leaf: bytes) -> PlacedRecord:
        """The record with this SHA-256 leaf. Raises ``NotFoundError`` ``evidence_unknown``."""
        placed = await self._repository.find(leaf)
        if placed is None:
            raise NotFoundError("evidence_unknown", "No record here has this leaf.")
        return placed

    async def acknowledgement(self, promise: Promise) -> Acknowledgement:
        """Record and salt beside ``promise``, for the person concerned to keep. ``evidence_unknown``."""
        placed = await self.find(promise.body.leaves.sha256)
        return Acknowledgement(record=placed.stored.record, salt=placed.stored.salt, promise=placed.stored.promise)

    async def case(self, case_id: str) -> tuple[PlacedRecord, ...]:
        """All records of a case with their states. Raises ``NotFoundError`` ``case_unknown``."""
        placed = await self._repository.case(case_id)
        if not placed:
            raise NotFoundError("case_unknown", "No evidence is recorded under this case.")
        return placed

    async def cases(self) -> tuple[str, ...]:
        """All case ids, oldest first."""
        return await self._repository.cases()

    async def document(self, sha256: bytes) -> bytes:
        """The bytes of a recorded document. Raises ``NotFoundError`` ``document_unknown``."""
        data = await self._repository.document(sha256)
        if data is None:
            raise NotFoundError("document_unknown", "No document with this digest is kept here.")
        return data

    async def flush(self) -> int:
        """Anchor everything received so far, a batch left by a crash first; the number of records anchored.

        Raises ``UnavailableError`` of the ledger; what was batched stays and is taken up by the next call.
        """
        anchored = 0
        async with self._flushing:
            while batch := await self._next_batch():
                await self._anchor(batch)
                anchored += batch.payload.count
            await self._finalise()
        return anchored

    async def run(self) -> None:
        """Anchor for ever, ``ANCHOR_INTERVAL_MS`` after a record; tries again while the ledger is away or refuses."""
        while True:
            self._received.clear()
            try:
                await self.flush()
            except LianzhengError as error:
                self._fault = error.code
                await asyncio.sleep(_RETRY_S)
                continue
            self._fault = None
            await self._received.wait()
            await asyncio.sleep(ANCHOR_INTERVAL_MS / 1000)

    @property
    def fault(self) -> str | None:
        """Reason code that keeps :meth:`run` from anchoring now; None while it works."""
        return self._fault

    async def bundle(self, case_id: str, under: KeptCheckpoint | None = None) -> bytes:
        """The case's bundle, anchoring first what is not anchored yet (EV-4); ``under`` a checkpoint, for EV-6.

        Raises ``case_unknown``, ``not_anchored_yet``, ``checkpoint_too_early``.
        """
        placed = await self.case(case_id)
        if any(item.batch is None or item.batch.log_index is None for item in placed):
            try:
                await self.flush()
            except UnavailableError as error:
                raise ConflictError(
                    "not_anchored_yet",
                    "A record of this case is not on the ledger yet.",
                    next_step="Try again when the ledger answers.",
                ) from error
            placed = await self.case(case_id)
        batches = {item.batch.number: item.batch for item in placed if item.batch is not None}
        paths = {number: BatchPaths(await self._repository.batch_leaves(number)) for number in batches}
        indexes = [batch.log_index for batch in batches.values() if batch.log_index is not None]
        if under is None:
            proofs = self._prove(await self._standing(indexes), indexes)
            return assemble_bundle(self.network(), placed, paths, proofs).to_bytes()
        proofs = self._prove_under(under, indexes)
        return assemble_bundle(self.network(), placed, paths, proofs, under.note).to_bytes()

    def network(self) -> TrustFile:
        """What a verifier of this network's bundles needs."""
        return TrustFile.of_genesis(self._genesis)

    def trust_file(self) -> bytes:
        """The trust file's exact bytes (B34)."""
        return self.network().to_bytes()

    async def _next_batch(self) -> Batch | None:
        batch = await self._repository.open_batch()
        if batch is not None:
            return batch
        rows = await self._repository.unbatched(ANCHOR_LEAVES_MAX)
        if not rows:
            return None
        payload = self._payload([leaves for _, leaves in rows])
        return await self._repository.create_batch(payload, [row for row, _ in rows])

    def _payload(self, leaves: Sequence[LeafPair]) -> AnchorPayload:
        last = last_anchor(self._engine.state, self._member)
        return AnchorPayload(
            root_sha256=root_of([pair.sha256 for pair in leaves], "sha256"),
            root_sm3=root_of([pair.sm3 for pair in leaves], "sm3"),
            count=len(leaves),
            previous_anchor=None if last is None else last.digest,
        )

    async def _anchor(self, batch: Batch) -> None:
        """Post ``batch`` unless it stands already: before a crash it may have landed without our knowing."""
        if await self._mark_if_landed(batch):
            return
        last = last_anchor(self._engine.state, self._member)
        payload = batch.payload
        if payload.previous_anchor != (None if last is None else last.digest):
            # Only a restored database can lag behind the ledger; the old payload can never be accepted any more.
            payload = self._payload(await self._repository.batch_leaves(batch.number))
            await self._repository.replace_payload(batch.number, payload)
        try:
            receipt = await self._sender.send(ANCHOR_KIND, payload)
        except RefusedError as error:
            # The same payload may have been in flight when we stopped; then it stands now.
            if error.code == "anchor_previous_mismatch" and await self._mark_if_landed(batch):
                return
            raise
        log_index = receipt.result.data["log_index"]
        await self._repository.mark_anchored(batch.number, log_index, receipt.height, receipt.time_ms)

    async def _mark_if_landed(self, batch: Batch) -> bool:
        last = last_anchor(self._engine.state, self._member)
        if last is None or last.digest != anchor_digest(self._member, batch.payload):
            return False
        await self._repository.mark_anchored(batch.number, last.log_index, last.height, last.time_ms)
        return True

    async def _finalise(self) -> None:
        for batch in await self._repository.unfinal():
            if batch.log_index is None:
                continue
            try:
                await self._engine.prove_log(batch.log_index)
            except NotFoundError:
                return  # the header that carries it comes with a later block
            await self._repository.mark_final(batch.number)

    async def _standing(self, indexes: Sequence[int]) -> Standing:
        """One height that all ``indexes`` are proven at, however the ledger moves on meanwhile."""
        try:
            return await self._engine.history.standing(1 + max(indexes))
        except NotFoundError as error:
            raise ConflictError("not_anchored_yet", "A record of this case is not provable yet.") from error

    def _prove_under(self, under: KeptCheckpoint, indexes: Sequence[int]) -> dict[int, LogProof]:
        """Proofs in the log as it was at the checkpoint."""
        if any(index >= under.standing.log_size for index in indexes):
            raise ConflictError(
                "checkpoint_too_early",
                "A record of this case was anchored after the checkpoint.",
                next_step="Name a later checkpoint, or collect one with `lianzheng network checkpoint`.",
            )
        return self._prove(under.standing, indexes)

    def _prove(self, at: Standing, indexes: Sequence[int]) -> dict[int, LogProof]:
        """Proofs of all ``indexes`` in the log as it was under one head."""
        proofs: dict[int, LogProof] = {}
        for index in indexes:
            entry, path = self._engine.history.log_entry(index, at.log_size)
            proofs[index] = LogProof(
                entry=entry,
                index=index,
                path=path,
                log_size=at.log_size,
                log_root=at.log_root,
                state_root=at.state_root,
                schema=at.schema_version,
                head=at.head,
                head_chain=at.head_chain,
            )
        return proofs


def _draft(act: Act) -> Draft:
    if not 1 <= len(act.documents) <= RECORD_DOCUMENTS_MAX:
        raise FormatError("documents_count", f"A record has 1 to {RECORD_DOCUMENTS_MAX} documents.")
    if any(len(document.data) > DOCUMENT_BYTES_MAX for document in act.documents):
        raise FormatError("document_too_large", f"A document has at most {DOCUMENT_BYTES_MAX} bytes.")
    salt = secrets.token_bytes(32)
    return Draft(act.case_id, act.scene, act.operator_role, act.context, act.documents, salt)
