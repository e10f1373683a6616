"""The four snapshot requests of ABCI, and when a snapshot is made (LED-8).

The engine compares the application hash by its light client before anything is fetched; a chunk that is not the one
its manifest names is fetched again from another node, and who sent it is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.proto import abci_pb2 as abci
from lianzheng.adapters.consensus.cometbft.snapshots import SnapshotOffer
from lianzheng.errors import FormatError, LianzhengError, VerificationError
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.cometbft.encoding import validators_hash
from lianzheng.ledger.cometbft.powers import genesis_validators, in_order
from lianzheng.ledger.context import StateView
from lianzheng.ledger.snapshot import Snapshot, check_chunk
from lianzheng.limits import SNAPSHOT_OFFER_BYTES_MAX
from lianzheng.verify.light_client import verify_signer_changes

__all__ = ["SignerChanges", "StateSync"]

SignerChanges = Callable[[int], Awaitable[Sequence[CometHead]]]
"""The changes of signers up to a height, each with the commit that the next block holds: the same at every node."""

_FORMAT = 1
_LOG = structlog.get_logger("lianzheng.engine")
_SETTLED_BLOCKS = 2
"""A snapshot is offered once this many blocks follow it: only then the engine's light client can vouch for it."""


class StateSync:
    """One node's snapshots, made and taken."""

    def __init__(
        self,
        chain: CometChain,
        every_blocks: int,
        changes: SignerChanges,
        powers: Callable[[StateView], dict[bytes, int]],
    ) -> None:
        """``powers`` are read off a state, by validator key (CON-7)."""
        self._chain = chain
        self._powers = powers
        self._every = every_blocks
        self._changes = changes
        self._offer: SnapshotOffer | None = None
        self._signers = b""
        self._missing: set[int] = set()
        self._making: asyncio.Task[None] | None = None
        self._due = False

    async def close(self) -> None:
        """Give up what is being made."""
        if self._making is not None:
            self._making.cancel()
            await asyncio.gather(self._making, return_exceptions=True)
            self._making = None

    def committed(self, height: int, *, signers: bool) -> None:
        """A block is durable; ``signers`` says that it changes the validators: then the next one will do."""
        self._due = self._due or height % self._every == 0
        if self._due and not signers and (self._making is None or self._making.done()):
            self._due = False
            snapshot = self._chain.application.snapshot()
            self._making = asyncio.create_task(self._make(snapshot), name="snapshot")

    async def list(self, request: abci.RequestListSnapshots) -> abci.ResponseListSnapshots:
        """What this node offers."""
        return abci.ResponseListSnapshots(snapshots=[_as_message(offer) for offer in self._chain.snapshots.offers()])

    async def load(self, request: abci.RequestLoadSnapshotChunk) -> abci.ResponseLoadSnapshotChunk:
        """One chunk of what it offers."""
        chunk = await asyncio.to_thread(self._chain.snapshots.chunk, request.height, request.chunk)
        return abci.ResponseLoadSnapshotChunk(chunk=chunk or b"")  # empty: there is none

    async def offer(self, request: abci.RequestOfferSnapshot) -> abci.ResponseOfferSnapshot:
        """Begin with a snapshot whose application hash the engine trusts, if all that is said of it fits together."""
        result = abci.ResponseOfferSnapshot.Result
        if request.snapshot.format != _FORMAT:
            return abci.ResponseOfferSnapshot(result=result.REJECT_FORMAT)
        try:
            self._offer = self._checked(request)
        except LianzhengError as error:
            _LOG.warning("snapshot_refused", code=error.code, height=request.snapshot.height)
            return abci.ResponseOfferSnapshot(result=result.REJECT)
        self._missing = set(range(len(self._offer.manifest.chunks)))
        await asyncio.to_thread(self._chain.snapshots.begin)
        return abci.ResponseOfferSnapshot(result=result.ACCEPT)

    async def apply(self, request: abci.RequestApplySnapshotChunk) -> abci.ResponseApplySnapshotChunk:
        """Keep a chunk; with the last one the state is restored and its root compared."""
        result = abci.ResponseApplySnapshotChunk.Result
        offer = self._offer
        if offer is None:
            return abci.ResponseApplySnapshotChunk(result=result.ABORT)
        try:
            check_chunk(offer.manifest, request.index, request.chunk)
        except VerificationError as error:
            _LOG.warning("snapshot_chunk_refused", code=error.code, chunk=request.index, sender=request.sender)
            return abci.ResponseApplySnapshotChunk(
                result=result.RETRY, refetch_chunks=[request.index], reject_senders=[request.sender]
            )
        await asyncio.to_thread(self._chain.snapshots.keep_chunk, request.index, request.chunk)
        self._missing.discard(request.index)
        if not self._missing:
            try:
                await self._chain.restore(offer, self._check_signers)
            except (FormatError, VerificationError) as error:
                _LOG.warning("snapshot_refused", code=error.code, height=offer.manifest.height)
                self._offer = None
                return abci.ResponseApplySnapshotChunk(result=result.REJECT_SNAPSHOT)
            _LOG.info("snapshot_restored", height=offer.manifest.height)
            self._offer = None
        return abci.ResponseApplySnapshotChunk(result=result.ACCEPT)

    def _checked(self, request: abci.RequestOfferSnapshot) -> SnapshotOffer:
        genesis, shown = self._chain.genesis, request.snapshot
        offer = SnapshotOffer.from_bytes(shown.metadata, SNAPSHOT_OFFER_BYTES_MAX)
        manifest = offer.manifest
        if (
            not self._chain.may_begin(manifest.height)
            or manifest.chain_id != genesis.chain_id
            or (manifest.height, manifest.app_hash) != (shown.height, request.app_hash)
            or (len(manifest.chunks), manifest.digest()) != (shown.chunks, shown.hash)
        ):
            raise VerificationError("snapshot_foreign", "A snapshot is not what its description or the chain says.")
        self._signers = verify_signer_changes(genesis.chain_id, genesis_validators(genesis), offer.signer_changes)
        return offer

    def _check_signers(self, state: StateView) -> None:
        """A change left out at the end would only show later, in bundles that nobody can verify (EV-4)."""
        if validators_hash(in_order(self._powers(state))) != self._signers:
            raise VerificationError(
                "snapshot_signers_mismatch",
                "The changes of signers beside a snapshot do not lead to the validators in it.",
                next_step="Fetch a snapshot from another node.",
            )

    async def _make(self, snapshot: Snapshot) -> None:
        try:
            if await self._chain.wait_height(snapshot.height + _SETTLED_BLOCKS):
                changes = await self._changes(snapshot.height)
                await asyncio.to_thread(self._chain.snapshots.write, snapshot, changes)
        except (OSError, LianzhengError) as error:
            _LOG.warning("snapshot_failed", code=getattr(error, "code", "file_error"), height=snapshot.height)


def _as_message(offer: SnapshotOffer) -> abci.Snapshot:
    manifest = offer.manifest
    return abci.Snapshot(
        height=manifest.height,
        format=_FORMAT,
        chunks=len(manifest.chunks),
        hash=manifest.digest(),
        metadata=offer.to_bytes(),
    )
