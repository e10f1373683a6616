"""Customers' records from one CSV file: every row is right, or nothing is loaded (``docs/spec/sources.md``).

Each problem names row, column and reason, never the value: reports are mailed and logged.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from lianzheng.errors import FormatError, LianzhengError, NotFoundError
from lianzheng.identity.idnorm import normalise
from lianzheng.limits import AMOUNT_YUAN_MAX, CSV_FIELD_CHARS_MAX, CSV_PROBLEMS_MAX, CSV_ROWS_MAX
from lianzheng.registry import DOCUMENT_TYPES
from lianzheng.suitability.customers import PRODUCT_TYPES, CustomerRecord
from lianzheng.suitability.ports import CustomerSink

__all__ = ["COLUMNS", "Problem", "SourceRead", "load_csv", "parse_csv", "read_csv"]

_COUNTS = {
    "margin_calls_24m": ("I05", 1_000),
    "worst_loss_percent": ("I06", 100),
    "concentration_percent": ("I07", 100),
    "turnover_percent": ("I08", 1_000_000),
    "default": ("I09", 1),
}
COLUMNS = (
    "document_type",
    "country",
    "number",
    "name",
    "birth_date",
    "opened_on",
    "financial_assets_yuan",
    "leverage_percent",
    "products_traded",
    *_COUNTS,
)
_LEVERAGE_PERCENT_MAX = 100_000
_INTEGER = re.compile(r"(0|[1-9][0-9]{0,12})\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a file is refused. Row 1 is the header, as spreadsheets number them; column may be empty."""

    row: int
    column: str
    code: str
    text: str

    def __str__(self) -> str:
        place = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.code}: {self.text}"


@dataclass(slots=True)
class SourceRead:
    """Records of a file, or the problems that refuse it; ``digest`` is the SHA-256 of the file's bytes."""

    digest: bytes = b""
    records: list[CustomerRecord] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def raise_if_refused(self) -> None:
        """Raise ``FormatError`` ``source_refused`` whose text lists the problems, one a line."""
        if self.problems:
            lines = "\n".join(f"  {problem}" for problem in self.problems)
            more = f"\n  (the first {CSV_PROBLEMS_MAX})" if len(self.problems) >= CSV_PROBLEMS_MAX else ""
            raise FormatError(
                "source_refused",
                f"The file was not loaded, nothing was changed:\n{lines}{more}",
                next_step="Correct the rows named and load the whole file again.",
            )


async def load_csv(path: Path, sink: CustomerSink, dataset: str, *, as_of: str, test_network: bool) -> SourceRead:
    """All records of ``path`` are in ``sink`` when this returns; on any problem none is.

    Raises ``FormatError`` ``source_refused``, ``NotFoundError`` ``source_missing``.
    """
    found = read_csv(path, as_of=as_of, test_network=test_network)
    found.raise_if_refused()
    await sink.replace_customers(dataset, found.records, found.digest)
    return found


def read_csv(path: Path, *, as_of: str, test_network: bool) -> SourceRead:
    """Records and problems of a file. Raises ``NotFoundError`` ``source_missing``."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFoundError("source_missing", "The source file cannot be read.", detail=str(error)) from error
    return parse_csv(data, as_of=as_of, test_network=test_network)


def parse_csv(data: bytes, *, as_of: str, test_network: bool) -> SourceRead:
    """Records and problems of a file's bytes; ``as_of`` is the day up to which dates may lie."""
    found = SourceRead(hashlib.sha256(data).digest())
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        found.problems.append(Problem(1, "", "csv_encoding", "the file is not UTF-8"))
        return found
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        _read_rows(reader, found, as_of, test_network)
    except csv.Error:
        found.problems.append(Problem(reader.line_num, "", "csv_malformed", "quotes or separators do not fit"))
    if found.problems:
        found.records.clear()
    elif not found.records:
        found.problems.append(Problem(1, "", "csv_empty", "the file has no customers"))
    return found


def _read_rows(reader: Iterator[list[str]], found: SourceRead, as_of: str, test_network: bool) -> None:
    header = next(reader, [])
    if tuple(header) != COLUMNS:
        wrong = next((i for i, name in enumerate(COLUMNS) if i >= len(header) or header[i] != name), len(COLUMNS))
        expected = COLUMNS[wrong] if wrong < len(COLUMNS) else "no further column"
        text = f"column {wrong + 1} must be {expected}; the header is: {','.join(COLUMNS)}"
        found.problems.append(Problem(1, "", "csv_header", text))
        return
    first_rows: dict[bytes, int] = {}
    for row, cells in enumerate(reader, start=2):
        if row - 1 > CSV_ROWS_MAX:
            found.problems.append(Problem(row, "", "csv_too_long", f"more than {CSV_ROWS_MAX} customers"))
            return
        record = _Row(row, cells, found.problems).record(as_of, test_network)
        if record is not None:
            first = first_rows.setdefault(record.idnorm, row)
            if first != row:
                text = f"the same person stands in row {first}"
                found.problems.append(Problem(row, "number", "customer_duplicate", text))
            found.records.append(record)
        if len(found.problems) >= CSV_PROBLEMS_MAX:
            return


