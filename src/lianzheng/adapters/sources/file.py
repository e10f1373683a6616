"""One source file, CSV or Parquet: checked whole, then read again for its good rows or for an export of the bad ones.

Both passes stream: memory does not grow with the file.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from lianzheng.adapters.sources.csv import SourceUnreadableError, csv_rows
from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.adapters.sources.mapping import EXACT, Mapping, decode_mapping
from lianzheng.adapters.sources.report import Problem, Report
from lianzheng.adapters.sources.row import RowReader
from lianzheng.errors import ConflictError, FormatError, NotFoundError
from lianzheng.limits import CSV_ROWS_MAX
from lianzheng.suitability.customers import CustomerRecord

__all__ = ["FileFormat", "ReadRow", "SourceFile", "format_of", "open_source"]

FileFormat = Literal["csv", "parquet"]
Tick = Callable[[int], None]
"""Told how many rows were read; may raise to stop."""
_TICK_ROWS = 2_000
_EMPTY: dict[FileFormat, str] = {"csv": "csv_empty", "parquet": "parquet_empty"}
_TOO_LONG: dict[FileFormat, str] = {"csv": "csv_too_long", "parquet": "parquet_too_long"}
_HEADER: dict[FileFormat, str] = {"csv": "csv_header", "parquet": "parquet_header"}
_Checked = tuple[int, list[str], CustomerRecord | None, list[Problem]]


@dataclass(frozen=True, slots=True)
class ReadRow:
    """A row with its record, or with what is wrong with it. ``cells`` as they stand in the file."""

    row: int
    cells: list[str]
    record: CustomerRecord | None
    problems: list[Problem]


def format_of(path: Path) -> FileFormat:
    """By the name's ending; what is not Parquet is taken for CSV, and refused as such if it is none."""
    return "parquet" if path.suffix.lower() in (".parquet", ".pq") else "csv"


def open_source(path: Path, form: FileFormat, mapping: bytes | None, *, as_of: str, test_network: bool) -> SourceFile:
    """``flows.intake.OpenSource``; ``mapping`` is a mapping file's bytes. Raises as ``decode_mapping``."""
    decoded = EXACT if mapping is None else decode_mapping(mapping)
    return SourceFile(path, form, decoded, as_of=as_of, test_network=test_network)


