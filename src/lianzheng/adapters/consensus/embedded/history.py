"""``LedgerHistory`` over the blocks and the log of this node, at any height."""

from __future__ import annotations

import asyncio
import contextlib

from lianzheng.adapters.consensus.embedded.chain import Chain
from lianzheng.adapters.consensus.faults import log_entry_unknown
from lianzheng.adapters.consensus.history import LogHistory, log_size_at
from lianzheng.errors import NotFoundError
from lianzheng.ledger.checkpoint import Checkpoint, checkpoint_of
from lianzheng.ledger.history import Standing
from lianzheng.limits import CATCH_UP_MS

__all__ = ["EmbeddedHistory"]


class EmbeddedHistory(LogHistory):
    """Implements ``ledger.history.LedgerHistory``."""

    def __init__(self, chain: Chain) -> None:
        super().__init__(chain.application)
        self._chain = chain

    async def standing(self, log_size: int = 0) -> Standing:
        found = self._chain.standing()
        if found.log_size < log_size:
            raise log_entry_unknown()
        return found

    async def checkpoint(self, height: int) -> Checkpoint:
        chain = self._chain
        if height > chain.height:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(chain.wait_height(height), CATCH_UP_MS / 1000)
        head = chain.head_at(height)
        if head is None:
            raise NotFoundError("height_not_reached", "This node has no block of this height.", next_step="Try later.")
        size = log_size_at(chain.application, height)
        return checkpoint_of(chain.genesis.chain_id, head, size, self.log_root(size))
