"""What is wrong with a source: counted whole, listed up to a bound, never with a value of a row."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError
from lianzheng.limits import CSV_PROBLEMS_MAX

__all__ = ["Problem", "Report"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One reason why a file is refused. In CSV row 1 is the header, in Parquet the first row; column may be empty."""

    row: int
    column: str
    code: str
    text: str

    def __str__(self) -> str:
        place = f"row {self.row}" + (f", column {self.column}" if self.column else "")
        return f"{place}: {self.code}: {self.text}"


@dataclass(slots=True)
class Report:
    """``rows`` of people were read, ``bad`` of them have problems; ``whole`` is why the file cannot be read at all."""

    digest: bytes
    rows: int = 0
    bad: int = 0
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Problems by column and code."""
    first: list[Problem] = field(default_factory=list)
    """The first of them, by row."""
    whole: Problem | None = None

    @property
    def good(self) -> int:
        """Rows without a problem."""
        return self.rows - self.bad

    @property
    def clean(self) -> bool:
        """Nothing is wrong."""
        return self.whole is None and not self.bad

    def add_row(self, problems: list[Problem]) -> None:
        """Count one bad row with all that is wrong with it. Rows may come in any order."""
        self.bad += 1
        for problem in problems:
            self.counts[problem.column, problem.code] += 1
        if len(self.first) < CSV_PROBLEMS_MAX or problems[0].row < self.first[-1].row:
            self.first = sorted((*self.first, *problems), key=lambda problem: problem.row)[:CSV_PROBLEMS_MAX]

    def lines(self) -> list[str]:
        """The report as text: the first problems one a line, then the counts of all where there are more."""
        if self.whole is not None:
            return [str(self.whole)]
        lines = [str(problem) for problem in self.first]
        total = self.counts.total()
        if total > len(lines):
            lines.append(f"(the first {len(lines)} of {total} problems in {self.bad} rows; all of them by column:)")
            for (column, code), count in sorted(self.counts.items()):
                lines.append(f"{column or 'the row'}: {code}: {count}")
        return lines

    def to_json(self) -> JsonObject:
        """The same for programs."""
        return {
            "rows": self.rows,
            "good": 0 if self.whole else self.good,
            "bad": self.bad,
            "sha256": self.digest.hex(),
            "whole": None if self.whole is None else _json(self.whole),
            "counts": [
                {"column": column, "code": code, "count": count}
                for (column, code), count in sorted(self.counts.items())
            ],
            "problems": [_json(problem) for problem in self.first],
        }

    def raise_unless(self, accept_bad: int) -> None:
        """The file is whole and exactly ``accept_bad`` rows are bad.

        Raises ``FormatError``: ``source_refused`` with the report, ``bad_rows_differ``.
        """
        if self.whole is None and self.bad == accept_bad:
            return
        if self.whole is None and accept_bad:
            raise FormatError(
                "bad_rows_differ",
                f"{self.bad} of {self.rows} rows are bad, not the {accept_bad} accepted; nothing was changed.",
                next_step="Check the file again, look at its bad rows, and accept exactly their number.",
            )
        listed = "\n".join(f"  {line}" for line in self.lines())
        step = "Correct the rows named and load the whole file again"
        if self.whole is None and self.good:
            step += f", or load the other {self.good} rows with --accept-bad {self.bad}"
        raise FormatError(
            "source_refused", f"The file was not loaded, nothing was changed:\n{listed}", next_step=step + "."
        )


def _json(problem: Problem) -> JsonObject:
    return {"row": problem.row, "column": problem.column, "code": problem.code, "text": problem.text}