class SourceFile:
    """A source while it is checked and read. Use as a context: it holds a scratch folder."""

    def __init__(
        self, path: Path, form: FileFormat, mapping: Mapping = EXACT, *, as_of: str, test_network: bool
    ) -> None:
        """Raises ``NotFoundError`` ``source_missing``."""
        self._path = path
        self._form = form
        self._mapping = mapping
        self._reader = RowReader(mapping, as_of, test_network)
        try:
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").digest()
        except OSError as error:
            raise NotFoundError("source_missing", "The source file cannot be read.", detail=str(error)) from error
        self.report = Report(digest)
        # DuckDB brings numpy: a node that loads nothing starts without both.
        from lianzheng.adapters.sources.duck import Doubles, Workbench

        self._bench = Workbench(path)
        self._doubles = Doubles(self._bench)
        self._checked = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """What was set aside for the source is gone."""
        self._bench.close()

    def check(self, tick: Tick | None = None) -> Report:
        """Everything that is wrong with the file. May be called once."""
        report = self.report
        try:
            for row, _, record, problems in self._pass(mapped_only=True):
                report.rows += 1
                if record is None:
                    report.add_row(problems)
                else:
                    self._doubles.add(row, record.idnorm)
                if tick is not None and report.rows % _TICK_ROWS == 0:
                    tick(report.rows)
        except SourceUnreadableError as error:
            report.whole = error.problem
            return report
        if not report.rows:
            report.whole = Problem(1, "", _EMPTY[self._form], "the file has no customers")
            return report
        self._doubles.settle()
        for row, other in self._doubles.rows():
            report.add_row([self._double(row, other)])
        self._checked = True
        return report

    def rows(self, *, mapped_only: bool = True) -> Iterator[ReadRow]:
        """After :meth:`check`: every row with its record or its problems, doubles included; one pass over the file.

        Raises ``ConflictError`` ``source_changed`` where the file is not the one that was checked.
        """
        if not self._checked:
            raise FormatError("source_refused", "The file cannot be read to its end.", next_step="Check it first.")
        doubles = self._doubles.rows()
        double = next(doubles, None)
        count = 0
        with closing(self._pass(mapped_only=mapped_only)) as found:
            try:
                for row, cells, record, problems in found:
                    count += 1
                    if double is not None and double[0] == row:
                        record, problems = None, [*problems, self._double(*double)]
                        double = next(doubles, None)
                    yield ReadRow(row, cells, record, problems)
            except SourceUnreadableError as error:
                raise _changed() from error
        if count != self.report.rows:
            raise _changed()

    def records(self) -> Iterator[CustomerRecord]:
        """After :meth:`check`: the good rows alone."""
        return (one.record for one in self.rows() if one.record is not None)

    def export_bad(self, target: Path, tick: Tick | None = None) -> int:
        """All bad rows, as CSV of mode 0600: row, columns and reasons before the row's own cells; how many they are.

        The file holds personal data. It must not exist yet: raises ``ConflictError`` ``export_exists``.
        """
        try:
            descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except FileExistsError as error:
            raise ConflictError(
                "export_exists", f"{target} exists; bad rows are written to a new file only.", next_step="Name another."
            ) from error
        count = 0
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["row", "problem_columns", "problem_codes", *self._header()])
                for one in self.rows(mapped_only=False):
                    if one.problems:
                        columns = "; ".join(problem.column or "-" for problem in one.problems)
                        codes = "; ".join(problem.code for problem in one.problems)
                        writer.writerow([one.row, columns, codes, *one.cells])
                        count += 1
                    if tick is not None and one.row % _TICK_ROWS == 0:
                        tick(one.row)
        except BaseException:
            target.unlink(missing_ok=True)
            raise
        return count

    def _double(self, row: int, other: int) -> Problem:
        text = f"the same person stands in row {other}"
        return Problem(row, self._mapping.column_of("number"), "customer_duplicate", text)

    def _pass(self, *, mapped_only: bool) -> Generator[_Checked, None, None]:
        first = 2 if self._form == "csv" else 1
        source, header = self._open(mapped_only)
        places = self._places(header)
        for row, cells in enumerate(source, start=first):
            if row - first >= CSV_ROWS_MAX:
                text = f"more than {CSV_ROWS_MAX} customers"
                raise SourceUnreadableError(Problem(row, "", _TOO_LONG[self._form], text))
            if len(cells) != len(header):
                text = f"{len(cells)} cells where {len(header)} are expected"
                yield row, cells, None, [Problem(row, "", "csv_columns", text)]
                continue
            record, problems = self._reader.read(row, {name: cells[place] for name, place in places})
            yield row, cells, record, problems

    def _open(self, mapped_only: bool) -> tuple[Iterator[list[str]], list[str]]:
        """The rows and the names of their columns."""
        if self._form == "csv":
            rows = csv_rows(self._path, self._mapping)
            return rows, next(rows, [])
        header = self._bench.parquet_columns()
        if mapped_only:
            self._places(header)
            used = {field.column for field in self._mapping.fields.values()}
            header = [name for name in header if name in used]
        return self._bench.parquet_rows(header), header

    def _header(self) -> list[str]:
        return self._open(False)[1]

    def _places(self, header: list[str]) -> list[tuple[str, int]]:
        """Where each field stands. Raises ``SourceUnreadableError`` where a column is missing or there twice."""
        code = _HEADER[self._form]
        if self._mapping.exact and self._form == "csv" and tuple(header) != COLUMNS:
            wrong = next((i for i, name in enumerate(COLUMNS) if i >= len(header) or header[i] != name), len(COLUMNS))
            expected = COLUMNS[wrong] if wrong < len(COLUMNS) else "no further column"
            text = f"column {wrong + 1} must be {expected}; the header is: {','.join(COLUMNS)}"
            raise SourceUnreadableError(Problem(1, "", code, text))
        places = []
        for name, field in self._mapping.fields.items():
            if field.constant is not None:
                continue
            if header.count(field.column) != 1:
                text = "is there more than once" if field.column in header else f"is missing; it holds {name}"
                raise SourceUnreadableError(Problem(1, field.column, code, text))
            places.append((name, header.index(field.column)))
        return places


def _changed() -> ConflictError:
    return ConflictError("source_changed", "The file changed while it was read; nothing was changed here.")
