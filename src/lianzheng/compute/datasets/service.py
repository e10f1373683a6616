"""Loading a member's rows whole or not at all, and offering them on the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from lianzheng.clock import Clock
from lianzheng.compute.datasets.model import DatasetPublish, DatasetWithdraw
from lianzheng.compute.ports import DatasetLoad, DatasetStore, LedgerSender, PersonRow, StoredPerson
from lianzheng.errors import FormatError
from lianzheng.identity.idnorm import identity_element
from lianzheng.ledger.ports import Receipt
from lianzheng.limits import INT_MAX
from lianzheng.registry import INDICATORS

__all__ = ["DatasetService"]

_BATCH = 500


class DatasetService:
    """A member's own datasets."""

    def __init__(self, store: DatasetStore, sender: LedgerSender, clock: Clock) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock

    async def load(self, dataset: str, as_of: str, rows: Iterable[PersonRow]) -> DatasetLoad:
        """Readers see exactly ``rows`` afterwards; if anything fails they see what they saw before.

        Raises whatever ``rows`` raises, ``FormatError`` ``amount_invalid`` or ``indicator_unknown``, and
        ``ConflictError`` ``person_duplicate``.
        """
        snapshot = await self._store.begin_load(dataset, as_of)
        try:
            source = iter(rows)
            while batch := await asyncio.to_thread(_take, source):
                known = await self._store.elements([row.idnorm for row in batch])
                await self._store.add_people(snapshot, await asyncio.to_thread(_stored, batch, known))
            return await self._store.finish_load(snapshot, self._clock.now_ms())
        except BaseException:  # a cancelled load must not stay half-loaded either
            await asyncio.shield(self._store.abandon_load(snapshot))
            raise

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
    return list(islice(source, _BATCH))


def _stored(rows: Sequence[PersonRow], known: Mapping[bytes, bytes]) -> list[StoredPerson]:
    out = []
    for row in rows:
        for indicator, amount in row.amounts.items():
            if indicator not in INDICATORS:
                raise FormatError("indicator_unknown", "An amount names an indicator that is not in the registry.")
            if type(amount) is not int or not -INT_MAX <= amount <= INT_MAX:
                raise FormatError("amount_invalid", "An amount is not an integer in range.")
        element = known.get(row.idnorm) or identity_element(row.idnorm).to_bytes()
        out.append(StoredPerson(row.idnorm, element, dict(row.amounts)))
    return out
