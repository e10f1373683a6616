"""DuckDB, locked in: it sees one source and its own scratch folder, bounded in memory, and fetches nothing."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import tempfile
from array import array
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import numpy

from lianzheng.adapters.sources.csv import SourceUnreadableError
from lianzheng.adapters.sources.report import Problem
from lianzheng.limits import SOURCE_COLUMNS_MAX, SOURCE_MEMORY_MB_MAX

__all__ = ["Doubles", "Workbench"]

_FETCH = 2_000
_KEYS = 50_000
_SCALAR = ("BOOLEAN", "DATE", "DECIMAL", "DOUBLE", "FLOAT", "TIMESTAMP", "VARCHAR", "ENUM", "NULL")
"""Types that have one written form; with the integers below."""


class Workbench:
    """One DuckDB in memory for one source; what does not fit goes to ``folder``, and is gone at the end."""

    def __init__(self, source: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="lianzheng-source-"))  # mode 0700
        # Under a name of ours: DuckDB takes `*`, `?` and `[` in a path for patterns.
        self._source = self._folder / "source.parquet"
        self._source.symlink_to(source.resolve())
        scratch = self._folder / "scratch"
        self._database = duckdb.connect(
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "allow_community_extensions": "false",
                "allow_persistent_secrets": "false",
                "memory_limit": f"{SOURCE_MEMORY_MB_MAX}MB",
                "threads": "1",
                "temp_directory": str(scratch),
                "max_temp_directory_size": "8GB",
            }
        )
        self._database.execute("SET allowed_paths = [$path]", {"path": str(self._source)})
        self._database.execute("SET allowed_directories = [$path]", {"path": str(scratch)})
        self._database.execute("SET enable_external_access = false")
        self._database.execute("SET lock_configuration = true")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Connection and scratch folder are gone."""
        self._database.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A connection of its own to the same database."""
        return self._database.cursor()

    def parquet_columns(self) -> list[str]:
        """Names of the columns, as they stand. Raises ``SourceUnreadableError``."""
        with _reading(0):
            described = self.cursor().execute("DESCRIBE SELECT * FROM read_parquet($path)", self._path()).fetchall()
        if len(described) > SOURCE_COLUMNS_MAX:
            raise SourceUnreadableError(Problem(0, "", "parquet_header", f"more than {SOURCE_COLUMNS_MAX} columns"))
        for name, kind, *_ in described:
            if not (kind.startswith(_SCALAR) or kind.endswith("INT") or kind == "INTEGER") or kind.endswith("[]"):
                text = f"has the type {kind.split('(')[0]}, which is no single value"
                raise SourceUnreadableError(Problem(0, str(name), "parquet_type", text))
        return [str(name) for name, *_ in described]

    def parquet_rows(self, columns: list[str]) -> Iterator[list[str]]:
        """Every row's cells of these columns as text, an absent value as an empty one.

        Raises ``SourceUnreadableError``.
        """
        chosen = ", ".join(f"coalesce(CAST({_quoted(name)} AS VARCHAR), '')" for name in columns)
        done = 0
        with _reading(done):
            cursor = self.cursor().execute(f"SELECT {chosen} FROM read_parquet($path)", self._path())  # noqa: S608
        while True:
            with _reading(done):
                rows = cursor.fetchmany(_FETCH)
            if not rows:
                return
            done += len(rows)
            yield from (list(row) for row in rows)

    def _path(self) -> dict[str, str]:
        return {"path": str(self._source)}


class Doubles:
    """Finds whoever stands in a source twice, in bounded memory. Keys are hashed under a secret of this object."""

    def __init__(self, bench: Workbench) -> None:
        self._cursor = bench.cursor()
        self._bench = bench
        self._cursor.execute("CREATE TABLE keys (row UBIGINT, a UBIGINT, b UBIGINT)")
        self._secret = secrets.token_bytes(32)
        self._rows = array("Q")
        self._keys = bytearray()

    def add(self, row: int, idnorm: bytes) -> None:
        """A person stands in a row."""
        self._rows.append(row)
        self._keys += hashlib.blake2b(idnorm, digest_size=16, key=self._secret).digest()
        if len(self._rows) >= _KEYS:
            self._flush()

    def settle(self) -> int:
        """No more rows follow; how many rows name a person that another names too."""
        self._flush()
        self._cursor.execute(
            "CREATE TABLE doubles AS SELECT k.row AS row, CASE WHEN k.row = g.low THEN g.high ELSE g.low END AS other "
            "FROM keys k JOIN (SELECT a, b, min(row) AS low, max(row) AS high FROM keys GROUP BY a, b "
            "HAVING count(*) > 1) g ON k.a = g.a AND k.b = g.b"
        )
        self._cursor.execute("DROP TABLE keys")
        counted = self._cursor.execute("SELECT count(*) FROM doubles").fetchone()
        return 0 if counted is None else int(counted[0])

    def rows(self) -> Iterator[tuple[int, int]]:
        """Each such row with another row of the same person, by row; for the first it is the last, else the first."""
        found = self._bench.cursor().execute("SELECT row, other FROM doubles ORDER BY row")
        while rows := found.fetchmany(_FETCH):
            yield from ((int(row), int(other)) for row, other in rows)

    def _flush(self) -> None:
        if not self._rows:
            return
        keys = numpy.frombuffer(bytes(self._keys), dtype="<u8").reshape(-1, 2)
        table = {"row": numpy.array(self._rows, dtype="u8"), "a": keys[:, 0].copy(), "b": keys[:, 1].copy()}
        self._cursor.register("batch", table)
        self._cursor.execute("INSERT INTO keys SELECT row, a, b FROM batch")
        self._cursor.unregister("batch")
        self._rows, self._keys = array("Q"), bytearray()


class _reading:  # noqa: N801
    """Turns DuckDB's errors, whose texts quote the file, into the place where it stopped."""

    def __init__(self, done: int) -> None:
        self._done = done

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, duckdb.Error | RuntimeError | UnicodeDecodeError):
            text = "the file is no Parquet file, or is damaged from here on"
            raise SourceUnreadableError(Problem(self._done + 1, "", "parquet_malformed", text)) from None


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
