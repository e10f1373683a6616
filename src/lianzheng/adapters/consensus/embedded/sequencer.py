"""The one node that orders: a look at the door, blocks of up to 500 transactions or 20 ms, one durable commit each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.embedded.chain import Chain
from lianzheng.adapters.consensus.embedded.reads import ChainReads
from lianzheng.adapters.consensus.embedded.status import engine_status
from lianzheng.adapters.consensus.faults import ledger_busy, stop_error
from lianzheng.clock import Clock
from lianzheng.errors import FormatError, LianzhengError, NotFoundError
from lianzheng.ledger.block import Block, BlockResult, Head, SignedHead, head_signing_bytes
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import Application, EngineStatus, Receipt, TxResult
from lianzheng.ledger.roots import results_root, transactions_root
from lianzheng.ledger.statement import HeadStatement, Statement, make_statement
from lianzheng.ledger.transaction import Transaction, body_bytes, transaction_id
from lianzheng.limits import (
    BLOCK_BYTES_MAX,
    BLOCK_INTERVAL_MS,
    BLOCK_TRANSACTIONS_MAX,
    HEARTBEAT_MS,
    PENDING_TRANSACTIONS_MAX,
)

__all__ = ["EmbeddedSequencer"]

_TRANSACTIONS_BYTES_MAX = BLOCK_BYTES_MAX * 3 // 4
"""Base64url of the transactions; the last quarter of a block is for results."""


@dataclass(slots=True)
class _Pending:
    tx_id: bytes
    data: bytes
    receipt: asyncio.Future[Receipt]
    arrived: float


class EmbeddedSequencer(ChainReads):
    """``LedgerEngine`` of the first founder's node; its own head is fresh by definition (GATE-4)."""

    def __init__(
        self,
        application: Application,
        genesis: Genesis,
        *,
        database: Path,
        height_file: Path,
        sign: Callable[[bytes], bytes],
        clock: Clock,
        interval_ms: int = BLOCK_INTERVAL_MS,
        heartbeat_ms: int = HEARTBEAT_MS,
    ) -> None:
        """``sign`` is by the key in ``genesis.sequencer``, which is the sequencing node's ``#node`` key."""
        self._chain = Chain(application, genesis, database, height_file)
        self._application = application
        self._genesis = genesis
        self._sign = sign
        self._clock = clock
        self._interval_ms = interval_ms
        self._heartbeat_ms = heartbeat_ms
        self._queue: deque[_Pending] = deque()
        self._pending: dict[bytes, asyncio.Future[Receipt]] = {}
        self._arrived = asyncio.Event()
        self._full = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._running = False

    async def start(self) -> None:
        """Rebuild the state from the blocks, then order. Raises as ``Chain.open``."""
        await self._chain.open(behind_ok=False)
        self._running = True
        self._task = asyncio.create_task(self._run(), name="ledger-sequencer")

    async def stop(self) -> None:
        """Finish the block in flight; transactions still waiting get ``ledger_stopped``."""
        self._running = False
        self._arrived.set()
        self._full.set()
        if self._task is not None:
            await self._task
            self._task = None
        self._fail_pending()
        await self._chain.close()

    async def submit(self, tx: Transaction) -> Receipt:
        """Order ``tx`` and wait until its block is durable.

        Raises ``UnavailableError`` ``ledger_stopped``, ``ledger_busy``, ``ledger_storage_failed``.
        """
        wire = tx.to_bytes()
        return await self._submit(wire, transaction_id(body_bytes(wire)))

    async def submit_bytes(self, transaction: bytes) -> Receipt:
        """As :meth:`submit` for the wire form; raises ``FormatError`` where it has no transaction's form."""
        Transaction.parse(transaction)
        return await self._submit(transaction, transaction_id(body_bytes(transaction)))

    @property
    def head(self) -> SignedHead | None:
        """The signed head, None at genesis."""
        return self._chain.head

    def status(self) -> EngineStatus:
        """Where the engine stands, with what the embedded engine does not protect against (CON-7)."""
        return engine_status(self._chain, role="sequencer", lag=0, running=self._running)

    async def catch_up(self) -> None:
        """Nothing: the sequencer has every block that exists."""

    def assert_fresh(self) -> None:
        """Return while running. Raises ``UnavailableError`` ``ledger_stopped`` or the reason of the stop."""
        if not self._running:
            raise stop_error(self._chain.fault)

    async def blocks(self, from_height: int, limit: int) -> list[bytes]:
        """Canonical blocks for followers, at most ``limit`` and about ``BLOCK_BYTES_MAX`` together."""
        return self._chain.store.blocks(from_height, min(max(limit, 0), BLOCK_TRANSACTIONS_MAX), BLOCK_BYTES_MAX)

    async def snapshot_description(self) -> bytes | None:
        """For a new follower: the description of the newest checkpoint (LED-8), or None where there is none yet."""
        try:
            newest = await asyncio.to_thread(self._chain.checkpoints.newest)
        except (FormatError, OSError):
            return None  # damaged here: it is made again when it is due
        return None if newest is None else newest.to_bytes()

    async def snapshot_chunk(self, height: int, index: int) -> bytes:
        """One chunk of it. Raises ``NotFoundError`` ``snapshot_unknown``."""
        chunk = await asyncio.to_thread(self._chain.checkpoints.chunk, height, index)
        if chunk is None:
            raise NotFoundError(
                "snapshot_unknown", "There is no such snapshot here any more.", next_step="Ask for the newest one."
            )
        return chunk

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """Signed answer to a node's nonce (GATE-4, B32)."""
        self.assert_fresh()
        chain = self._chain
        statement = Statement(
            chain_id=self._genesis.chain_id, nonce=nonce, height=chain.height, head_hash=chain.head_hash
        )
        return make_statement(statement, self._genesis.sequencer.did, chain.head, self._sign)

    async def _submit(self, data: bytes, tx_id: bytes) -> Receipt:
        self.assert_fresh()
        waiting = self._pending.get(tx_id)
        if waiting is not None:
            return await asyncio.shield(waiting)
        earlier = self._chain.receipt_of(tx_id)
        if earlier is not None:
            return earlier
        verdict = self._application.check(data, self._clock.now_ms())
        if not verdict.ok:
            return Receipt(tx_id, 0, 0, self._chain.time_ms, verdict)
        if len(self._queue) >= PENDING_TRANSACTIONS_MAX:
            raise ledger_busy()
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Receipt] = loop.create_future()
        self._pending[tx_id] = future
        self._queue.append(_Pending(tx_id, data, future, loop.time()))
        self._arrived.set()
        if len(self._queue) >= BLOCK_TRANSACTIONS_MAX:
            self._full.set()
        return await asyncio.shield(future)

    async def _run(self) -> None:
        try:
            while self._running:
                await _wait(self._arrived, self._until_heartbeat())
                if self._queue and self._running:
                    waited_ms = (asyncio.get_running_loop().time() - self._queue[0].arrived) * 1000
                    await _wait(self._full, max(self._interval_ms - waited_ms, 0))
                batch = self._take()
                if batch or self._heartbeat_due():
                    await self._produce(batch)
        except LianzhengError as error:
            self._chain.halt(error)
        finally:
            self._running = False
            self._chain.halt()
            self._fail_pending()

    def _take(self) -> list[_Pending]:
        batch: list[_Pending] = []
        size = 0
        while self._queue and len(batch) < BLOCK_TRANSACTIONS_MAX:
            size += len(self._queue[0].data) * 4 // 3 + 8
            if batch and size > _TRANSACTIONS_BYTES_MAX:
                break
            batch.append(self._queue.popleft())
        if not self._queue:
            self._arrived.clear()
        if len(self._queue) < BLOCK_TRANSACTIONS_MAX:
            self._full.clear()
        return batch

    def _until_heartbeat(self) -> int:
        """Milliseconds until a block is due even if empty, so that block time never stands still for longer."""
        quiet = self._clock.now_ms() - self._chain.time_ms
        return min(max(self._heartbeat_ms - quiet, 0), self._heartbeat_ms)

    def _heartbeat_due(self) -> bool:
        return self._running and self._until_heartbeat() == 0

    async def _produce(self, batch: list[_Pending]) -> None:
        chain = self._chain
        height = chain.height + 1
        time_ms = max(chain.time_ms + 1, self._clock.now_ms())
        transactions = tuple(pending.data for pending in batch)
        results = self._application.execute_block(height, time_ms, list(transactions))
        outcome = tuple(BlockResult(code=result.code, data=result.data) for result in results)
        head = Head(
            chain_id=self._genesis.chain_id,
            height=height,
            time_ms=time_ms,
            previous=chain.head_hash,
            txs_root=transactions_root(transactions),
            results_root=results_root(outcome),
            app_hash=self._application.app_hash(),
            next_signer=chain.next_signer,
        )
        signed = SignedHead(head=head, signature=self._sign(head_signing_bytes(head)))
        block = Block(head=signed, transactions=transactions, results=outcome)
        try:
            await chain.append(block, block.to_bytes(), results)
        except LianzhengError as error:
            for pending in batch:
                _settle(pending.receipt, error)
            raise
        chain.checkpoint_if_due()
        for index, (pending, result) in enumerate(zip(batch, results, strict=True)):
            self._pending.pop(pending.tx_id, None)
            plain = TxResult(result.code, result.data)
            _settle(pending.receipt, Receipt(pending.tx_id, height, index, time_ms, plain))

    def _fail_pending(self) -> None:
        for future in self._pending.values():
            _settle(future, stop_error(self._chain.fault))
        self._pending.clear()
        self._queue.clear()


def _settle(future: asyncio.Future[Receipt], outcome: Receipt | LianzhengError) -> None:
    """Answer whoever waits; nobody may, so an error is marked as seen."""
    if future.done():
        return
    if isinstance(outcome, LianzhengError):
        future.set_exception(outcome)
        future.exception()
    else:
        future.set_result(outcome)


async def _wait(event: asyncio.Event, timeout_ms: float) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_ms / 1000)
    except TimeoutError:
        return
