"""What sequencer and follower share: the application, the blocks on disk, the head, and everything read from them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.embedded.faults import (
    ledger_forked,
    ledger_rolled_back,
    ledger_storage_failed,
    state_diverged,
)
from lianzheng.adapters.consensus.embedded.store import BlockRow, BlockStore
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject, decode, encode
from lianzheng.errors import LianzhengError, NotFoundError, VerificationError
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.block import Block, BlockResult, SignedHead, head_hash, verify_signed_head
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.ledger.ports import Application, LogProof, Receipt, TxResult
from lianzheng.ledger.roots import results_root, transactions_root
from lianzheng.limits import BLOCK_BYTES_MAX

__all__ = ["Chain"]

_EVENTS_BYTES_MAX = 4 * BLOCK_BYTES_MAX
_RECENT_BLOCKS = 256
"""Results kept in memory for receipts: more blocks than any submitter waits for."""


@dataclass(frozen=True, slots=True)
class _Committed:
    """The parts of the application hash at the head."""

    log_size: int
    log_root: bytes
    state_root: bytes


class Chain:
    """Blocks from genesis to this node's head; every block is durable before it is the head."""

    def __init__(self, application: Application, genesis: Genesis, database: Path, height_file: Path) -> None:
        self.application = application
        self.genesis = genesis
        self.genesis_digest = genesis_digest(genesis)
        self.store = BlockStore(database, height_file)
        self.head: SignedHead | None = None
        self.head_hash = self.genesis_digest
        self.next_signer = genesis.sequencer.key
        self.fault: LianzhengError | None = None
        self._recent: dict[int, tuple[int, Sequence[TxResult]]] = {}
        self._signer_changes: list[JsonObject] = []
        self._committed = self._parts()
        self._advanced = asyncio.Event()
        self._closed = False

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
        parts = self._committed
        return app_hash(self.application.schema, parts.log_root, parts.log_size, parts.state_root)

    async def open(self, *, behind_ok: bool) -> None:
        """Rebuild the state from the blocks on disk, checking each; a follower may lie behind what it has served.

        Raises ``ConfigError`` ``genesis_mismatch``, ``ledger_in_use``; ``UnavailableError`` ``state_diverged``,
        ``ledger_forked``, ``ledger_rolled_back``; ``FormatError``, or ``VerificationError`` ``block_invalid``,
        ``head_signature_invalid``, where a stored block is damaged.
        """
        try:
            await self.store.open(self.genesis_digest)
            for data in self.store.all_blocks():
                block = Block.parse(data)
                self.check_extends(block)
                self.check_remembered(block)
                self.execute(block)
                self._advance(block)
            if not behind_ok:
                self.check_served()
        except LianzhengError:
            await self.close()
            raise

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
        row = BlockRow(
            height=head.height,
            head_hash=head_hash(head),
            block=data,
            events=encode(_events(head.height, head.time_ms, results)),
            transactions=[
                (result.origin.tx_id, index)
                for index, result in enumerate(results)
                if result.final and result.origin is not None
            ],
        )
        try:
            await asyncio.shield(self.store.append(row))
        except (sqlite3.Error, OSError) as error:
            raise ledger_storage_failed() from error
        self._recent[head.height] = (head.time_ms, results)
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
        time_ms, results = self._recent.get(height, (0, ()))
        origin = results[index].origin if index < len(results) else None
        if origin is None or origin.tx_id != tx_id:
            raise VerificationError("receipt_mismatch", "A receipt names a place that holds another transaction.")
        result = results[index]
        return Receipt(tx_id, height, index, time_ms, TxResult(result.code, result.data))

    def head_at(self, height: int) -> SignedHead | None:
        """This node's signed head of a height it has applied, or None."""
        if not 1 <= height <= self.height:
            return None
        return Block.parse(self.store.blocks(height, 1, BLOCK_BYTES_MAX)[0]).head

    async def prove_log(self, index: int) -> LogProof:
        """Proof of one evidence-log entry under the head. Raises ``NotFoundError`` ``log_entry_unknown``."""
        parts, head = self._committed, self.head
        if head is None or not 0 <= index < parts.log_size:
            raise NotFoundError("log_entry_unknown", "The evidence log has no such entry yet.")
        return LogProof(
            entry=self.application.log_entry(index),
            index=index,
            log_size=parts.log_size,
            log_root=parts.log_root,
            state_root=parts.state_root,
            schema=self.application.schema,
            path=self.application.log.inclusion_path(index, parts.log_size),
            head=head.to_json(),
            head_chain=tuple(self._signer_changes),
        )

    async def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as blocks come; ends when the engine stops."""
        height = max(from_height, 1)
        while True:
            while height <= self.height:
                data = self.store.events(height)
                for event in decode(data, _EVENTS_BYTES_MAX) if data else ():
                    yield event
                height += 1
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
        """Release waiters and files."""
        self.halt()
        await self.store.close()

    def _advance(self, block: Block) -> None:
        self.application.commit()
        self._committed = self._parts()
        self.head = block.head
        self.head_hash = head_hash(block.head.head)
        if block.head.head.next_signer != self.next_signer:
            self._signer_changes.append(block.head.to_json())
            self.next_signer = block.head.head.next_signer
        if not self._closed:
            self._advanced.set()
            self._advanced = asyncio.Event()

    def _parts(self) -> _Committed:
        log = self.application.log
        return _Committed(log.size, log.root(), self.application.state_root())


def _events(height: int, time_ms: int, results: Sequence[TxResult]) -> list[JsonObject]:
    return [
        {
            "height": height,
            "time_ms": time_ms,
            "index": index,
            "tx_id": b64u_encode(result.origin.tx_id),
            "kind": result.origin.kind,
            "sender": result.origin.sender,
            "code": result.code,
            "data": result.data,
            "events": list(result.events),
        }
        for index, result in enumerate(results)
        if result.origin is not None
    ]
