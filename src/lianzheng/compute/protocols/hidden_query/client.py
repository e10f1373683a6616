"""The requester's side of mode ``table``: one download an epoch, then every lookup is local (PIR-1, PIR-2, PIR-5)."""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.compute.gate.ports import Transport
from lianzheng.compute.model import view_parts
from lianzheng.compute.ports import TableCache
from lianzheng.compute.protocols.hidden_query.entries import EntryContext
from lianzheng.compute.protocols.hidden_query.table import Table, lookup
from lianzheng.compute.views.model import EpochRecord, epoch_record
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import NotFoundError
from lianzheng.ledger.context import StateView
from lianzheng.registry import read_view_value

__all__ = ["TABLE_PATH", "TableClient", "current_epoch"]

TABLE_PATH = "/peer/v1/views/{view}/epochs/{epoch}/table"


def current_epoch(state: StateView, view: str, now_ms: int) -> EpochRecord:
    """The newest published epoch of a view that answers now. Raises ``NotFoundError`` ``epoch_none_open``."""
    found: EpochRecord | None = None
    for _, value in state.scan(f"epoch/{view}/"):
        record = EpochRecord.from_json(value)
        is_open = record.status == "published" and record.from_ms <= now_ms < record.until_ms
        if is_open and (found is None or record.epoch > found.epoch):
            found = record
    if found is None:
        raise NotFoundError("epoch_none_open", "The view has no epoch that answers now.")
    return found


class TableClient:
    """Downloads tables, checks them against the ledger, keeps them, reads them."""

    def __init__(self, chain_id: str, transport: Transport, cache: TableCache, state: Callable[[], StateView]) -> None:
        self._chain_id = chain_id
        self._transport = transport
        self._cache = cache
        self._state = state
        self._held: dict[ViewEpoch, tuple[EpochRecord, Table]] = {}

    async def bands(self, view: ViewEpoch, element: G1) -> dict[str, int]:
        """Bands by indicator of the person whose element under this view key is ``element``.

        Nobody, a failed check and an absent person read as the first band of every indicator (PIR-5).
        Raises ``epoch_unknown``, ``peer_unreachable``, or the code of a table unlike the ledger's digests.
        """
        record, table = await self._table(view)
        _, bundle, form = view_parts(view.view)
        value = lookup(element, table, EntryContext.of(self._chain_id, record))
        return read_view_value(bundle, form, value)

    async def _table(self, view: ViewEpoch) -> tuple[EpochRecord, Table]:
        held = self._held.get(view)
        if held is not None:
            return held
        record = epoch_record(self._state(), view.view, view.epoch)
        data = await self._cache.get(view.view, view.epoch)
        fresh = data is None
        if data is None:
            path = TABLE_PATH.format(view=view.view, epoch=view.epoch)
            data = await self._transport.get_bytes(record.provider, path)
        table = Table.from_bytes(data, record)
        if fresh:
            await self._cache.put(view.view, view.epoch, data, record.until_ms)
        self._held[view] = (record, table)
        return record, table
