"""The application, the blocks on disk and the head of a node under CometBFT, and everything read from them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lianzheng.adapters.consensus.cometbft.snapshots import SnapshotFolder, SnapshotOffer
from lianzheng.adapters.consensus.cometbft.store import AppliedBlock, ChainStore
from lianzheng.adapters.consensus.events import EVENTS_BYTES_MAX, block_events, final_places
from lianzheng.adapters.consensus.faults import ledger_rolled_back, state_diverged, stop_error
from lianzheng.encoding.canonical import JsonObject, decode, encode
from lianzheng.encoding.framing import frame
from lianzheng.errors import ConfigError, FormatError, LianzhengError, NotFoundError, VerificationError
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.ledger.ports import Application, Receipt, TxResult
from lianzheng.ledger.snapshot import SnapshotManifest
from lianzheng.ledger.transaction import body_bytes, transaction_id

__all__ = ["CometChain", "block_pruned"]

_EVENTS_BLOCKS = 64
"""Blocks whose events stay in memory for those who follow the head."""


@dataclass(slots=True)
class _Waiting:
    receipt: asyncio.Future[Receipt]
    count: int = 0


class CometChain:
    """Blocks from genesis to this node's head; every block is durable before it is the head."""

    def __init__(self, application: Application, genesis: Genesis, database: Path, height_file: Path) -> None:
        self.application = application
        self.genesis = genesis
        self.genesis_digest = genesis_digest(genesis)
        self.store = ChainStore(database, height_file)
        self.snapshots = SnapshotFolder.beside(database)
        self.height = 0
        self.time_ms = genesis.time_ms
        self.head_hash = self.genesis_digest
        self.application_hash = application.app_hash()
        self.fault: LianzhengError | None = None
        self._waiting: dict[bytes, _Waiting] = {}
        self._events: dict[int, list[JsonObject]] = {}
        self._advanced = asyncio.Event()
        self._closed = False

    @property
    def served(self) -> int:
        """The highest height this node has ever applied, by the file outside the database."""
        return 0 if self.store.served is None else self.store.served[0]

    async def open(self) -> None:
        """Have the state at the last block on disk: from the newest snapshot that fits, and the blocks after it.

        Raises ``ConfigError`` ``genesis_mismatch``, ``ledger_in_use``, ``snapshot_missing``; ``UnavailableError``
        ``state_diverged``; ``FormatError`` ``block_row_invalid``.
        """
        try:
            await self.store.open(self.genesis_digest)
            base = self.store.base()
            if not self._load_snapshot() and base is not None:
                raise ConfigError(
                    "snapshot_missing",
                    f"This node began with a snapshot at height {base.height}, which is not there any more.",
                    next_step="Restore the folder ending in .snapshots, or start with an empty data folder.",
                )
            for block in self.store.blocks_above(self.height):
                self._replay(block)
        except LianzhengError:
            await self.close()
            raise

    def may_begin(self, height: int) -> bool:
        """Whether this node may (still) begin with a snapshot of ``height``: it has no block of its own.

        An engine that ends after the last chunk, before it has noted where it is, fetches a snapshot again.
        """
        return not self.store.has_blocks() and height >= self.height

    async def restore(self, offer: SnapshotOffer, accept: Callable[[StateView], None]) -> None:
        """Take over a fetched snapshot as this node's beginning (LED-8); nothing changes if it is refused.

        ``accept`` may refuse the state. Raises as ``Application.restore``; ``OSError``, ``sqlite3.Error``.
        """
        manifest = offer.manifest
        self.application.restore(manifest, self.snapshots.fetched_chunks(offer), accept)
        self.snapshots.keep(offer)
        base = _beginning(manifest)
        changes = [(head.header.height, head.to_bytes()) for head in offer.signer_changes]
        await self.store.set_base(base, changes)
        self._take(base)

    def _load_snapshot(self) -> bool:
        """Whether a snapshot of this chain was taken over."""
        for offer in reversed(self.snapshots.offers()):
            manifest = offer.manifest
            block = self.store.block(manifest.height) or self.store.base()
            if block is None or (block.height, block.app_hash) != (manifest.height, manifest.app_hash):
                continue
            try:
                self.application.restore(manifest, self.snapshots.chunks(offer))
            except (FormatError, VerificationError, OSError):
                continue
            self._take(block)
            return True
        return False

    def check_served(self) -> None:
        """Raise ``UnavailableError`` ``ledger_rolled_back`` below the height that this node has served (GATE-4)."""
        if self.height < self.served:
            raise ledger_rolled_back(self.served)

    async def append(
        self,
        height: int,
        time_ms: int,
        block_hash: bytes,
        app_hash: bytes,
        transactions: Sequence[bytes],
        results: Sequence[TxResult],
        *,
        signers: bool,
    ) -> None:
        """Make an executed block durable, make it the head, and tell whoever waits for its transactions.

        ``signers`` says that it changes the validators. Raises ``sqlite3.Error``, ``OSError``.
        """
        events = block_events(height, time_ms, results)
        block = AppliedBlock(
            height,
            time_ms,
            block_hash,
            app_hash,
            transactions=frame(*transactions),
            results=encode([{"code": result.code, "data": result.data} for result in results]),
            events=encode(events),
        )
        await self.store.append(block, final_places(results), signers)
        self._events[height] = events
        self._events.pop(height - _EVENTS_BLOCKS, None)
        self._advance(block)
        for index, (transaction, result) in enumerate(zip(transactions, results, strict=True)):
            if result.origin is not None:
                plain = TxResult(result.code, result.data)
                self._settle(Receipt(result.origin.tx_id, height, index, time_ms, plain))
            else:
                self.refuse(transaction, result)

    def receipt_of(self, tx_id: bytes) -> Receipt | None:
        """The receipt of a transaction that can never stand again, or None."""
        place = self.store.find(tx_id)
        block = None if place is None else self.store.block(place[0])
        if place is None or block is None or place[0] > self.height:
            return None
        result = decode(block.results, EVENTS_BYTES_MAX)[place[1]]
        return Receipt(tx_id, block.height, place[1], block.time_ms, TxResult(result["code"], result["data"]))

    def expect(self, tx_id: bytes) -> asyncio.Future[Receipt]:
        """What will hold the receipt once a block does; end with :meth:`forget`."""
        waiting = self._waiting.get(tx_id)
        if waiting is None or waiting.receipt.done():
            waiting = self._waiting[tx_id] = _Waiting(asyncio.get_running_loop().create_future())
        waiting.count += 1
        return waiting.receipt

    @property
    def waited_for(self) -> bool:
        """Whether anybody waits for a receipt."""
        return bool(self._waiting)

    def forget(self, tx_id: bytes) -> None:
        """One waiter less."""
        waiting = self._waiting.get(tx_id)
        if waiting is not None:
            waiting.count -= 1
            if waiting.count <= 0:
                del self._waiting[tx_id]

    def refuse(self, transaction: bytes, verdict: TxResult) -> None:
        """A transaction that was let in has become one that no block accepts, as at the door (height 0)."""
        if not self._waiting:
            return
        try:
            tx_id = transaction_id(body_bytes(transaction))
        except ValueError:  # no transaction at all: nobody waits for it
            return
        self._settle(Receipt(tx_id, 0, 0, self.time_ms, verdict))

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as blocks come; ends when the engine stops.

        Raises ``NotFoundError`` ``block_pruned``, at once or when what is read next has gone meanwhile.
        """
        first = self.store.block(max(from_height, 1))
        if first is not None and first.pruned:
            raise block_pruned(first.height)
        base = self.store.base()
        return self._events_from(max(from_height, 1 if base is None else base.height + 1))

    async def _events_from(self, height: int) -> AsyncIterator[JsonObject]:
        while True:
            while height <= self.height:
                events = self._events.get(height)
                if events is None:
                    block = self.store.block(height)
                    if block is not None and block.pruned:
                        raise block_pruned(height)
                    events = [] if block is None else decode(block.events, EVENTS_BYTES_MAX)
                for event in events:
                    yield event
                height += 1
                await asyncio.sleep(0)  # whoever reads a long past must not hold up consensus
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
        for waiting in self._waiting.values():
            if not waiting.receipt.done():
                waiting.receipt.set_exception(stop_error(self.fault))
                waiting.receipt.exception()  # nobody may wait; seen

    async def close(self) -> None:
        """Release waiters and files."""
        self.halt()
        await self.store.close()

    def _replay(self, block: AppliedBlock) -> None:
        if block.pruned:
            raise ConfigError(
                "snapshot_missing",
                f"This node has dropped its blocks up to {block.height}, and no snapshot is there to begin from.",
                next_step="Restore the folder ending in .snapshots, or start with an empty data folder.",
            )
        self.application.execute_block(block.height, block.time_ms, block.wire_transactions())
        if self.application.app_hash() != block.app_hash:
            raise state_diverged(block.height)
        self._advance(block)

    def _advance(self, block: AppliedBlock) -> None:
        self.application.commit()
        self._take(block)

    def _take(self, block: AppliedBlock) -> None:
        self.height, self.time_ms = block.height, block.time_ms
        self.head_hash, self.application_hash = block.hash, block.app_hash
        if not self._closed:
            self._advanced.set()
            self._advanced = asyncio.Event()

    def _settle(self, receipt: Receipt) -> None:
        waiting = self._waiting.get(receipt.tx_id)
        if waiting is not None and not waiting.receipt.done():
            waiting.receipt.set_result(receipt)


def block_pruned(height: int) -> NotFoundError:
    """This node is no archive, and what was asked for is older than what it keeps."""
    return NotFoundError(
        "block_pruned",
        f"This node no longer keeps block {height}.",
        next_step="Ask a member whose node is an archive: `archive = true` under [ledger].",
    )


def _beginning(manifest: SnapshotManifest) -> AppliedBlock:
    """A snapshot as a block without contents; its hash is not known here, so no statement is made about it."""
    return AppliedBlock(manifest.height, manifest.time_ms, bytes(32), manifest.app_hash, b"", b"[]", b"[]")
