"""One row of a source, mapped and checked: a record, or everything that is wrong with it (``docs/spec/sources.md``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date

from lianzheng.adapters.sources.fields import COLUMNS, COUNTS
from lianzheng.adapters.sources.mapping import UNITS, FieldMapping
from lianzheng.adapters.sources.mapping import Mapping as SourceMapping
from lianzheng.adapters.sources.report import Problem
from lianzheng.errors import LianzhengError
from lianzheng.identity.idnorm import normalise
from lianzheng.limits import AMOUNT_YUAN_MAX, CSV_FIELD_CHARS_MAX
from lianzheng.registry import DOCUMENT_TYPES
from lianzheng.suitability.customers import PRODUCT_TYPES, CustomerRecord

__all__ = ["RowReader"]

_LEVERAGE_PERCENT_MAX = 100_000
_INTEGER = re.compile(r"(0|[1-9][0-9]{0,12})\Z")
_DECIMAL = re.compile(r"([0-9]{1,17})(?:\.([0-9]{1,9}))?\Z")
_NEGATIVE = re.compile(r"-[0-9]+(\.[0-9]+)?\Z")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
_FORMS = {
    "YYYY-MM-DD": re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2})\Z"),
    "YYYYMMDD": re.compile(r"(?P<y>[0-9]{4})(?P<m>[0-9]{2})(?P<d>[0-9]{2})\Z"),
    "YYYY/M/D": re.compile(r"(?P<y>[0-9]{4})/(?P<m>[0-9]{1,2})/(?P<d>[0-9]{1,2})\Z"),
    "YYYY年M月D日": re.compile(r"(?P<y>[0-9]{4})年(?P<m>[0-9]{1,2})月(?P<d>[0-9]{1,2})日\Z"),
    "D/M/YYYY": re.compile(r"(?P<d>[0-9]{1,2})/(?P<m>[0-9]{1,2})/(?P<y>[0-9]{4})\Z"),
    "YYYY-MM-DD hh:mm:ss": re.compile(r"(?P<y>[0-9]{4})-(?P<m>[0-9]{2})-(?P<d>[0-9]{2}) [0-9:.]{8,15}\Z"),
}


class RowReader:
    """Reads rows of one source: ``as_of`` is the day up to which dates may lie."""

    def __init__(self, mapping: SourceMapping, as_of: str, test_network: bool) -> None:
        self.mapping = mapping
        self.as_of = as_of
        self.test_network = test_network

    def read(self, row: int, cells: Mapping[str, str]) -> tuple[CustomerRecord | None, list[Problem]]:
        """The record, or None beside all problems of the row. ``cells`` by field; a field left out is not known."""
        problems: list[Problem] = []
        return _Row(row, cells, self, problems).record(), problems


class _Row:
    """One row while it is read: each cell is checked even if an earlier one was wrong, so a report is complete."""

    def __init__(self, row: int, cells: Mapping[str, str], reader: RowReader, problems: list[Problem]) -> None:
        self._row = row
        self._reader = reader
        self._mapping = reader.mapping
        self._problems = problems
        self._cells: dict[str, str] = {}
        for name in COLUMNS:
            found = self._mapping.fields.get(name)
            value = cells.get(name, "") if found is None or found.constant is None else found.constant
            self._cells[name] = value.strip() if self._mapping.trim else value

    def _problem(self, name: str, code: str, text: str) -> None:
        self._problems.append(Problem(self._row, self._mapping.column_of(name), code, text))

    def _cell(self, name: str, check: Callable[[str], bool], code: str, text: str) -> str:
        value = self._cells[name]
        if not check(value):
            self._problem(name, code, text)
        return value

    def _coded(self, name: str) -> str:
        """The cell, or what the mapping says it stands for."""
        value, values = self._cells[name], self._field(name).values
        if values is None or not value:
            return value
        if value not in values:
            self._problem(name, "code_unknown", "is no value that the mapping knows")
            return ""
        return values[value]

    def _field(self, name: str) -> FieldMapping:
        return self._mapping.fields.get(name) or FieldMapping()

    def _day(self, name: str) -> str:
        form = self._field(name).format
        found = _FORMS[form].match(self._cells[name])
        day = "" if found is None else f"{found['y']}-{found['m']:0>2}-{found['d']:0>2}"
        if not _is_day(day) or day > self._reader.as_of:
            self._problem(name, "date_invalid", f"must be a day {form}, not later than today")
            return ""
        return day

    def _amount(self, name: str, most: int, *, upwards: bool = True) -> int:
        """A whole number. What a unit leaves over is rounded up where more means more risk, down for assets."""
        value, unit = self._cells[name], self._field(name).unit
        if _NEGATIVE.match(value):
            self._problem(name, "amount_negative", f"is negative; must be from 0 to {most}")
            return 0
        amount: int | None = None
        if unit:
            found = _DECIMAL.match(value)
            if found is not None:
                times, over = UNITS[name][unit]
                places = found[2] or ""
                scaled, divisor = int(found[1] + places) * times, over * 10 ** len(places)
                amount = -(-scaled // divisor) if upwards else scaled // divisor
        elif _INTEGER.match(value):
            amount = int(value)
        if amount is None or amount > most:
            form = f"must be a number of {unit}" if unit else "must be a whole number, digits only,"
            self._problem(name, "amount_invalid", f"{form} from 0 to {most}{' after conversion' if unit else ''}")
            return 0
        return amount

    def _optional(self, name: str, most: int) -> int | None:
        return self._amount(name, most) if self._cells[name] else None

    def _default(self) -> int | None:
        self._cells["default"] = self._coded("default")
        return self._optional("default", 1)

    def _products(self) -> tuple[str, ...]:
        found = self._field("products_traded")
        names = [part.strip() if self._mapping.trim else part for part in self._split(found.separator)]
        if found.values is not None:
            names = [found.values.get(name, "?") for name in names]
        if any(name not in PRODUCT_TYPES for name in names) or len(set(names)) != len(names):
            self._problem("products_traded", "product_unknown", "must be names of " + "+".join(PRODUCT_TYPES))
            return ()
        return tuple(name for name in PRODUCT_TYPES if name in names)

    def _split(self, separator: str) -> list[str]:
        value = self._cells["products_traded"]
        return value.split(separator) if value else []

    def _idnorm(self, kind: str, country: str) -> bytes:
        if kind not in DOCUMENT_TYPES:
            self._problem("document_type", "document_type_unknown", "must be one of " + ", ".join(DOCUMENT_TYPES))
            return b""
        try:
            return normalise(kind, country, self._cells["number"], test_network=self._reader.test_network)
        except LianzhengError as error:
            name = "country" if error.code == "identity_country_invalid" else "number"
            self._problem(name, error.code, error.text)
            return b""

    def record(self) -> CustomerRecord | None:
        """The record, or None where this row has a problem."""
        for name, value in self._cells.items():
            if len(value) > CSV_FIELD_CHARS_MAX or not value.isprintable() or value != value.strip():
                self._problem(name, "cell_invalid", "too long, or with blanks at an end or control characters")
        if self._problems:
            return None
        kind, country = self._coded("document_type"), self._coded("country")
        idnorm = b"" if self._problems else self._idnorm(kind, country)
        birth_date, opened_on = self._day("birth_date"), self._day("opened_on")
        if idnorm and birth_date and kind == "RESIDENT_ID" and _birth_digits(idnorm) != birth_date.replace("-", ""):
            self._problem("birth_date", "birth_date_differs", "is not the one inside the identity number")
        if opened_on and opened_on < birth_date:
            self._problem("opened_on", "date_invalid", "lies before the date of birth")
        counts = {
            code: self._default() if name == "default" else self._optional(name, most)
            for name, (code, most) in COUNTS.items()
        }
        record = CustomerRecord(
            idnorm=idnorm,
            document_type=kind,
            country=country,
            number=self._cells["number"],
            name=self._cell("name", lambda v: 1 <= len(v) <= 100, "name_invalid", "must have 1 to 100 characters"),
            birth_date=birth_date,
            opened_on=opened_on,
            financial_assets_yuan=self._amount("financial_assets_yuan", AMOUNT_YUAN_MAX, upwards=False),
            leverage_percent=self._optional("leverage_percent", _LEVERAGE_PERCENT_MAX),
            products_traded=self._products(),
            counts={code: count for code, count in counts.items() if count is not None},
        )
        return None if self._problems else record


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
