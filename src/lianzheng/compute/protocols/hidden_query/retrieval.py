"""Reading a hidden query's entry in whichever way the dataset's policy says (PIR-2), and what each way costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.compute.gate.ports import Transport
from lianzheng.compute.ports import TableCache
from lianzheng.compute.protocols.hidden_query.client import TableClient
from lianzheng.compute.protocols.hidden_query.entries import ENTRY_BYTES, TAG_BYTES
from lianzheng.compute.protocols.hidden_query.pir import PirClient
from lianzheng.compute.views.model import epoch_record
from lianzheng.compute.views.size import table_shape
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.ledger.context import StateView
from lianzheng.zk.lwe.parameters import answer_bytes, hint_bytes, vector_bytes

__all__ = ["Advice", "RetrievalClient", "advise"]


class RetrievalClient:
    """Both ways behind one question."""

    def __init__(self, chain_id: str, transport: Transport, cache: TableCache, state: Callable[[], StateView]) -> None:
        self._state = state
        self._table = TableClient(chain_id, transport, cache, state)
        self._pir = PirClient(chain_id, transport, cache, state)

    async def bands(self, view: ViewEpoch, element: G1) -> dict[str, int]:
        """As ``TableClient.bands`` or ``PirClient.bands``, by what the epoch is committed to."""
        record = epoch_record(self._state(), view.view, view.epoch)
        client = self._pir if record.parameters.retrieval == "pir" else self._table
        return await client.bands(view, element)


@dataclass(frozen=True, slots=True)
class Advice:
    """Bytes that one requester moves in one epoch of one view."""

    table_bytes: int
    """Retrieval ``table``: boundaries and columns, once."""
    pir_once_bytes: int
    """Retrieval ``pir``: boundaries and hint, once."""
    pir_lookup_bytes: int
    """Retrieval ``pir``: query and answer, each lookup."""
    lookups: int

    @property
    def pir_bytes(self) -> int:
        """All lookups under ``pir``."""
        return self.pir_once_bytes + self.lookups * self.pir_lookup_bytes

    @property
    def cheaper(self) -> str:
        """``pir`` or ``table``; ``table`` where they are equal, because it costs the provider nothing."""
        return "pir" if self.pir_bytes < self.table_bytes else "table"

    @property
    def pir_lookups_max(self) -> int:
        """Up to so many lookups ``pir`` is the cheaper one; 0: never."""
        return max(0, -((self.pir_once_bytes - self.table_bytes) // self.pir_lookup_bytes) - 1)


def advise(people: int, lookups: int) -> Advice:
    """What a view with an entry for ``people`` costs a requester with ``lookups`` an epoch."""
    entries, columns = table_shape(people)
    length = ENTRY_BYTES * entries // columns
    return Advice(
        table_bytes=TAG_BYTES * columns + ENTRY_BYTES * entries,
        pir_once_bytes=TAG_BYTES * columns + hint_bytes(length),
        pir_lookup_bytes=vector_bytes(columns) + answer_bytes(length),
        lookups=lookups,
    )
