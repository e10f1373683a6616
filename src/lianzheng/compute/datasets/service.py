"""Loading a member's rows whole or not at all, and offering them on the ledger."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Protocol

from lianzheng.clock import Clock
from lianzheng.compute.datasets.finishing import to_its_end, whole
from lianzheng.compute.datasets.hashing import ElementWorkers
from lianzheng.compute.datasets.model import DatasetPublish, DatasetWithdraw
from lianzheng.compute.ports import DatasetLoad, DatasetStore, LedgerSender, PersonRow, StoredPerson
from lianzheng.errors import FormatError
from lianzheng.ledger.ports import Receipt
from lianzheng.limits import INT_MAX
from lianzheng.registry import INDICATORS

__all__ = ["Beside", "DatasetService"]

_BATCH = 2_000
_AHEAD = 4
"""Batches whose elements are being computed while an earlier one is stored: keeps every core at work."""


class Beside(Protocol):
    """What another slice keeps of the people of a load."""

    async def __call__(self, snapshot: int, idnorms: Sequence[bytes]) -> None:
        """Keep it under the load; the people themselves stand there."""


class DatasetService:
    """A member's own datasets."""

    def __init__(self, store: DatasetStore, sender: LedgerSender, clock: Clock) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock

    async def load(
        self,
        dataset: str,
        as_of: str,
        rows: Iterable[PersonRow],
        *,
        beside: Beside | None = None,
        digest: bytes | None = None,
        skipped: int = 0,
        report: Callable[[int], None] | None = None,
    ) -> DatasetLoad:
        """Readers see exactly ``rows`` afterwards; if anything fails, or it is cancelled, they see what they saw.

        ``rows`` is read in threads, a few batches ahead of what is stored. ``beside`` stores what others keep of the
        same people under the same load; ``report`` is told how many are stored.

        Raises whatever ``rows`` raises, ``FormatError`` ``amount_invalid`` or ``indicator_unknown``, and
        ``ConflictError`` ``person_duplicate``.
        """
        snapshot = await self._store.begin_load(dataset, as_of, digest, skipped)
        try:
            async with ElementWorkers() as workers:
                await self._fill(snapshot, iter(rows), workers, beside, report)
            loaded = await whole(self._store.finish_load(snapshot, self._clock.now_ms()))
        except BaseException:  # a cancelled load must not stay half-loaded either
            await asyncio.shield(self._store.abandon_load(snapshot))
            raise
        await self._store.purge()
        return loaded

    async def _fill(
        self,
        snapshot: int,
        source: Iterator[PersonRow],
        workers: ElementWorkers,
        beside: Beside | None,
        report: Callable[[int], None] | None,
    ) -> None:
        ahead: deque[tuple[list[PersonRow], dict[bytes, bytes], list[bytes], asyncio.Future[list[bytes]]]] = deque()
        stored, more = 0, True
        while more or ahead:
            if more and len(ahead) < _AHEAD:
                batch = await to_its_end(asyncio.to_thread(_take, source))
                more = bool(batch)
                known = await self._store.elements([row.idnorm for row in batch])
                new = [row.idnorm for row in batch if row.idnorm not in known]
                ahead.append((batch, known, new, workers.begin(new)))
                continue
            batch, known, new, found = ahead.popleft()
            known.update(zip(new, await found, strict=True))
            await self._store.add_people(snapshot, [StoredPerson(r.idnorm, known[r.idnorm], r.amounts) for r in batch])
            if beside is not None and batch:
                await beside(snapshot, [row.idnorm for row in batch])
            stored += len(batch)
            if report is not None:
                report(stored)

    async def publish(self, offer: DatasetPublish) -> Receipt:
        """The offer stands on the ledger. Raises ``RefusedError`` with the rule's code."""
        return await self._sender.send("dataset.publish", offer)

    async def withdraw(self, dataset: str) -> Receipt:
        """No new epochs and tasks on this dataset. Raises ``RefusedError`` with the rule's code."""
        return await self._sender.send("dataset.withdraw", DatasetWithdraw(dataset=dataset))

    async def amounts_of(self, dataset: str, idnorm: bytes) -> Mapping[str, int] | None:
        """This member's own amounts of one of its customers, for its own assessment."""
        person = await self._store.person(dataset, idnorm)
        return None if person is None else person.amounts


def _take(source: Iterator[PersonRow]) -> list[PersonRow]:
    batch = list(islice(source, _BATCH))
    for row in batch:
        for indicator, amount in row.amounts.items():
            if indicator not in INDICATORS:
                raise FormatError("indicator_unknown", "An amount names an indicator that is not in the registry.")
            if type(amount) is not int or not -INT_MAX <= amount <= INT_MAX:
                raise FormatError("amount_invalid", "An amount is not an integer in range.")
    return batch
