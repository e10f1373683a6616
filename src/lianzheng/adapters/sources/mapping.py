"""The mapping file: which column of a broker's own export holds which field, in which unit and form (TOML).

A mapping only renames and rescales; what a field may hold is checked in ``row`` as for a file without one.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping as Table
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from lianzheng.adapters.sources.fields import COLUMNS, OPTIONAL
from lianzheng.errors import FormatError
from lianzheng.limits import MAPPING_BYTES_MAX, MAPPING_VALUES_MAX

__all__ = ["DATE_FORMATS", "EXACT", "UNITS", "Encoding", "FieldMapping", "Mapping", "decode_mapping"]

Encoding = Literal["utf-8", "utf-8-sig", "gb18030"]
DATE_FORMATS = ("YYYY-MM-DD", "YYYYMMDD", "YYYY/M/D", "YYYY年M月D日", "D/M/YYYY", "YYYY-MM-DD hh:mm:ss")
UNITS: Table[str, Table[str, tuple[int, int]]] = {
    "financial_assets_yuan": {"yuan": (1, 1), "fen": (1, 100), "万元": (10_000, 1)},
    "leverage_percent": {"percent": (1, 1), "ratio": (100, 1)},
    "worst_loss_percent": {"percent": (1, 1), "ratio": (100, 1)},
    "concentration_percent": {"percent": (1, 1), "ratio": (100, 1)},
    "turnover_percent": {"percent": (1, 1), "ratio": (100, 1)},
}
"""By field: what one unit is worth, as a fraction of the field's own."""
_DATES = ("birth_date", "opened_on")
_CODED = ("document_type", "country", "products_traded", "default")
_DELIMITERS = (",", ";", "|", "\t")
_CHARS_MAX = 200


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """Where one field comes from: a column, or a constant."""

    column: str = ""
    constant: str | None = None
    unit: str = ""
    format: str = "YYYY-MM-DD"
    separator: str = "+"
    values: Table[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A decoded mapping file. ``exact``: the file's header must be ``COLUMNS`` and nothing else."""

    fields: Table[str, FieldMapping]
    encoding: Encoding = "utf-8"
    delimiter: str = ","
    trim: bool = False
    exact: bool = field(default=False)

    def column_of(self, name: str) -> str:
        """What a report calls the field: its column in the file, or its own name where it is a constant."""
        found = self.fields.get(name)
        return found.column if found is not None and found.column else name


EXACT = Mapping({name: FieldMapping(column=name) for name in COLUMNS}, exact=True)
"""Without a mapping file: the columns, units and forms of ``docs/spec/sources.md``."""


def decode_mapping(data: bytes, file: str = "mapping") -> Mapping:
    """The mapping of a file's bytes. Raises ``FormatError`` ``mapping_invalid``: it names file, field and fix."""
    if len(data) > MAPPING_BYTES_MAX:
        raise _wrong(file, "the file", f"has more than {MAPPING_BYTES_MAX} bytes", "Leave out what is no mapping.")
    try:
        document = tomllib.loads(data.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _wrong(file, "the file", "is not UTF-8", "Save it as UTF-8; its texts may name any column.") from error
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise _wrong(file, "the file", "is not TOML", "Compare it with the example in the guide.") from error
    return _Decoder(file).mapping(document)


class _Decoder:
    def __init__(self, file: str) -> None:
        self._file = file

    def mapping(self, document: Table[str, Any]) -> Mapping:
        self._only(document, ("source", "constants", "columns"), "")
        source = self._table(document, "source")
        self._only(source, ("encoding", "delimiter", "trim"), "source.")
        encoding = self._choice(source, "source", "encoding", get_args(Encoding), "utf-8")
        delimiter = self._choice(source, "source", "delimiter", _DELIMITERS, ",")
        trim = source.get("trim", False)
        if type(trim) is not bool:
            raise self._wrong("source.trim", "is neither true nor false", "Write true or false.")
        columns, constants = self._table(document, "columns"), self._table(document, "constants")
        self._only(columns, COLUMNS, "columns.")
        self._only(constants, COLUMNS, "constants.")
        fields = {name: self._field(name, entry) for name, entry in columns.items()}
        for name, value in constants.items():
            if name in fields:
                raise self._wrong(f"constants.{name}", "stands under [columns] too", "Keep one of the two.")
            fields[name] = FieldMapping(constant=self._text(f"constants.{name}", value))
        missing = [name for name in COLUMNS if name not in fields and name not in OPTIONAL]
        if missing:
            raise self._wrong(f"columns.{missing[0]}", "is missing", "Name its column there, or its constant.")
        return Mapping(fields, encoding, delimiter, trim)

    def _field(self, name: str, entry: Any) -> FieldMapping:
        place = f"columns.{name}"
        if isinstance(entry, str):
            entry = {"column": entry}
        if not isinstance(entry, dict):
            raise self._wrong(place, "is neither a text nor a table", f'Write {name} = "column of the file".')
        self._only(entry, ("column", *self._options(name)), f"{place}.")
        if "column" not in entry:
            raise self._wrong(f"{place}.column", "is missing", "Name the column of the file.")
        return FieldMapping(
            column=self._text(f"{place}.column", entry["column"]),
            unit=self._choice(entry, place, "unit", tuple(UNITS.get(name, {"": 0})), ""),
            format=self._choice(entry, place, "format", DATE_FORMATS, DATE_FORMATS[0]),
            separator=self._choice(entry, place, "separator", ("+", ";", "|", ",", "、", "/", " "), "+"),
            values=self._values(place, entry.get("values")),
        )

    @staticmethod
    def _options(name: str) -> tuple[str, ...]:
        """What may stand beside the column, by the kind of field."""
        options: tuple[str, ...] = ("unit",) if name in UNITS else ("format",) if name in _DATES else ()
        options += ("values",) if name in _CODED else ()
        return (*options, "separator") if name == "products_traded" else options

    def _values(self, place: str, values: Any) -> Table[str, str] | None:
        if values is None:
            return None
        if not isinstance(values, dict) or not 1 <= len(values) <= MAPPING_VALUES_MAX:
            raise self._wrong(f"{place}.values", f"is no table of 1 to {MAPPING_VALUES_MAX} entries", "Write one.")
        return {key: self._text(f"{place}.values", value, empty=True) for key, value in values.items()}

    def _text(self, place: str, value: Any, *, empty: bool = False) -> str:
        if not isinstance(value, str) or not (empty or value) or len(value) > _CHARS_MAX or not value.isprintable():
            raise self._wrong(place, f"is no text of 1 to {_CHARS_MAX} printable characters", "Write it in quotes.")
        return value

    def _choice(self, table: Table[str, Any], place: str, name: str, choices: tuple[str, ...], default: str) -> Any:
        value = table.get(name, default)
        if value != default and value not in choices:
            raise self._wrong(f"{place}.{name}", "is not known", "Take one of: " + ", ".join(map(repr, choices)) + ".")
        return value

    def _table(self, document: Table[str, Any], name: str) -> Table[str, Any]:
        found = document.get(name, {})
        if not isinstance(found, dict):
            raise self._wrong(name, "is no table", f"Begin it with [{name}].")
        return found

    def _only(self, table: Table[str, Any], names: tuple[str, ...], prefix: str) -> None:
        for name in table:
            if name not in names:
                shown = name if name.isprintable() and len(name) <= _CHARS_MAX else "a name"
                raise self._wrong(f"{prefix}{shown}", "is not known here", "Take one of: " + ", ".join(names) + ".")

    def _wrong(self, place: str, what: str, fix: str) -> FormatError:
        return _wrong(self._file, place, what, fix)


def _wrong(file: str, place: str, what: str, fix: str) -> FormatError:
    return FormatError("mapping_invalid", f"{file}: {place} {what}.", next_step=fix)
