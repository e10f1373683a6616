"""What sequencer and follower answer alike: each from the chain of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator

from lianzheng.adapters.consensus.embedded.chain import Chain
from lianzheng.adapters.consensus.embedded.history import EmbeddedHistory
from lianzheng.encoding.canonical import JsonObject
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import ConsistencyProof, LogProof, StateProof
from lianzheng.ledger.snapshot import Snapshot

__all__ = ["ChainReads"]


class ChainReads:
    """The reading part of ``LedgerEngine``."""

    _chain: Chain

    @property
    def state(self) -> StateView:
        """State at this node's head."""
        return self._chain.application.committed_state

    def now_block_ms(self) -> int:
        """Block time of this node's head."""
        return self._chain.time_ms

    async def prove_log(self, index: int, height: int | None = None) -> LogProof:
        """Proof of one entry; errors as ``LedgerEngine.prove_log``."""
        return await self._chain.prove_log(index, height)

    async def prove_consistency(self, old_size: int, height: int | None = None) -> ConsistencyProof:
        """Proof that the log only grew; errors as ``LedgerEngine.prove_consistency``."""
        return await self._chain.prove_consistency(old_size, height)

    async def prove_state(self, key: str, height: int | None = None) -> StateProof:
        """Proof of one state entry or of its absence; errors as ``LedgerEngine.prove_state``."""
        return await self._chain.prove_state(key, height)

    @property
    def history(self) -> EmbeddedHistory:
        """Earlier heights, for checkpoints (B33)."""
        return EmbeddedHistory(self._chain)

    def snapshot(self) -> Snapshot:
        """The state at the head (LED-8)."""
        return self._chain.application.snapshot()

    def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        """Events from a height on, then as they come."""
        return self._chain.events(from_height)
