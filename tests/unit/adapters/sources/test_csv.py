"""CSV source: strict, complete reports without values, all or nothing."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest

from lianzheng.adapters.sources.csv import SourceUnreadableError, csv_rows
from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.adapters.sources.file import SourceFile
from lianzheng.adapters.sources.mapping import EXACT
from lianzheng.adapters.sources.report import Report
from lianzheng.errors import FormatError, NotFoundError
from lianzheng.identity.idnorm import make_sample_number
from lianzheng.suitability.customers import CustomerRecord
from source_kit import row as good_row

DAY = "2026-07-01"
NUMBER = make_sample_number(1, "1980-05-20", "male")
OTHER = make_sample_number(2, "1980-05-20", "female")
GOOD = good_row(1)


def make(*rows: dict[str, str], header: Sequence[str] = COLUMNS) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow([row[column] for column in COLUMNS])
    return out.getvalue().encode()


Parse = Callable[[bytes], tuple[Report, list[CustomerRecord]]]


@pytest.fixture
def parse(tmp_path: Path) -> Parse:
    def run(data: bytes, *, test_network: bool = True) -> tuple[Report, list[CustomerRecord]]:
        path = tmp_path / "customers.csv"
        path.write_bytes(data)
        with SourceFile(path, "csv", as_of=DAY, test_network=test_network) as source:
            report = source.check()
            return report, list(source.records()) if report.whole is None else []

    return run


def test_a_good_row_gives_amounts_and_bands(parse: Parse) -> None:
    report, (record,) = parse(make(GOOD))
    assert report.clean
    assert report.digest == hashlib.sha256(make(GOOD)).digest()
    assert record.amounts(DAY) == {
        "I01": 123_456,
        "I02": 24,
        "I03": 0b101,
        "I04": 60,
        "I05": 1,
        "I07": 80,
        "I09": 0,
        "I17": 46,
    }
    assert record.bands(DAY) == {"I01": 1, "I02": 2, "I03": 3, "I04": 2, "I05": 1, "I07": 3, "I09": 0, "I17": 2}


@pytest.mark.parametrize(
    ("column", "value", "code"),
    [
        ("document_type", "LIBRARY_CARD", "document_type_unknown"),
        ("country", "DE", "identity_country_invalid"),
        ("number", NUMBER[:-1] + ("0" if NUMBER[-1] != "0" else "1"), "identity_number_invalid"),
        ("number", "", "identity_number_invalid"),
        ("name", "", "name_invalid"),
        ("name", "x" * 1001, "cell_invalid"),
        ("name", "a\nb", "cell_invalid"),
        ("birth_date", "1980-05-21", "birth_date_differs"),
        ("birth_date", "1980-02-30", "date_invalid"),
        ("opened_on", "2026-07-02", "date_invalid"),
        ("opened_on", "1979-01-01", "date_invalid"),
        ("opened_on", "20240630", "date_invalid"),
        ("financial_assets_yuan", "-1", "amount_negative"),
        ("leverage_percent", "-0.5", "amount_negative"),
        ("financial_assets_yuan", "1,000", "amount_invalid"),
        ("financial_assets_yuan", "12.5", "amount_invalid"),
        ("financial_assets_yuan", "", "amount_invalid"),
        ("financial_assets_yuan", "007", "amount_invalid"),
        ("financial_assets_yuan", str(2**40), "amount_invalid"),
        ("financial_assets_yuan", "١٢", "amount_invalid"),
        ("leverage_percent", "yes", "amount_invalid"),
        ("products_traded", "bonds+bonds", "product_unknown"),
        ("products_traded", "lottery", "product_unknown"),
        ("worst_loss_percent", "101", "amount_invalid"),
        ("default", "2", "amount_invalid"),
    ],
)
def test_a_bad_cell_names_row_column_and_reason(parse: Parse, column: str, value: str, code: str) -> None:
    good = dict(GOOD, number=OTHER)
    report, records = parse(make(good, dict(GOOD, **{column: value})))
    assert [record.number for record in records] == [OTHER], "the good row can be loaded if the operator says so"
    assert (3, column, code) in [(problem.row, problem.column, problem.code) for problem in report.first]
    assert (report.rows, report.bad) == (2, 1)
    with pytest.raises(FormatError) as caught:
        report.raise_unless(0)
    assert caught.value.code == "source_refused"
    assert "--accept-bad 1" in caught.value.next_step
    assert len(value) < 5 or value not in caught.value.text  # reasons, never values


def test_all_problems_of_a_file_are_reported(parse: Parse) -> None:
    report, _ = parse(make(dict(GOOD, country="DE", financial_assets_yuan="x"), dict(GOOD, name="")))
    assert [problem.row for problem in report.first] == [2, 2, 3]


def test_of_two_rows_of_one_person_neither_is_loaded(parse: Parse) -> None:
    report, records = parse(make(GOOD, dict(GOOD, number=OTHER), dict(GOOD, name="李样本"), dict(GOOD, name="王样本")))
    assert [(problem.row, problem.code) for problem in report.first] == [
        (2, "customer_duplicate"), (4, "customer_duplicate"), (5, "customer_duplicate"),
    ]  # fmt: skip
    assert ["row 5" in report.first[0].text, "row 2" in report.first[1].text, "row 2" in report.first[2].text] == [
        True
    ] * 3
    assert [record.number for record in records] == [OTHER]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make(GOOD, header=[*COLUMNS[:-1], "extra"]), "csv_header"),
        (make(GOOD, header=COLUMNS[1:]), "csv_header"),
        (make(GOOD, header=[*COLUMNS, "more"]), "csv_header"),
        (b"", "csv_header"),
        ("\ufeff".encode() + make(GOOD), "csv_header"),
        (make(), "csv_empty"),
        (make(GOOD) + b'"open\n', "csv_malformed"),
        (b"\xff\xfe" + make(GOOD), "csv_encoding"),
    ],
)
def test_a_file_of_another_form_is_refused_whole(parse: Parse, data: bytes, code: str) -> None:
    report, records = parse(data)
    assert records == []
    assert report.whole is not None and report.whole.code == code
    with pytest.raises(FormatError) as caught:
        report.raise_unless(3)
    assert caught.value.code == "source_refused", "no number of accepted rows loads a file that cannot be read"


def test_what_duckdb_would_drop_in_silence_is_refused(tmp_path: Path) -> None:
    """Why CSV is not read by DuckDB: read in order, in strict mode, rows behind an unclosed quote vanish (ADR 0016)."""
    path = tmp_path / "broken.csv"
    path.write_bytes(b'a,b,c\n1,"2,3\n4,5,6\n')
    options = "header=false, auto_detect=false, delim=',', quote='\"', escape='\"', strict_mode=true, parallel=false"
    relation = f"read_csv($path, columns={{'a': 'VARCHAR', 'b': 'VARCHAR', 'c': 'VARCHAR'}}, {options})"
    found = duckdb.connect().execute(f"SELECT * FROM {relation}", {"path": str(path)}).fetchall()  # noqa: S608
    assert found == [("a", "b", "c")], "if this changes, ADR 0016 can be looked at again"
    with pytest.raises(SourceUnreadableError) as caught:
        list(csv_rows(path, EXACT))
    assert (caught.value.problem.row, caught.value.problem.code) == (2, "csv_malformed")


def test_a_row_of_other_length_is_a_bad_row(parse: Parse) -> None:
    report, records = parse(make(GOOD) + b"a,b\n\n" + make(dict(GOOD, number=OTHER)).split(b"\n", 1)[1])
    assert [(problem.row, problem.code) for problem in report.first] == [(3, "csv_columns"), (4, "csv_columns")]
    assert len(records) == 2


def test_sample_numbers_are_refused_on_live_networks(tmp_path: Path) -> None:
    path = tmp_path / "customers.csv"
    path.write_bytes(make(GOOD))
    with SourceFile(path, "csv", as_of=DAY, test_network=False) as source:
        assert [problem.code for problem in source.check().first] == ["sample_number_on_live_network"]


def test_reports_are_bounded_and_count_everything(parse: Parse) -> None:
    report, _ = parse(make(*[dict(GOOD, name="", default="7")] * 500))
    assert len(report.first) == 100
    assert dict(report.counts) == {("name", "name_invalid"): 500, ("default", "amount_invalid"): 500}
    assert "name: name_invalid: 500" in report.lines()
    assert report.to_json()["bad"] == 500


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError) as caught:
        SourceFile(tmp_path / "none.csv", "csv", as_of=DAY, test_network=True)
    assert caught.value.code == "source_missing"
