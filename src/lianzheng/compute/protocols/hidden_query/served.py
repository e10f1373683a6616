"""The provider's tables that are asked in private, kept ready in memory; the database keeps them for good (PIR-2)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from lianzheng.compute.ports import EpochStore, LocalEpoch
from lianzheng.compute.protocols.hidden_query.pir import PirTable
from lianzheng.errors import NotFoundError, RefusedError
from lianzheng.limits import PIR_TABLES_MAX

__all__ = ["ServedTables"]


class ServedTables:
    """Hints, boundaries and answers of this member's own epochs."""

    def __init__(self, epochs: EpochStore, chain_id: str, provider: str) -> None:
        self._epochs = epochs
        self._chain_id = chain_id
        self._provider = provider
        self._tables: OrderedDict[tuple[str, int], PirTable] = OrderedDict()
        self._opening = asyncio.Lock()
        self._hinting = asyncio.Lock()

    async def boundaries(self, view: str, epoch: int) -> bytes:
        """16 bytes a column. Raises ``epoch_unknown``, ``retrieval_mismatch``, as all of these do."""
        return (await self._served(view, epoch)).boundaries

    async def hint(self, view: str, epoch: int) -> bytes:
        """The hint whose digest is on the ledger."""
        table = await self._served(view, epoch)
        async with self._hinting:  # seconds of work at a million people: once
            return await asyncio.to_thread(table.hint)

    async def answer(self, view: str, epoch: int, vector: bytes) -> bytes:
        """One pass over the table; what was asked stays unknown. Raises ``FormatError`` ``lwe_vector``."""
        table = await self._served(view, epoch)
        return await asyncio.to_thread(table.answer, vector)

    async def hint_of(self, epoch: LocalEpoch) -> bytes:
        """The hint of an epoch that is not published yet."""
        table = await self._open(epoch)
        async with self._hinting:  # seconds of work at a million people: once
            return await asyncio.to_thread(table.hint)

    def forget(self, view: str, epoch: int) -> None:
        """The epoch is over."""
        self._tables.pop((view, epoch), None)

    async def _served(self, view: str, epoch: int) -> PirTable:
        found = await self._epochs.get(view, epoch)
        if found is None or found.status not in ("published", "ended"):
            raise NotFoundError("epoch_unknown", "This node has no table of such an epoch.")
        if found.commit.parameters.retrieval != "pir":
            raise RefusedError("retrieval_mismatch", "This table is downloaded whole.")
        return await self._open(found)

    async def _open(self, epoch: LocalEpoch) -> PirTable:
        name = (epoch.commit.view, epoch.commit.epoch)
        async with self._opening:
            if name not in self._tables:
                data = await self._epochs.table(*name)
                if data is None:
                    raise NotFoundError("epoch_unknown", "This node has no table of such an epoch.")
                build = (data, epoch.commit, self._chain_id, self._provider)
                self._tables[name] = await asyncio.to_thread(PirTable, *build)
            self._tables.move_to_end(name)
            while len(self._tables) > PIR_TABLES_MAX:
                self._tables.popitem(last=False)
            return self._tables[name]
