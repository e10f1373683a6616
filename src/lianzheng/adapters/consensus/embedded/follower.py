"""A node that trusts no result it has not replayed: fetch, verify, apply, compare, and stop where they differ."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

from lianzheng.adapters.consensus.embedded.chain import Chain
from lianzheng.adapters.consensus.embedded.checkpoints import Checkpoint
from lianzheng.adapters.consensus.embedded.forks import ForkProof
from lianzheng.adapters.consensus.embedded.freshness import Freshness
from lianzheng.adapters.consensus.embedded.links import SequencerLink, SnapshotLink, StatementLink
from lianzheng.adapters.consensus.embedded.reads import ChainReads
from lianzheng.adapters.consensus.embedded.status import engine_status
from lianzheng.adapters.consensus.faults import (
    ledger_forked,
    ledger_storage_failed,
    ledger_unavailable,
    stop_error,
)
from lianzheng.clock import Clock
from lianzheng.errors import FormatError, LianzhengError, NotFoundError, UnavailableError, VerificationError
from lianzheng.identity.model import DidRecord, did_state_key, public_key
from lianzheng.ledger.block import Block, SignedHead, head_hash, verify_signed_head
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import Application, EngineStatus, Receipt
from lianzheng.ledger.receipt import decode_receipt
from lianzheng.ledger.snapshot import check_chunk
from lianzheng.ledger.statement import HeadStatement, Statement, make_statement, verify_statement
from lianzheng.ledger.transaction import Transaction, transaction_id
from lianzheng.limits import CATCH_UP_MS, CHECKPOINT_BYTES_MAX, FOLLOW_POLL_MS, HEAD_ASK_MS, RECEIPT_WAIT_MS

__all__ = ["EmbeddedFollower"]

_BATCH_BLOCKS = 100
_FATAL = frozenset({"state_diverged", "ledger_forked", "ledger_storage_failed"})


class EmbeddedFollower(ChainReads):
    """``LedgerEngine`` of every node but the sequencing one."""

    def __init__(
        self,
        application: Application,
        genesis: Genesis,
        link: SequencerLink,
        *,
        did: str,
        sign: Callable[[bytes], bytes],
        database: Path,
        height_file: Path,
        clock: Clock,
        witnesses: Sequence[StatementLink] = (),
        poll_ms: int = FOLLOW_POLL_MS,
        snapshot: SnapshotLink | None = None,
    ) -> None:
        """``did`` and ``sign`` are this member's, by its ``#node`` key; ``witnesses`` are the other followers.

        With ``snapshot`` a new node begins with what that one hands out instead of block 1 (LED-8): it then believes
        the sequencer's signature for everything before.
        """
        self._snapshot = snapshot
        self._chain = Chain(application, genesis, database, height_file)
        self._genesis = genesis
        self._link = link
        self._did = did
        self._sign = sign
        self._clock = clock
        self._witnesses = tuple(witnesses)
        self._poll_ms = poll_ms
        self._fresh = Freshness(clock)
        self._fork = ForkProof(database.with_name(database.name + ".fork.json"))
        self._nudge = asyncio.Event()
        self._syncing = asyncio.Lock()
        self._tasks: list[asyncio.Task[None]] = []
        self._running = False
        self._trouble: str | None = None

    async def start(self) -> None:
        """Rebuild the state from the blocks on disk, then follow; the sequencer may be away.

        Raises as ``Chain.open``, and ``UnavailableError`` ``ledger_forked`` where proof of a fork lies on disk.
        """
        self._fork.check()
        await self._chain.open(behind_ok=True)
        self._running = True
        self._tasks = [
            asyncio.create_task(self._follow(), name="ledger-follower"),
            asyncio.create_task(self._ask(), name="ledger-freshness"),
        ]

    async def stop(self) -> None:
        """Stop following and release the files."""
        self._running = False
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []
        await self._chain.close()

    async def submit(self, tx: Transaction) -> Receipt:
        """Have the sequencer order ``tx``; return once this node has replayed its block.

        Raises ``UnavailableError`` ``ledger_unavailable``, ``ledger_stopped``, or the reason of a stop;
        ``VerificationError`` ``receipt_mismatch`` where the sequencer's receipt names another transaction's place.
        """
        self._check_running()
        receipt = decode_receipt(await self._link.submit(tx.to_bytes()))
        if receipt.height == 0:
            return receipt
        self._nudge.set()
        try:
            reached = await asyncio.wait_for(self._chain.wait_height(receipt.height), RECEIPT_WAIT_MS / 1000)
        except TimeoutError:
            raise ledger_unavailable() from None
        if not reached:
            raise stop_error(self._chain.fault)
        # What this node has replayed counts, not what the sequencer said of it.
        tx_id = transaction_id(tx.body)
        if receipt.height <= self._chain.begun and self._chain.receipt_of(tx_id) is None:
            raise NotFoundError(
                "block_pruned",
                f"The transaction stands in block {receipt.height}, before this node's beginning.",
                next_step="Ask a node that has every block for its receipt.",
            )
        return self._chain.receipt_of(tx_id) or self._chain.recent_receipt(tx_id, receipt.height, receipt.index)

    def status(self) -> EngineStatus:
        """Where the engine stands; ``lag`` is what it knows to be missing."""
        lag = max(self._fresh.required_height - self._chain.height, 0)
        return engine_status(self._chain, role="follower", lag=lag, running=self._running, trouble=self._trouble)

    async def catch_up(self) -> None:
        """Fetch blocks that another member has shown; gives up after ``CATCH_UP_MS``, for ``assert_fresh`` to judge."""
        wanted = self._fresh.required_height
        if self._chain.height < wanted:
            self._nudge.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._chain.wait_height(wanted), CATCH_UP_MS / 1000)

    def assert_fresh(self) -> None:
        """Return only if this node may answer on its head (GATE-4).

        Raises ``UnavailableError``: ``ledger_stale``, ``ledger_rolled_back``, ``ledger_stopped``,
        ``state_diverged``, ``ledger_forked``.
        """
        self._check_running()
        self._chain.check_served()
        self._fresh.check(self._chain.height)

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        """This member's signed answer to a node's nonce (GATE-4, B32)."""
        self._check_running()
        self._chain.check_served()
        chain = self._chain
        statement = Statement(
            chain_id=self._genesis.chain_id, nonce=nonce, height=chain.height, head_hash=chain.head_hash
        )
        return make_statement(statement, self._did, chain.head, self._sign)

    async def sync(self) -> int:
        """Fetch and apply what the sequencer has; the number of blocks applied.

        Raises ``UnavailableError`` ``state_diverged``, ``ledger_forked``, ``ledger_storage_failed`` or of the link;
        ``FormatError`` or ``VerificationError`` for blocks that prove nothing.
        """
        applied = 0
        async with self._syncing:  # two runs at once would execute one block twice
            if self._snapshot is not None and not self._chain.height and not self._chain.served:
                await self._begin(self._snapshot)
            while self._running:
                blocks = await self._link.blocks(self._chain.height + 1, _BATCH_BLOCKS)
                if not blocks:
                    break
                for data in blocks:
                    await self._apply(data)
                    applied += 1
        return applied

    async def _begin(self, source: SnapshotLink) -> None:
        """Take over a snapshot under a signed head, if there is one; a chunk that is not its manifest's is refused.

        Only a node that has never served anything does: another one must meet the heads that it remembers.
        """
        described = await source.snapshot()
        if described is None:
            return
        checkpoint = Checkpoint.from_bytes(described, CHECKPOINT_BYTES_MAX)
        checkpoint.check(self._genesis.chain_id, self._chain.next_signer)  # before anything is fetched
        height, kept = checkpoint.manifest.height, self._chain.checkpoints
        await asyncio.to_thread(kept.begin)
        for index in range(len(checkpoint.manifest.chunks)):
            chunk = await source.snapshot_chunk(height, index)
            check_chunk(checkpoint.manifest, index, chunk)
            await asyncio.to_thread(kept.keep_chunk, index, chunk)
        blocks = await self._link.blocks(height, 1)
        await self._chain.begin(checkpoint, blocks[0] if blocks else b"")

    async def refresh(self) -> None:
        """Ask the sequencer, then the other followers, how far they are; errors as :meth:`sync`."""
        await self._ask_one(self._link, self._genesis.sequencer.did, sequencer=True)
        answers = await asyncio.gather(
            *(self._ask_one(witness, witness.did, sequencer=False) for witness in self._witnesses),
            return_exceptions=True,
        )
        for answer in answers:  # a witness may be away; what one shows of a fork, or a defect here, may not pass
            if isinstance(answer, BaseException) and not (
                isinstance(answer, LianzhengError) and answer.code not in _FATAL
            ):
                raise answer
        if self._fresh.required_height > self._chain.height:
            self._nudge.set()

    async def _apply(self, data: bytes) -> None:
        chain = self._chain
        block = Block.parse(data)
        head = block.head.head
        if head.height == chain.height + 1 and head.previous != chain.head_hash:
            await self._accuse(block)
        chain.check_extends(block)
        chain.check_remembered(block)
        shown = self._fresh.conflicts(head.height, head_hash(head))
        if shown is not None:
            self._fork.keep(shown, block.head)
            raise ledger_forked(head.height)
        results = chain.execute(block)
        await chain.append(block, data, results)
        chain.checkpoint_if_due()

    async def _accuse(self, block: Block) -> None:
        """The next block builds on another head than ours: if the sequencer signed it, keep the proof and stop."""
        chain = self._chain
        verify_signed_head(block.head, chain.next_signer)
        if chain.head is None or block.head.head.chain_id != self._genesis.chain_id:
            raise VerificationError("block_invalid", "The first block does not follow this network's genesis.")
        rival = block.head
        try:
            for data in await self._link.blocks(chain.height, 1):
                other = Block.parse(data).head
                verify_signed_head(other, chain.next_signer)
                if other.head.height == chain.height and other != chain.head:
                    rival = other
        except (FormatError, UnavailableError, VerificationError):
            pass  # the signed successor of another head is proof enough
        self._fork.keep(chain.head, rival)
        raise ledger_forked(chain.height)

    async def _ask_one(self, link: SequencerLink | StatementLink, did: str, *, sequencer: bool) -> None:
        chain = self._chain
        nonce, asked_ms, height = os.urandom(32), self._clock.boot_ms(), chain.height
        answer = await link.head_statement(nonce)
        verify_statement(answer, self._genesis.chain_id, nonce, did, self._node_key(did))
        if answer.head is not None:
            verify_signed_head(answer.head, chain.next_signer)
            self._compare(answer.head)
        if sequencer:
            if answer.statement.height < height:
                raise VerificationError("statement_outdated", "The sequencer states a height below this node's.")
            self._fresh.note_sequencer(asked_ms)
        self._fresh.note_head(answer.head)

    def _compare(self, shown: SignedHead) -> None:
        """A shown head at or below ours must be ours."""
        own = self._chain.head_at(shown.head.height)
        if own is not None and own != shown and head_hash(own.head) != head_hash(shown.head):
            self._fork.keep(own, shown)
            raise ledger_forked(shown.head.height)

    def _node_key(self, did: str) -> bytes:
        value = self.state.get(did_state_key(did))
        if value is None:
            raise NotFoundError("member_unknown", "The ledger does not know this member.")
        return public_key(DidRecord.from_json(value), "#node", "authentication")

    async def _follow(self) -> None:
        while self._running:
            self._nudge.clear()
            await self._guard(self.sync)
            if self._running:
                await _wait(self._nudge, self._poll_ms)

    async def _ask(self) -> None:
        while self._running:
            answered = await self._guard(self.refresh)
            if self._running:
                await asyncio.sleep((HEAD_ASK_MS if answered else self._poll_ms) / 1000)

    async def _guard(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Whether ``step`` went well; trouble that may pass is noted, a fatal fault ends this engine."""
        try:
            await step()
        except LianzhengError as error:
            self._note(error)
        except (OSError, sqlite3.Error):  # a full disk while a snapshot is fetched, say
            self._note(ledger_storage_failed())
        else:
            self._trouble = None
            return True
        return False

    def _note(self, error: LianzhengError) -> None:
        self._trouble = error.code
        if error.code in _FATAL:
            self._running = False
            self._chain.halt(error)

    def _check_running(self) -> None:
        if not self._running:
            raise stop_error(self._chain.fault)


async def _wait(event: asyncio.Event, timeout_ms: int) -> None:
    try:
        await asyncio.wait_for(event.wait(), timeout_ms / 1000)
    except TimeoutError:
        return
