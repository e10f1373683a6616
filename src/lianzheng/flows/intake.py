"""One source file becomes the member's customers and the rows of its views, or changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lianzheng.clock import Clock, day_of
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.ports import PersonRow
from lianzheng.flows.clients import ClientBook
from lianzheng.suitability.customers import CustomerRecord
from lianzheng.suitability.ports import CustomerStore

__all__ = ["Intake", "Loaded", "ParsedSource"]


class ParsedSource(Protocol):
    """What a source adapter read."""

    @property
    def records(self) -> Sequence[CustomerRecord]: ...

    @property
    def digest(self) -> bytes: ...

    def raise_if_refused(self) -> None:
        """Raise ``FormatError`` ``source_refused`` whose text names row, column and reason of each problem."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: no row, only counts and the digest of the file."""

    dataset: str
    people: int
    as_of: str
    digest: bytes


class Intake:
    """Loads sources."""

    def __init__(
        self,
        parse: Callable[[bytes, str], ParsedSource],
        customers: CustomerStore,
        datasets: DatasetService,
        clients: ClientBook,
        clock: Clock,
    ) -> None:
        self._parse = parse
        self._customers = customers
        self._datasets = datasets
        self._clients = clients
        self._clock = clock

    async def load(self, dataset: str, data: bytes) -> Loaded:
        """The rows of ``data`` are the data set from now on. Raises ``FormatError`` ``source_refused``."""
        as_of = day_of(self._clock.now_ms())
        source = self._parse(data, as_of)
        source.raise_if_refused()
        rows = [PersonRow(record.idnorm, record.amounts(as_of)) for record in source.records]
        await self._datasets.load(dataset, as_of, rows)
        await self._customers.replace_customers(dataset, source.records, source.digest)
        self._clients.learn(dataset, source.records)
        return Loaded(dataset, len(rows), as_of, source.digest)
