"""CSV source: strict, complete reports without values, all or nothing."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

import pytest

from lianzheng.adapters.sources.csv import COLUMNS, SourceRead, load_csv, parse_csv
from lianzheng.errors import FormatError, NotFoundError
from lianzheng.identity.idnorm import make_sample_number
from lianzheng.suitability.customers import CustomerRecord

DAY = "2026-07-01"
NUMBER = make_sample_number(1, "1980-05-20", "male")
OTHER = make_sample_number(2, "1980-05-20", "female")
GOOD = {
    "document_type": "RESIDENT_ID",
    "country": "CN",
    "number": NUMBER,
    "name": "张样本",
    "birth_date": "1980-05-20",
    "opened_on": "2024-06-30",
    "financial_assets_yuan": "123456",
    "leverage_percent": "60",
    "products_traded": "bonds+shares",
    "margin_calls_24m": "1",
    "worst_loss_percent": "",
    "concentration_percent": "80",
    "turnover_percent": "",
    "default": "0",
}


def make(*rows: dict[str, str], header: Sequence[str] = COLUMNS) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow([row[column] for column in COLUMNS])
    return out.getvalue().encode()


def parse(data: bytes) -> SourceRead:
    return parse_csv(data, as_of=DAY, test_network=True)


class Sink:
    def __init__(self) -> None:
        self.loads: list[tuple[str, int, bytes]] = []

    async def replace_customers(self, dataset: str, records: Sequence[CustomerRecord], digest: bytes) -> None:
        self.loads.append((dataset, len(records), digest))


def test_a_good_row_gives_amounts_and_bands() -> None:
    found = parse(make(GOOD))
    assert found.problems == []
    (record,) = found.records
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
        ("financial_assets_yuan", "-1", "amount_invalid"),
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
def test_a_bad_cell_names_row_column_and_reason(column: str, value: str, code: str) -> None:
    good = dict(GOOD, number=OTHER)
    found = parse(make(good, dict(GOOD, **{column: value})))
    assert found.records == []
    assert (3, column, code) in [(problem.row, problem.column, problem.code) for problem in found.problems]
    with pytest.raises(FormatError) as caught:
        found.raise_if_refused()
    assert caught.value.code == "source_refused"
    assert len(value) < 5 or value not in caught.value.text  # reasons, never values


def test_all_problems_of_a_file_are_reported() -> None:
    found = parse(make(dict(GOOD, country="DE", financial_assets_yuan="x"), dict(GOOD, name="")))
    assert [problem.row for problem in found.problems] == [2, 2, 3]


def test_duplicates_name_both_rows() -> None:
    found = parse(make(GOOD, dict(GOOD, number=OTHER), dict(GOOD, name="李样本")))
    (problem,) = found.problems
    assert (problem.row, problem.code) == (4, "customer_duplicate")
    assert "row 2" in problem.text


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (make(GOOD, header=[*COLUMNS[:-1], "extra"]), "csv_header"),
        (make(GOOD, header=COLUMNS[1:]), "csv_header"),
        (make(GOOD, header=[*COLUMNS, "more"]), "csv_header"),
        (b"", "csv_header"),
        ("\ufeff".encode() + make(GOOD), "csv_header"),
        (make(), "csv_empty"),
        (make(GOOD) + b"a,b\n", "csv_columns"),
        (make(GOOD) + b'"open\n', "csv_malformed"),
        (b"\xff\xfe" + make(GOOD), "csv_encoding"),
    ],
)
def test_a_file_of_another_form_is_refused(data: bytes, code: str) -> None:
    found = parse(data)
    assert found.records == []
    assert [problem.code for problem in found.problems] == [code]


def test_sample_numbers_are_refused_on_live_networks() -> None:
    found = parse_csv(make(GOOD), as_of=DAY, test_network=False)
    assert [problem.code for problem in found.problems] == ["sample_number_on_live_network"]


def test_reports_are_bounded() -> None:
    found = parse(make(*[dict(GOOD, name="")] * 500))
    assert len(found.problems) == 100


async def test_load_is_all_or_nothing(tmp_path: Path) -> None:
    sink, path = Sink(), tmp_path / "customers.csv"
    path.write_bytes(make(GOOD, dict(GOOD, number=OTHER, financial_assets_yuan="x")))
    with pytest.raises(FormatError):
        await load_csv(path, sink, "retail", as_of=DAY, test_network=True)
    assert sink.loads == []
    path.write_bytes(make(GOOD))
    found = await load_csv(path, sink, "retail", as_of=DAY, test_network=True)
    assert sink.loads == [("retail", 1, found.digest)]
    with pytest.raises(NotFoundError):
        await load_csv(tmp_path / "none.csv", sink, "retail", as_of=DAY, test_network=True)
