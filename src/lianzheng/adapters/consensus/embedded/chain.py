"""What sequencer and follower share: the application, the blocks on disk, the head, and everything read from them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from lianzheng.adapters.consensus.embedded.checkpoints import Checkpoint, Checkpoints
from lianzheng.adapters.consensus.embedded.store import BlockRow, BlockStore
from lianzheng.adapters.consensus.events import EVENTS_BYTES_MAX, block_events, final_places
from lianzheng.adapters.consensus.faults import (
    ledger_forked,
    ledger_rolled_back,
    ledger_storage_failed,
    log_entry_unknown,
    state_diverged,
)
from lianzheng.adapters.consensus.proofs import UnderHead, standing_under, under_head
from lianzheng.encoding.canonical import JsonObject, decode, encode
from lianzheng.errors import (
    ConfigError,
    FormatError,
    LianzhengError,
    NotFoundError,
    UnavailableError,
    VerificationError,
)
from lianzheng.ledger.block import Block, BlockResult, SignedHead, head_hash, verify_signed_head
from lianzheng.ledger.delta import Delta
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.ledger.history import Standing
from lianzheng.ledger.ports import (
    Application,
    ConsistencyProof,
    LogProof,
    Receipt,
    Roots,
    StateProof,
    TxResult,
)
from lianzheng.ledger.roots import results_root, transactions_root
from lianzheng.ledger.snapshot import Snapshot
from lianzheng.ledger.transaction import Transaction, transaction_id
from lianzheng.limits import BLOCK_BYTES_MAX, CHECKPOINT_WRITES_MIN

__all__ = ["Chain"]

_RECENT_BLOCKS = 256
"""Results kept in memory for receipts: more blocks than any submitter waits for."""


class Chain:
    """Blocks from genesis to this node's head; every block is durable before it is the head."""

    def __init__(self, application: Application, genesis: Genesis, database: Path, height_file: Path) -> None:
        self.application = application
        self.genesis = genesis
        self.genesis_digest = genesis_digest(genesis)
        self.store = BlockStore(database, height_file)
        self.checkpoints = Checkpoints(database.with_name(database.name + ".checkpoints"))
        self.checkpoint_writes = CHECKPOINT_WRITES_MIN
        self.fault: LianzhengError | None = None
        self.checkpoint_fault: str | None = None
        self._recent: dict[int, tuple[Block, Sequence[TxResult]]] = {}
        self._advanced = asyncio.Event()
        self._closed = False
        self._writes = 0
        self._checkpointing: asyncio.Task[None] | None = None
        self._at_genesis()

    def _at_genesis(self) -> None:
        self.head: SignedHead | None = None
        self.head_hash = self.genesis_digest
        self.next_signer = self.genesis.sequencer.key
        self._signer_changes: list[SignedHead] = []

    @property
    def height(self) -> int:
        """Height of the head; 0 at genesis."""
        return 0 if self.head is None else self.head.head.height

    @property
    def time_ms(self) -> int:
        """Block time of the head."""
        return self.genesis.time_ms if self.head is None else self.head.head.time_ms

    @property
    def served(self) -> int:
        """The highest height this node has ever applied, by the file outside the database."""
        return 0 if self.store.served is None else self.store.served[0]

    @property
    def application_hash(self) -> bytes:
        """The application hash at the head (LED-5)."""
        return self.application.roots().app_hash

    async def open(self, *, behind_ok: bool) -> None:
        """Have the state at the last block on disk; a follower may lie behind what it has served.

        The newest checkpoint and the changes of the blocks after it are used if they lead to the signed heads;
        otherwise every block is executed again, and ``checkpoint_fault`` says why. Raises ``ConfigError``
        ``genesis_mismatch``, ``ledger_in_use``; ``UnavailableError`` ``state_diverged``, ``ledger_forked``,
        ``ledger_rolled_back``; ``FormatError``, or ``VerificationError`` ``block_invalid``,
        ``head_signature_invalid``, where a stored block is damaged.
        """
        try:
            await self.store.open(self.genesis_digest)
            try:
                self._load_checkpoint()
                self._replay(use_deltas=True)
            except (FormatError, VerificationError, UnavailableError, OSError) as error:
                self._require_first_block()
                self.checkpoint_fault = getattr(error, "code", "checkpoint_unreadable")
                self.application.reset()
                self._at_genesis()
                self._writes = self.checkpoint_writes  # a new one is due at once
                self._replay(use_deltas=False)
            if not behind_ok:
                self.check_served()
        except LianzhengError:
            await self.close()
            raise

    def _load_checkpoint(self) -> None:
        checkpoint = self.checkpoints.newest()
        if checkpoint is None:
            return
        signer = checkpoint.check(self.genesis.chain_id, self.next_signer)
        head = checkpoint.head
        if self._stored_head(head.head.height) != head:
            raise VerificationError("checkpoint_invalid", "A checkpoint is not of the chain in the database.")
        self.application.restore(checkpoint.manifest, self.checkpoints.chunks(checkpoint))
        self.head, self.head_hash, self.next_signer = head, head_hash(head.head), signer
        self._signer_changes = list(checkpoint.signer_changes)
        self._check_noted()

    async def begin(self, checkpoint: Checkpoint, data: bytes) -> None:
        """Take over a fetched checkpoint, whose chunks lie on disk, as this node's beginning; ``data`` is its block.

        Nothing changes if it is refused. Raises ``VerificationError`` ``checkpoint_invalid``, ``snapshot_foreign``,
        of ``verify_heads`` or of ``Application.restore``; ``FormatError``; ``UnavailableError``
        ``ledger_storage_failed``.
        """
        signer = checkpoint.check(self.genesis.chain_id, self.next_signer)
        block, head = Block.parse(data), checkpoint.head
        if (
            block.head != head
            or head.head.txs_root != transactions_root(block.transactions)
            or head.head.results_root != results_root(block.results)
        ):
            raise VerificationError("snapshot_foreign", "The block of a snapshot is not the one that its head signs.")
        try:
            self.application.restore(checkpoint.manifest, self.checkpoints.fetched_chunks(checkpoint))
            self.checkpoints.keep(checkpoint)
            await self.store.begin(head.head.height, head_hash(head.head), data)
        except (sqlite3.Error, OSError) as error:
            raise ledger_storage_failed() from error
        self.head, self.head_hash, self.next_signer = head, head_hash(head.head), signer
        self._signer_changes = list(checkpoint.signer_changes)
        self._advanced.set()
        self._advanced = asyncio.Event()

    @property
    def begun(self) -> int:
        """The height that this node began with, below which it has no block; 0 where it has all."""
        lowest = self.store.lowest()
        return 0 if lowest in (None, 1) else lowest or 0

    def _require_first_block(self) -> None:
        if self.begun:
            raise ConfigError(
                "snapshot_missing",
                f"This node began with a snapshot at height {self.begun}, and its checkpoint cannot be used any more.",
                next_step="Restore the folder ending in .checkpoints, or start with an empty data folder.",
            )

    def _check_noted(self) -> None:
        """Refuse (``ledger_forked``) where another head than ours stands in the height file, at a height we passed."""
        served = self.store.served
        if served is not None and 1 <= served[0] <= self.height:
            own = self._stored_head(served[0])
            if own is None or head_hash(own.head) != served[1]:
                raise ledger_forked(served[0])

    def _replay(self, *, use_deltas: bool) -> None:
        for data, delta in self.store.blocks_above(self.height):
            block = Block.parse(data)
            self.check_extends(block)
            self.check_remembered(block)
            if delta is not None and use_deltas:
                self._apply_delta(block, Delta.from_bytes(delta))
            else:
                self.execute(block)
            self._advance(block)

    def _apply_delta(self, block: Block, delta: Delta) -> None:
        head = block.head.head
        if (delta.height, delta.time_ms) != (head.height, head.time_ms):
            raise FormatError("delta_invalid", "The stored changes are of another block.")
        self.application.apply_delta(delta)
        self._writes += len(delta.writes) + len(delta.log)
        if self.application.app_hash() != head.app_hash:
            raise state_diverged(head.height)

    def check_served(self) -> None:
        """Raise ``UnavailableError`` ``ledger_rolled_back`` below the height that this node has served (GATE-4)."""
        if self.height < self.served:
            raise ledger_rolled_back(self.served)

    def check_remembered(self, block: Block) -> None:
        """Raise ``UnavailableError`` ``ledger_forked`` where this node has served another head of this height."""
        height = block.head.head.height
        served = self.store.served
        if served is not None and served[0] == height and served[1] != head_hash(block.head.head):
            raise ledger_forked(height)

    def check_extends(self, block: Block) -> None:
        """Return only if ``block`` is signed, well formed and follows the head.

        Raises ``VerificationError``: ``head_signature_invalid``, ``block_invalid``.
        """
        head = block.head.head
        verify_signed_head(block.head, self.next_signer)
        if (
            head.chain_id != self.genesis.chain_id
            or head.height != self.height + 1
            or head.previous != self.head_hash
            or head.time_ms <= self.time_ms
            or len(block.results) != len(block.transactions)
            or head.txs_root != transactions_root(block.transactions)
            or head.results_root != results_root(block.results)
        ):
            raise VerificationError("block_invalid", "A block does not follow this node's head or its own roots.")

    def execute(self, block: Block) -> list[TxResult]:
        """Replay ``block`` and compare; raises ``UnavailableError`` ``state_diverged`` naming the height."""
        head = block.head.head
        results = self.application.execute_block(head.height, head.time_ms, list(block.transactions))
        mine = tuple(BlockResult(code=result.code, data=result.data) for result in results)
        if results_root(mine) != head.results_root or self.application.app_hash() != head.app_hash:
            raise state_diverged(head.height)
        return results

    async def append(self, block: Block, data: bytes, results: Sequence[TxResult]) -> None:
        """Make an executed block durable, then make it the head. Raises ``ledger_storage_failed``."""
        head = block.head.head
        delta = self.application.delta()
        self._writes += len(delta.writes) + len(delta.log)
        row = BlockRow(
            height=head.height,
            delta=delta.to_bytes(),
            head_hash=head_hash(head),
            block=data,
            events=encode(block_events(head.height, head.time_ms, results)),
            transactions=final_places(results),
        )
        try:
            await asyncio.shield(self.store.append(row))
        except (sqlite3.Error, OSError) as error:
            raise ledger_storage_failed() from error
        self._recent[head.height] = (block, results)
        self._recent.pop(head.height - _RECENT_BLOCKS, None)
        self._advance(block)

    def receipt_of(self, tx_id: bytes) -> Receipt | None:
        """The receipt of a transaction that can never stand again, or None."""
        place = self.store.find(tx_id)
        if place is None or place[0] > self.height:
            return None
        height, index = place
        if height in self._recent:
            return self.recent_receipt(tx_id, height, index)
        block = Block.parse(self.store.blocks(height, 1, BLOCK_BYTES_MAX)[0])
        result = block.results[index]
        return Receipt(tx_id, height, index, block.head.head.time_ms, TxResult(result.code, result.data))

    def recent_receipt(self, tx_id: bytes, height: int, index: int) -> Receipt:
        """The receipt at a place of one of the last blocks, by this node's own results.

        Raises ``VerificationError`` ``receipt_mismatch`` where another transaction stands there.
        """
        block, results = self._recent.get(height, (None, ()))
        # By its bytes: what was refused before its sender was known to be right (a nonce used earlier in the block)
        # has a result without origin.
        if block is None or index >= len(results) or _id_of(block.transactions[index]) != tx_id:
            raise VerificationError("receipt_mismatch", "A receipt names a place that holds another transaction.")
        result = results[index]
        return Receipt(tx_id, height, index, block.head.head.time_ms, TxResult(result.code, result.data))

    def head_at(self, height: int) -> SignedHead | None:
        """This node's signed head of a height it has applied, or None."""
        return self._stored_head(height) if height <= self.height else None

    def _stored_head(self, height: int) -> SignedHead | None:
        found = self.store.blocks(height, 1, BLOCK_BYTES_MAX) if height >= 1 else []
        head = Block.parse(found[0]).head if found else None
        return head if head is not None and head.head.height == height else None

    async def prove_log(self, index: int, height: int | None = None) -> LogProof:
        """Proof of one evidence-log entry; errors as ``LedgerEngine.prove_log``."""
        roots = self.application.roots(height)
        if roots.height == 0 or not 0 <= index < roots.log_size:
            raise log_entry_unknown()
        path = self.application.log.inclusion_path(index, roots.log_size)
        entry = self.application.log_entry(index)
        return LogProof(entry=entry, index=index, path=path, **self._under_head(roots))

    async def prove_consistency(self, old_size: int, height: int | None = None) -> ConsistencyProof:
        """Proof that the log only grew; errors as ``LedgerEngine.prove_consistency``."""
        roots = self.application.roots(height)
        path = self.application.log.consistency_path(old_size, roots.log_size)
        return ConsistencyProof(old_size=old_size, path=path, **self._under_head(roots))

    async def prove_state(self, key: str, height: int | None = None) -> StateProof:
        """Proof of one state entry or of its absence; errors as ``LedgerEngine.prove_state``."""
        roots = self.application.roots(height)
        value, path = self.application.state_path(key, height)
        return StateProof(key=key, value=value, path=path, **self._under_head(roots))

    def standing(self) -> Standing:
        """What proofs under the newest head stand on. Raises ``NotFoundError`` ``head_unknown``."""
        return standing_under(self._under_head(self.application.roots()))

    def _under_head(self, roots: Roots) -> UnderHead:
        head = self.head_at(roots.height)
        if head is None:
            raise NotFoundError("head_unknown", "No block stands yet: there is no signed head to prove under.")
        changes = (change.to_json() for change in self._signer_changes if change.head.height < roots.height)
        return under_head(roots, head.to_json(), tuple(changes))

    async def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as blocks come; ends when the engine stops."""
        height = max(from_height, 1, self.begun)
        while True:
            while height <= self.height:
                data = self.store.events(height)
                for event in decode(data, EVENTS_BYTES_MAX) if data else ():
                    yield event
                height += 1
                await asyncio.sleep(0)  # whoever reads a long past must not hold up the chain
            if not await self.wait_height(height):
                return

    async def wait_height(self, height: int) -> bool:
        """True once the head has reached ``height``; False if the engine stops first."""
        while self.height < height and not self._closed:
            await self._advanced.wait()
        return self.height >= height

    def halt(self, fault: LianzhengError | None = None) -> None:
        """Serve nothing new; the first fault stands. Wakes everybody who waits."""
        self.fault = self.fault or fault
        self._closed = True
        self._advanced.set()

    async def close(self) -> None:
        """Release waiters and files; a checkpoint in the making is finished first."""
        self.halt()
        if self._checkpointing is not None:
            await self._checkpointing
        await self.store.close()

    def _advance(self, block: Block) -> None:
        self.application.commit()
        self.head = block.head
        self.head_hash = head_hash(block.head.head)
        if block.head.head.next_signer != self.next_signer:
            self._signer_changes.append(block.head)
            self.next_signer = block.head.head.next_signer
        if not self._closed:
            self._advanced.set()
            self._advanced = asyncio.Event()

    def checkpoint_if_due(self) -> None:
        """Begin a checkpoint in the background once enough has changed since the last (LED-9)."""
        due = max(self.checkpoint_writes, (self.application.entries + self.application.log.size) // 2)
        if self.head is None or self._writes < due or self._checkpointing is not None or self._closed:
            return
        self._writes = 0
        snapshot, head, changes = self.application.snapshot(), self.head, tuple(self._signer_changes)
        self._checkpointing = asyncio.create_task(self._checkpoint(snapshot, head, changes), name="ledger-checkpoint")

    async def _checkpoint(self, snapshot: Snapshot, head: SignedHead, changes: tuple[SignedHead, ...]) -> None:
        try:
            await asyncio.to_thread(self.checkpoints.write, snapshot, head, changes)
            await self.store.forget_deltas(snapshot.height)
            self.checkpoint_fault = None
        except (OSError, sqlite3.Error):  # blocks and their changes are all there: nothing is lost but time
            self.checkpoint_fault = "checkpoint_unwritten"
        finally:
            self._checkpointing = None


def _id_of(wire: bytes) -> bytes | None:
    try:
        return transaction_id(Transaction.parse(wire).body)
    except FormatError:
        return None