class _Row:
    """One row while it is read: each cell is checked even if an earlier one was wrong, so a report is complete."""

    def __init__(self, row: int, cells: list[str], problems: list[Problem]) -> None:
        self._row = row
        self._problems = problems
        self._count = len(problems)
        self._cells = dict(zip(COLUMNS, cells, strict=False))
        if len(cells) != len(COLUMNS):
            self._problem("", "csv_columns", f"{len(cells)} cells where {len(COLUMNS)} are expected")

    def _problem(self, column: str, code: str, text: str) -> None:
        self._problems.append(Problem(self._row, column, code, text))

    def _cell(self, column: str, check: Callable[[str], bool], code: str, text: str) -> str:
        value = self._cells[column]
        if not check(value):
            self._problem(column, code, text)
        return value

    def _day(self, column: str, as_of: str) -> str:
        return self._cell(
            column,
            lambda v: _is_day(v) and v <= as_of,
            "date_invalid",
            "must be a day YYYY-MM-DD, not later than today",
        )

    def _amount(self, column: str, most: int) -> int:
        value = self._cells[column]
        if not _INTEGER.match(value) or int(value) > most:
            self._problem(column, "amount_invalid", f"must be a whole number from 0 to {most}, digits only")
            return 0
        return int(value)

    def _optional(self, column: str, most: int) -> int | None:
        return self._amount(column, most) if self._cells[column] else None

    def _products(self) -> tuple[str, ...]:
        names = self._cells["products_traded"].split("+") if self._cells["products_traded"] else []
        if any(name not in PRODUCT_TYPES for name in names) or len(set(names)) != len(names):
            self._problem("products_traded", "product_unknown", "must be names of " + "+".join(PRODUCT_TYPES))
            return ()
        return tuple(name for name in PRODUCT_TYPES if name in names)

    def _idnorm(self, test_network: bool) -> bytes:
        kind = self._cells["document_type"]
        if kind not in DOCUMENT_TYPES:
            self._problem("document_type", "document_type_unknown", "must be one of " + ", ".join(DOCUMENT_TYPES))
            return b""
        try:
            return normalise(kind, self._cells["country"], self._cells["number"], test_network=test_network)
        except LianzhengError as error:
            column = "country" if error.code == "identity_country_invalid" else "number"
            self._problem(column, error.code, error.text)
            return b""

    def record(self, as_of: str, test_network: bool) -> CustomerRecord | None:
        """The record, or None where this row has a problem."""
        if len(self._problems) > self._count:
            return None
        for column, value in self._cells.items():
            if len(value) > CSV_FIELD_CHARS_MAX or not value.isprintable() or value != value.strip():
                self._problem(column, "cell_invalid", "too long, or with blanks at an end or control characters")
                return None
        idnorm = self._idnorm(test_network)
        birth_date = self._day("birth_date", as_of)
        opened_on = self._day("opened_on", as_of)
        if (
            idnorm
            and self._cells["document_type"] == "RESIDENT_ID"
            and _birth_digits(idnorm) != birth_date.replace("-", "")
        ):
            self._problem("birth_date", "birth_date_differs", "is not the one inside the identity number")
        if opened_on < birth_date:
            self._problem("opened_on", "date_invalid", "lies before the date of birth")
        counts = {code: self._optional(column, most) for column, (code, most) in _COUNTS.items()}
        record = CustomerRecord(
            idnorm=idnorm,
            document_type=self._cells["document_type"],
            country=self._cells["country"],
            number=self._cells["number"],
            name=self._cell("name", lambda v: 1 <= len(v) <= 100, "name_invalid", "must have 1 to 100 characters"),
            birth_date=birth_date,
            opened_on=opened_on,
            financial_assets_yuan=self._amount("financial_assets_yuan", AMOUNT_YUAN_MAX),
            leverage_percent=self._optional("leverage_percent", _LEVERAGE_PERCENT_MAX),
            products_traded=self._products(),
            counts={code: count for code, count in counts.items() if count is not None},
        )
        return record if len(self._problems) == self._count else None


def _birth_digits(idnorm: bytes) -> str:
    return idnorm[-12:-4].decode("ascii")  # number is the last part (B3); GB 11643 digits 7 to 14


def _is_day(text: str) -> bool:
    if not _DAY.match(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
