"""What a node that is no archive drops: old transactions and events of its own, old blocks of the engine.

What stays: every height with block hash, application hash and results (receipts, and comparisons with others), all
evidence, the state, the changes of signers with their heads, and each block from the oldest snapshot on, so that a
restart, a joining node and its light client find what they need (LED-8, EV-4).
"""

from __future__ import annotations

from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.limits import PRUNE_EVERY_BLOCKS

__all__ = ["Pruner"]


class Pruner:
    """Decides, after a block is durable, which is the lowest height that is still kept whole."""

    def __init__(self, chain: CometChain, keep_blocks: int | None, every: int = PRUNE_EVERY_BLOCKS) -> None:
        """``keep_blocks`` None keeps all: an archive."""
        self._chain = chain
        self._keep = keep_blocks
        self._every = every

    async def retain(self, height: int) -> int:
        """For ``ResponseCommit.retain_height``: the engine may drop what is below; 0 says that nothing goes.

        Our own rows below it are emptied first. Raises ``sqlite3.Error``, ``OSError``.
        """
        if self._keep is None or height % self._every:
            return 0
        lowest = self._lowest(height - self._keep + 1)
        if lowest <= 1:
            return 0
        await self._chain.store.prune(lowest)
        return lowest

    def _lowest(self, wanted: int) -> int:
        """No higher than a snapshot that is offered, less its own block, nor than a change of signers not yet kept."""
        offers = self._chain.snapshots.offers()
        if not offers:
            return 0
        unkept = [at for at, head in self._chain.store.signer_changes() if head is None]
        return min(wanted, offers[0].manifest.height - 1, *unkept)
