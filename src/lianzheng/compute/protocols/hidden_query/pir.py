"""Retrieval ``pir``: the table answers without learning which column is read (PIR-2, PIR-5, B22, B23).

::

    seed of A  = tag "view-matrix" ‖ chain id ‖ provider ‖ view ‖ epoch ‖ columns root
    hint       = that of the columns' bytes under this seed; its digest, SHA-256(tag "view-hint" ‖ hint), on the ledger
    kept by a requester for the epoch = boundaries (16·M) ‖ hint (2·1536 bytes for each byte of a column)

The products need numpy and numba. They are imported where they are first used, so that a node whose tables are all
downloaded whole never loads them.
"""

from __future__ import annotations

import asyncio
from collections import Counter, OrderedDict, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.compute.gate.ports import Transport
from lianzheng.compute.model import view_parts
from lianzheng.compute.ports import TableCache
from lianzheng.compute.protocols.hidden_query.entries import (
    ENTRY_BYTES,
    TAG_BYTES,
    EntryContext,
    derive,
    open_entries,
)
from lianzheng.compute.protocols.hidden_query.table import column_number, read_boundaries, split_columns
from lianzheng.compute.views.model import EpochCommit, EpochRecord, TableParameters, epoch_record
from lianzheng.crypto.digest import sha256
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.context import StateView
from lianzheng.limits import MATRICES_BYTES_MAX
from lianzheng.registry import read_view_value
from lianzheng.zk.lwe.parameters import answer_bytes, hint_bytes

if TYPE_CHECKING:
    from lianzheng.zk.lwe.scheme import Database, Matrix

__all__ = [
    "ANSWERS_PATH",
    "BOUNDARIES_PATH",
    "HINT_PATH",
    "PirClient",
    "PirTable",
    "check_hint",
    "column_bytes",
    "hint_digest",
    "matrix_seed",
]

BOUNDARIES_PATH = "/peer/v1/views/{view}/epochs/{epoch}/boundaries"
HINT_PATH = "/peer/v1/views/{view}/epochs/{epoch}/hint"
ANSWERS_PATH = "/peer/v1/views/{view}/epochs/{epoch}/answers"


def matrix_seed(chain_id: str, provider: str, epoch: EpochCommit | EpochRecord) -> bytes:
    """What A is expanded from: bound to one table, so that nobody can prepare one A against all of them (B23)."""
    return tagged("view-matrix", chain_id, provider, epoch.view, epoch.epoch, epoch.columns_root)


def hint_digest(hint: bytes) -> bytes:
    """The digest in ``epoch.publish`` (B22)."""
    return sha256("view-hint", hint)


def column_bytes(shape: TableParameters) -> int:
    """Length of each column."""
    return ENTRY_BYTES * shape.entries // shape.columns


def check_hint(hint: bytes, record: EpochRecord) -> bytes:
    """The hint that the ledger has the digest of. Raises ``VerificationError`` ``table_hint``."""
    if len(hint) != hint_bytes(column_bytes(record.parameters)) or hint_digest(hint) != record.hint:
        raise VerificationError("table_hint", "The table's hint is not that of the ledger.")
    return hint


class PirTable:
    """A provider's table, laid out to answer, and its hint. Work for a thread: nothing here is quick."""

    def __init__(self, data: bytes, commit: EpochCommit, chain_id: str, provider: str) -> None:
        """``data``: the table's wire form."""
        from lianzheng.zk.lwe.scheme import Database

        split = TAG_BYTES * commit.parameters.columns
        self.boundaries = data[:split]
        self._seed = matrix_seed(chain_id, provider, commit)
        self._database: Database = Database.from_columns(split_columns(data[split:], commit.parameters))
        self._hint: bytes | None = None

    def hint(self) -> bytes:
        """The hint; a pure function of the table, computed when first asked for."""
        if self._hint is None:
            from lianzheng.zk.lwe import scheme

            self._hint = scheme.hint(self._database, self._seed)
        return self._hint

    def answer(self, vector: bytes) -> bytes:
        """The answer to a query, after one pass over the whole table. Raises ``FormatError`` ``lwe_vector``."""
        from lianzheng.zk.lwe import scheme

        return scheme.answer(self._database, vector)


