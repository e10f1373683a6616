"""One source file becomes the member's customers and the rows of its views in one switch, or changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from lianzheng.clock import Clock, day_of
from lianzheng.compute.datasets.finishing import to_its_end
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.ports import PersonRow
from lianzheng.errors import ConflictError
from lianzheng.flows.clients import ClientBook
from lianzheng.flows.jobs import Progress
from lianzheng.suitability.customers import CustomerRecord
from lianzheng.suitability.ports import CustomerSink

__all__ = ["CheckedSource", "Intake", "LoadOrder", "Loaded", "OpenSource", "SourceReport", "Upload", "UploadStore"]


class SourceReport(Protocol):
    """What a check found."""

    @property
    def good(self) -> int: ...

    @property
    def bad(self) -> int: ...

    @property
    def digest(self) -> bytes: ...

    def raise_unless(self, accept_bad: int) -> None:
        """The file is whole and exactly this many rows are bad. Raises ``source_refused``, ``bad_rows_differ``."""


class CheckedSource(Protocol):
    """An open source file."""

    def check(self, tick: Callable[[int], None] | None = None) -> SourceReport:
        """Read it all; ``tick`` is told how many rows were read and may raise to stop."""

    def records(self) -> Iterator[CustomerRecord]:
        """Then its good rows, in a second pass. Raises ``ConflictError`` ``source_changed``."""

    def close(self) -> None: ...


class OpenSource(Protocol):
    """Opens a file: ``mapping`` is a mapping file's bytes or None; dates may lie up to ``as_of``."""

    def __call__(
        self, path: Path, form: Literal["csv", "parquet"], mapping: bytes | None, as_of: str
    ) -> CheckedSource: ...


@dataclass(frozen=True, slots=True)
class Upload:
    """A source that was sent and waits to be loaded."""

    id: str
    size: int
    digest: bytes


class UploadStore(Protocol):
    """Where sources wait."""

    async def save(self, chunks: AsyncIterator[bytes], size_max: int, name: str | None = None) -> Upload:
        """Keep what is sent, under ``name`` if one is given.

        Raises ``FormatError`` ``too_large``, ``upload_name_invalid``; ``ConflictError`` ``uploads_too_many``,
        ``upload_exists``.
        """

    def path(self, upload: str) -> Path:
        """Raises ``NotFoundError`` ``upload_unknown``."""

    def remove(self, upload: str) -> None:
        """Raises ``NotFoundError`` ``upload_unknown``."""


@dataclass(frozen=True, slots=True)
class LoadOrder:
    """What the operator orders: exactly ``accept_bad`` bad rows are left out, or nothing is loaded."""

    form: Literal["csv", "parquet"] = "csv"
    mapping: bytes | None = None
    accept_bad: int = 0


@dataclass(frozen=True, slots=True)
class Loaded:
    """What was loaded: no row, only counts and the digest of the file."""

    dataset: str
    people: int
    skipped: int
    as_of: str
    digest: bytes


class Intake:
    """Loads sources."""

    def __init__(
        self,
        open_source: OpenSource,
        uploads: UploadStore,
        customers: CustomerSink,
        datasets: DatasetService,
        clients: ClientBook,
        clock: Clock,
    ) -> None:
        self._open_source = open_source
        self.uploads = uploads
        self._customers = customers
        self._datasets = datasets
        self._clients = clients
        self._clock = clock
        self._loading: list[str] = []

    async def load(self, dataset: str, upload: str, order: LoadOrder, progress: Progress | None = None) -> Loaded:
        """The good rows of an upload are the data set from now on; until then, and on any failure, the old ones are.

        The upload is gone afterwards, however it ends. Progress counts rows: first those checked, of an unknown total,
        then those stored.

        Raises ``FormatError``: ``source_refused`` (the report by row, column and reason), ``bad_rows_differ``,
        ``mapping_invalid``; ``NotFoundError`` ``upload_unknown``; ``ConflictError`` ``dataset_loading``.
        """
        path = self.uploads.path(upload)
        if dataset in self._loading:
            raise ConflictError("dataset_loading", "This data set is being loaded.", next_step="Wait for that load.")
        self._loading.append(dataset)
        progress = progress or Progress()
        try:
            return await self._load(dataset, path, order, progress)
        except asyncio.CancelledError:
            progress.stop()
            raise
        finally:
            self._loading.remove(dataset)
            self.uploads.remove(upload)

    async def _load(self, dataset: str, path: Path, order: LoadOrder, progress: Progress) -> Loaded:
        as_of = day_of(self._clock.now_ms())
        source: CheckedSource | None = None

        def check() -> SourceReport:
            nonlocal source
            source = self._open_source(path, order.form, order.mapping, as_of)
            return source.check(tick)

        def tick(rows: int) -> None:
            progress.report(rows)
            progress.check()

        try:
            report = await to_its_end(asyncio.to_thread(check), progress.stop)
            report.raise_unless(order.accept_bad)
            if source is None:
                raise ConflictError("source_changed", "The source is not open.")
            return await self._store(dataset, source, report, as_of, progress)
        finally:
            if source is not None:
                await asyncio.to_thread(source.close)

    async def _store(
        self, dataset: str, source: CheckedSource, report: SourceReport, as_of: str, progress: Progress
    ) -> Loaded:
        held: dict[bytes, CustomerRecord] = {}
        progress.report(0, report.good)

        def rows() -> Iterator[PersonRow]:
            for record in source.records():
                progress.check()
                held[record.idnorm] = record
                yield PersonRow(record.idnorm, record.amounts(as_of))

        async def beside(snapshot: int, idnorms: Sequence[bytes]) -> None:
            named = [(self._clients.reference_of(idnorm), held.pop(idnorm)) for idnorm in idnorms]
            await self._customers.add_customers(snapshot, named)

        loaded = await self._datasets.load(
            dataset,
            as_of,
            rows(),
            beside=beside,
            digest=report.digest,
            skipped=report.bad,
            report=progress.report,
        )
        return Loaded(dataset, loaded.people, report.bad, as_of, report.digest)
