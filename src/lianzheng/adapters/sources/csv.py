"""Rows of a CSV file by RFC 4180, each with its number; memory holds one line at a time.

The standard library's strict reader, not DuckDB's: read in order, DuckDB 2.0 drops what follows an unclosed quote
without a word, and it skips empty lines, so that rows get wrong numbers (ADR 0016).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lianzheng.adapters.sources.mapping import Mapping
from lianzheng.adapters.sources.report import Problem

__all__ = ["SourceUnreadableError", "csv_rows"]

_LINE_BYTES_MAX = 1024 * 1024
"""Far beyond any row; without it a file of one line would be read whole."""


class SourceUnreadableError(Exception):
    """The file cannot be read on from here; no part of it may be loaded."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def csv_rows(path: Path, mapping: Mapping) -> Iterator[list[str]]:
    """The header and then every row, as they stand. Raises ``SourceUnreadableError``, ``OSError``."""
    with path.open("rb") as file:
        lines = _Lines(file, mapping)
        reader = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                text = "quotes or separators do not fit, or a cell never ends"
                raise SourceUnreadableError(Problem(lines.row + 1, "", "csv_malformed", text)) from error
            if cells is None:
                return
            lines.row += 1
            yield cells


class _Lines:
    """Lines of a file as text. Cut at line feeds before decoding: neither encoding has them inside a letter."""

    def __init__(self, file: IO[bytes], mapping: Mapping) -> None:
        self._file = file
        self._encoding = "utf-8" if mapping.encoding == "utf-8-sig" else mapping.encoding
        self._mark = mapping.encoding == "utf-8-sig"
        self.row = 0
        """Rows handed out so far."""

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        line = self._file.readline(_LINE_BYTES_MAX)
        if not line:
            raise StopIteration
        if len(line) == _LINE_BYTES_MAX:
            raise SourceUnreadableError(Problem(self.row + 1, "", "csv_malformed", "a line has more than a mebibyte"))
        try:
            text = line.decode(self._encoding)
        except UnicodeDecodeError as error:
            said = f"the file is not {self._encoding}" if self._encoding != "utf-8" else "the file is not UTF-8"
            raise SourceUnreadableError(Problem(self.row + 1, "", "csv_encoding", said)) from error
        if self._mark:
            self._mark, text = False, text.removeprefix("\ufeff")
        return text
