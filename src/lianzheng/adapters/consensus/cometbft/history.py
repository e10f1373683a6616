"""``LedgerHistory`` under CometBFT: every height whose block this node keeps, and the log at any size."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from lianzheng.adapters.consensus.cometbft.chain import CometChain, block_pruned
from lianzheng.adapters.consensus.cometbft.prover import CometProver
from lianzheng.adapters.consensus.history import LogHistory, log_size_at
from lianzheng.errors import NotFoundError
from lianzheng.ledger.checkpoint import Checkpoint, checkpoint_of
from lianzheng.ledger.history import Standing
from lianzheng.limits import CATCH_UP_MS

__all__ = ["CometHistory"]


class CometHistory(LogHistory):
    """Implements ``ledger.history.LedgerHistory``."""

    def __init__(self, chain: CometChain, prover: Callable[[], CometProver], chain_id: str) -> None:
        """``prover`` is there once the engine has started."""
        super().__init__(chain.application)
        self._chain = chain
        self._prover = prover
        self._chain_id = chain_id

    async def standing(self, log_size: int = 0) -> Standing:
        return await self._prover().standing(log_size_min=log_size)

    async def checkpoint(self, height: int) -> Checkpoint:
        chain = self._chain
        with contextlib.suppress(TimeoutError):  # the next block's header carries what stands after this one
            await asyncio.wait_for(chain.wait_height(height + 1), CATCH_UP_MS / 1000)
        if chain.height <= height:
            raise NotFoundError("height_not_reached", "This node has no block of this height.", next_step="Try later.")
        block = chain.store.block(height)
        if block is None:
            raise NotFoundError("height_not_provable", "This node began after this height, with a snapshot.")
        try:
            head = await self._prover().head_over(height, block.app_hash)
        except NotFoundError as error:
            raise block_pruned(height + 1) from error
        size = log_size_at(chain.application, height)
        return checkpoint_of(self._chain_id, head, size, self.log_root(size))
