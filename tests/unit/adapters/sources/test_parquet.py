"""Parquet through DuckDB: typed columns, damaged files, and a DuckDB that reaches nothing else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import duckdb
import pytest

from lianzheng.adapters.sources.duck import Workbench
from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.adapters.sources.file import SourceFile, format_of
from lianzheng.adapters.sources.mapping import decode_mapping
from lianzheng.errors import ConflictError
from source_kit import DAY, row, write

TYPED = """
[constants]
document_type = "RESIDENT_ID"
country = "CN"
[columns]
number = "id"
name = "name"
birth_date = "born"
opened_on = { column = "opened", format = "YYYY-MM-DD hh:mm:ss" }
financial_assets_yuan = { column = "assets", unit = "yuan" }
default = { column = "defaulted", values = { true = "1", false = "0" } }
"""


def to_parquet(path: Path, query: str) -> Path:
    duckdb.connect().execute(f"COPY ({query}) TO '{path}' (FORMAT parquet)")
    return path


def plain(tmp_path: Path, *rows: dict[str, str]) -> Path:
    path = write(tmp_path / "plain.csv", rows)
    return to_parquet(tmp_path / "plain.parquet", f"SELECT * FROM read_csv('{path}', all_varchar=true)")  # noqa: S608


def test_rows_are_those_of_the_same_csv(tmp_path: Path) -> None:
    path = plain(tmp_path, row(1), row(2, worst_loss_percent="7"))
    assert format_of(path) == "parquet"
    with SourceFile(path, "parquet", as_of=DAY, test_network=True) as source:
        assert source.check().clean
        records = list(source.records())
    with SourceFile(tmp_path / "plain.csv", "csv", as_of=DAY, test_network=True) as source:
        source.check()
        assert list(source.records()) == records


def test_typed_columns_through_a_mapping(tmp_path: Path) -> None:
    number = row(1)["number"]
    path = to_parquet(
        tmp_path / "typed[1]*.parquet",
        f"SELECT '{number}' AS id, '张样本' AS name, DATE '1980-05-20' AS born, "
        "TIMESTAMP '2024-06-30 10:00:00' AS opened, "
        "1234.99::DECIMAL(18, 2) AS assets, true AS defaulted, 42 AS unmapped",
    )
    with SourceFile(path, "parquet", decode_mapping(TYPED.encode()), as_of=DAY, test_network=True) as source:
        assert source.check().clean, source.report.lines()
        (record,) = source.records()
    assert (record.birth_date, record.opened_on) == ("1980-05-20", "2024-06-30")
    assert (record.financial_assets_yuan, dict(record.counts)) == (1234, {"I09": 1})


def test_bad_rows_are_counted_from_1_and_exported_with_reasons(tmp_path: Path) -> None:
    path = plain(tmp_path, row(1), row(2, financial_assets_yuan="-3", country="DE"), row(3), row(1, name="另"))
    target = tmp_path / "bad.csv"
    with SourceFile(path, "parquet", as_of=DAY, test_network=True) as source:
        report = source.check()
        assert source.export_bad(target) == report.bad == 3
        with pytest.raises(ConflictError) as caught:
            source.export_bad(target)
        assert len(list(source.records())) == 1
    assert caught.value.code == "export_exists"
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    lines = target.read_text("utf-8").splitlines()
    assert lines[0] == "row,problem_columns,problem_codes," + ",".join(COLUMNS)
    assert lines[2].startswith(
        "2,country; financial_assets_yuan,identity_country_invalid; amount_negative,RESIDENT_ID,DE,"
    )
    assert [line.split(",")[0] for line in lines[1:]] == ["1", "2", "4"]
    assert row(2)["number"] not in "\n".join(report.lines())


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("SELECT 1 AS id", "parquet_header"),
        ("SELECT [1, 2] AS document_type", "parquet_type"),
        ("SELECT {'a': 1} AS document_type", "parquet_type"),
        ("SELECT 'x'::BLOB AS document_type", "parquet_type"),
    ],
)
def test_files_of_other_columns_are_refused_whole(tmp_path: Path, query: str, code: str) -> None:
    path = to_parquet(tmp_path / "x.parquet", query)
    with SourceFile(path, "parquet", as_of=DAY, test_network=True) as source:
        whole = source.check().whole
    assert whole is not None
    assert whole.code == code


def test_damaged_files_are_refused_without_their_content(tmp_path: Path) -> None:
    """Bytes all over the file: the file is refused, or is still rows that pass or fail one by one."""
    path = plain(tmp_path, row(1), row(2))
    good = path.read_bytes()
    (tmp_path / "none.parquet").write_bytes(b"")
    for at in range(0, len(good), max(1, len(good) // 15)):
        bad = tmp_path / "damaged.parquet"
        bad.write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        with SourceFile(bad, "parquet", as_of=DAY, test_network=True) as source:
            text = "\n".join(source.check().lines())
        assert row(1)["number"] not in text
    for data in (b"", b"PAR1", good[: len(good) // 2], b"a,b\n1,2\n"):
        bad.write_bytes(data)
        with SourceFile(bad, "parquet", as_of=DAY, test_network=True) as source:
            whole = source.check().whole
        assert whole is not None and whole.code == "parquet_malformed"


def test_duckdb_is_locked_in(tmp_path: Path) -> None:
    path = plain(tmp_path, row(1))
    (tmp_path / "other.csv").write_text("secret\n1\n", "utf-8")
    with Workbench(path) as bench:
        cursor = bench.cursor()
        for query in (
            f"SELECT * FROM read_csv('{tmp_path / 'other.csv'}')",  # noqa: S608
            f"SELECT * FROM read_parquet('{tmp_path}/*.parquet')",  # noqa: S608
            "SELECT * FROM read_text('/etc/hostname')",
            f"COPY (SELECT 1) TO '{tmp_path / 'out.csv'}'",
            f"ATTACH '{tmp_path / 'x.db'}'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SELECT * FROM 'https://example.org/x.parquet'",
            "SET enable_external_access = true",
            "SET memory_limit = '100GB'",
            "SET autoinstall_known_extensions = true",
        ):
            with pytest.raises(duckdb.Error):
                cursor.execute(query)
        settings = dict(cursor.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert settings["threads"] == "1"
    assert settings["autoload_known_extensions"] == settings["autoinstall_known_extensions"] == "false"
    assert settings["enable_external_access"] == "false"
    assert settings["memory_limit"].endswith("MiB") and float(settings["memory_limit"].split()[0]) <= 256
    assert not [name for name in os.listdir(tmp_path) if name in ("out.csv", "x.db")]
    assert not Path(settings["temp_directory"]).parent.exists(), "the scratch folder is gone"
