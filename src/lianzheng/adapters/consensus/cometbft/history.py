"""``LedgerHistory`` under CometBFT: the last ``PROVABLE_HEIGHTS``, and the log at any size."""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.prover import CometProver
from lianzheng.ledger.checkpoint import Checkpoint
from lianzheng.ledger.history import Standing

__all__ = ["CometHistory"]


class CometHistory:
    """Implements ``ledger.history.LedgerHistory``."""

    def __init__(self, chain: CometChain, prover: Callable[[], CometProver], chain_id: str) -> None:
        """``prover`` is there once the engine has started."""
        self._chain = chain
        self._prover = prover
        self._chain_id = chain_id

    async def standing(self, log_size: int = 0) -> Standing:
        return await self._prover().standing(log_size_min=log_size)

    async def checkpoint(self, height: int) -> Checkpoint:
        return (await self._prover().standing(height)).checkpoint(self._chain_id)

    def log_root(self, size: int) -> bytes:
        return self._chain.application.log.root(size)

    def log_entry(self, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        application = self._chain.application
        return application.log_entry(index), application.log.inclusion_path(index, size)
