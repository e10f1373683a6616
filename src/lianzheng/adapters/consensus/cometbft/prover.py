"""Proofs under a head of CometBFT: the state after block h stands in the header of block h+1 (EV-4)."""

from __future__ import annotations

import asyncio

from lianzheng.adapters.consensus.cometbft.chain import CometChain
from lianzheng.adapters.consensus.cometbft.heads import fetch_head
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.adapters.consensus.faults import log_entry_unknown, state_diverged, stop_error
from lianzheng.adapters.consensus.proofs import UnderHead, standing_under, under_head
from lianzheng.errors import NotFoundError
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.history import Standing
from lianzheng.ledger.ports import ConsistencyProof, LogProof, Roots, StateProof
from lianzheng.limits import MESSAGE_BYTES_MAX, RECEIPT_WAIT_MS

__all__ = ["CometProver"]


class CometProver:
    """Reads the state's versions from the application and the heads from this member's own engine."""

    def __init__(self, chain: CometChain, rpc: CometRpc) -> None:
        self._chain = chain
        self._rpc = rpc
        self._head: CometHead | None = None

    async def prove_log(self, index: int, height: int | None = None) -> LogProof:
        """Proof of one log entry. Raises ``NotFoundError`` ``log_entry_unknown``, ``height_not_provable``."""
        application = self._chain.application
        if not 0 <= index < application.roots(height).log_size:
            raise log_entry_unknown()
        roots = await self._provable(height, log_size_min=index + 1)
        proved = await self._under_head(roots)
        return LogProof(
            entry=application.log_entry(index),
            index=index,
            path=application.log.inclusion_path(index, roots.log_size),
            **proved,
        )

    async def prove_consistency(self, old_size: int, height: int | None = None) -> ConsistencyProof:
        """Proof that the log only grew. Errors as :meth:`prove_log`."""
        roots = await self._provable(height)
        path = self._chain.application.log.consistency_path(old_size, roots.log_size)
        proved = await self._under_head(roots)
        return ConsistencyProof(old_size=old_size, path=path, **proved)

    async def prove_state(self, key: str, height: int | None = None) -> StateProof:
        """Proof of what stands at ``key``. Errors as the application's ``state_path`` and :meth:`prove_log`."""
        roots = await self._provable(height)
        value, path = self._chain.application.state_path(key, roots.height)
        proved = await self._under_head(roots)
        return StateProof(key=key, value=value, path=path, **proved)

    async def standing(self, height: int | None = None, log_size_min: int = 0) -> Standing:
        """What proofs under the newest head, or that of ``height``, stand on. Errors as :meth:`prove_log`."""
        if self._chain.application.roots(height).log_size < log_size_min:
            raise log_entry_unknown()
        roots = await self._provable(height, log_size_min)
        return standing_under(await self._under_head(roots))

    async def _provable(self, height: int | None, log_size_min: int = 0) -> Roots:
        """The newest version, or the one of ``height``, whose successor's header exists; a change waits for it.

        After a block that changes the application hash the engine makes another one at once, empty if need be.
        """
        chain = self._chain
        if height is None:
            roots = self._before_head()
            if roots is not None and roots.log_size >= log_size_min:
                return roots
            height = chain.height
        roots = chain.application.roots(height)
        before = self._before_head()
        if height == chain.height and before is not None and before.app_hash == roots.app_hash:
            return before  # a block that changed nothing: its own header carries what stands after it
        try:
            reached = await asyncio.wait_for(chain.wait_height(height + 1), RECEIPT_WAIT_MS / 1000)
        except TimeoutError:
            raise NotFoundError("height_not_provable", "No block follows the one asked for yet.") from None
        if not reached:
            raise stop_error(chain.fault)
        return roots

    def _before_head(self) -> Roots | None:
        try:
            return self._chain.application.roots(self._chain.height - 1)
        except NotFoundError:
            return None

    async def _under_head(self, roots: Roots) -> UnderHead:
        """The head whose header carries these roots, and the changes of signers before it."""
        head = await self.head_over(roots.height, roots.app_hash)
        changes = await self.changes_before(head.header.height)
        return under_head(roots, head.to_json(), tuple([change.to_json() for change in changes]))

    async def head_over(self, height: int, app_hash: bytes) -> CometHead:
        """The head of the next block, whose header carries what stands after ``height``.

        Raises ``NotFoundError`` ``head_unknown``; ``UnavailableError`` ``state_diverged``, or of the engine.
        """
        head = self._head
        if head is None or head.header.height != height + 1:
            head = self._head = await fetch_head(self._rpc, height + 1)
        if head.header.app_hash != app_hash:
            raise state_diverged(height)
        return head

    async def changes_before(self, height: int) -> list[CometHead]:
        """The heads that name other validators for their next block, below a height.

        One is kept once its successor exists: the commit in the successor is the same at every node, and the engine
        may prune its block.
        """
        store, found = self._chain.store, []
        for at, kept in store.signer_changes():
            if at >= height:
                break
            if kept is not None:
                found.append(CometHead.from_bytes(kept, MESSAGE_BYTES_MAX))
                continue
            head = await fetch_head(self._rpc, at)
            if self._chain.height > at:
                await store.keep_signer_change(at, head.to_bytes())
            found.append(head)
        return found