@dataclass(frozen=True, slots=True)
class _Held:
    record: EpochRecord
    boundaries: tuple[bytes, ...]
    hint: bytes
    matrix: Matrix


class PirClient:
    """The requester's side: boundaries and hint once an epoch, then one query a person."""

    def __init__(self, chain_id: str, transport: Transport, cache: TableCache, state: Callable[[], StateView]) -> None:
        self._chain_id = chain_id
        self._transport = transport
        self._cache = cache
        self._state = state
        self._held: OrderedDict[ViewEpoch, _Held] = OrderedDict()
        self._opening: defaultdict[ViewEpoch, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.bad_answers: Counter[ViewEpoch] = Counter()
        """Answers of a wrong length, or with more than one value: for a dispute after the epoch (PIR-5)."""

    async def bands(self, view: ViewEpoch, element: G1) -> dict[str, int]:
        """Bands by indicator of the person whose element under this view key is ``element``.

        Nobody, a failed check, a wrong length and an absent person read as the first band of every indicator, after
        the same messages (PIR-5). Raises ``epoch_unknown``, ``peer_unreachable``, ``table_length``,
        ``table_boundaries``, ``table_hint``.
        """
        held = await self._open(view)
        _, bundle, form = view_parts(view.view)
        tag, key = derive(element.to_bytes(), EntryContext.of(self._chain_id, held.record))
        column = await self._column(view, held, column_number(held.boundaries, tag))
        value = None if column is None else open_entries(key, column, view.view)
        return read_view_value(bundle, form, value)

    async def _column(self, view: ViewEpoch, held: _Held, number: int) -> bytes | None:
        from lianzheng.zk.lwe import scheme

        state, vector = await asyncio.to_thread(scheme.query, number, held.matrix)
        try:
            path = ANSWERS_PATH.format(view=view.view, epoch=view.epoch)
            answer = await self._transport.post_bytes(held.record.provider, path, vector)
            if len(answer) == answer_bytes(column_bytes(held.record.parameters)):
                return await asyncio.to_thread(scheme.decode, state, held.hint, answer)
        except FormatError as error:
            if error.code != "answer_too_large":
                raise
        finally:
            state.erase()  # used or not: no second answer is decoded under this secret
        self.bad_answers[view] += 1
        return None

    async def _open(self, view: ViewEpoch) -> _Held:
        async with self._opening[view]:  # two persons asked at once need one hint
            if view not in self._held:
                self._held[view] = await self._load(view)
            self._held.move_to_end(view)
            found = self._held[view]
            while len(self._held) > 1 and self._matrices_bytes() > MATRICES_BYTES_MAX:
                self._held.popitem(last=False)
            return found

    def _matrices_bytes(self) -> int:
        return sum(held.matrix.words.nbytes for held in self._held.values())

    async def _load(self, view: ViewEpoch) -> _Held:
        record = epoch_record(self._state(), view.view, view.epoch)
        data = await self._cache.get(view.view, view.epoch)
        fresh = data is None
        if data is None:
            paths = (path.format(view=view.view, epoch=view.epoch) for path in (BOUNDARIES_PATH, HINT_PATH))
            data = b"".join([await self._transport.get_bytes(record.provider, path) for path in paths])
        split = TAG_BYTES * record.parameters.columns
        boundaries, hint = read_boundaries(data[:split], record), check_hint(data[split:], record)
        if fresh:
            await self._cache.put(view.view, view.epoch, data, record.until_ms)
        seed = matrix_seed(self._chain_id, record.provider, record)
        matrix = await asyncio.to_thread(_matrix, seed, record.parameters.columns)
        return _Held(record, boundaries, hint, matrix)


def _matrix(seed: bytes, columns: int) -> Matrix:
    from lianzheng.zk.lwe.scheme import Matrix  # loading numba takes a second: never in the event loop

    return Matrix(seed, columns)
