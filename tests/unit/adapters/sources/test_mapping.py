"""The mapping file: what it may say, what is said of a wrong one, and that no bytes do anything else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.adapters.sources.fields import COLUMNS, OPTIONAL
from lianzheng.adapters.sources.file import SourceFile
from lianzheng.adapters.sources.mapping import DATE_FORMATS, UNITS, Mapping, decode_mapping
from lianzheng.errors import FormatError
from lianzheng.identity.idnorm import make_sample_number
from lianzheng.suitability.customers import CustomerRecord

DAY = "2026-07-01"
BROKER = """
[source]
encoding = "gb18030"
delimiter = ";"
trim = true

[constants]
country = "CN"

[columns]
number = "证件号码"
name = "客户姓名"
document_type = { column = "证件类型", values = { "身份证" = "RESIDENT_ID", "护照" = "PASSPORT" } }
birth_date = { column = "出生日期", format = "YYYYMMDD" }
opened_on = { column = "开户日", format = "YYYY/M/D" }
financial_assets_yuan = { column = "资产(万元)", unit = "万元" }
leverage_percent = { column = "杠杆", unit = "ratio" }
products_traded = { column = "产品", separator = "、", values = { "债券" = "bonds", "股票" = "shares" } }
default = { column = "违约", values = { "是" = "1", "否" = "0", "不详" = "" } }
"""
HEADER = "客户号;证件类型;证件号码;客户姓名;出生日期;开户日;资产(万元);杠杆;产品;违约"


def read(tmp_path: Path, *lines: str, header: str = HEADER, mapping: str = BROKER) -> tuple[SourceFile, list[str]]:
    path = tmp_path / "broker.csv"
    path.write_bytes("\r\n".join([header, *lines, ""]).encode("gb18030"))
    source = SourceFile(path, "csv", decode_mapping(mapping.encode()), as_of=DAY, test_network=True)
    return source, [f"{one.row} {one.column} {one.code}" for one in source.check().first]


def line(serial: int = 1, **changes: str) -> str:
    cells = {
        "客户号": "x",
        "证件类型": "身份证",
        "证件号码": make_sample_number(serial, "1980-05-20", "male"),
        "客户姓名": " 张样本 ",
        "出生日期": "19800520",
        "开户日": "2024/6/3",
        "资产(万元)": "12.34567",
        "杠杆": "0.601",
        "产品": "股票、债券",
        "违约": "否",
    }
    return ";".join((cells | changes).values())


def test_a_brokers_own_export(tmp_path: Path) -> None:
    source, problems = read(tmp_path, line(), line(2, 违约="不详", 产品="", 杠杆=""))
    with source:
        first, second = source.records()
    assert problems == []
    assert (first.name, first.document_type, first.country) == ("张样本", "RESIDENT_ID", "CN")
    assert (first.birth_date, first.opened_on) == ("1980-05-20", "2024-06-03")
    assert first.financial_assets_yuan == 123_456, "12.34567 万元 are 123,456.7 yuan; assets are rounded down"
    assert first.leverage_percent == 61, "0.601 is 60.1 percent; risk is rounded up"
    assert first.products_traded == ("bonds", "shares")
    assert dict(first.counts) == {"I09": 0}
    assert (second.leverage_percent, second.products_traded, dict(second.counts)) == (None, (), {})


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"证件类型": "借书证"}, "证件类型 code_unknown"),
        ({"出生日期": "1980-05-20"}, "出生日期 date_invalid"),
        ({"开户日": "2024/13/1"}, "开户日 date_invalid"),
        ({"资产(万元)": "-1.5"}, "资产(万元) amount_negative"),
        ({"资产(万元)": "1,5"}, "资产(万元) amount_invalid"),
        ({"资产(万元)": "109951162.7776"}, "资产(万元) amount_invalid"),
        ({"产品": "股票、彩票"}, "产品 product_unknown"),
        ({"违约": "也许"}, "违约 code_unknown"),
    ],
)
def test_problems_are_named_by_the_files_own_columns(tmp_path: Path, change: dict[str, str], problem: str) -> None:
    source, problems = read(tmp_path, line(), line(2, **change))
    source.close()
    assert problems == [f"3 {problem}"]


def test_the_most_that_an_amount_may_be(tmp_path: Path) -> None:
    source, problems = read(tmp_path, line(1, **{"资产(万元)": "109951162.7775"}))
    with source:
        assert [record.financial_assets_yuan for record in source.records()] == [2**40 - 1]
    assert problems == []


@pytest.mark.parametrize("header", [HEADER.replace("证件号码", "号码"), HEADER.replace("客户号", "证件号码")])
def test_a_mapped_column_is_there_exactly_once(tmp_path: Path, header: str) -> None:
    source, _ = read(tmp_path, line(), header=header)
    source.close()
    whole = source.report.whole
    assert whole is not None
    assert (whole.row, whole.column, whole.code) == (1, "证件号码", "csv_header")


def test_encodings_are_what_the_mapping_says(tmp_path: Path) -> None:
    source, _ = read(tmp_path, line(), mapping=BROKER.replace("gb18030", "utf-8"))
    source.close()
    assert source.report.whole is not None and source.report.whole.code == "csv_encoding"
    path = tmp_path / "marked.csv"
    path.write_bytes(b"\xef\xbb\xbf" + "\n".join([HEADER, line(), ""]).encode())
    mapping = decode_mapping(BROKER.replace("gb18030", "utf-8-sig").encode())
    with SourceFile(path, "csv", mapping, as_of=DAY, test_network=True) as marked:
        assert marked.check().clean


@pytest.mark.parametrize(
    ("old", "new", "place", "fix"),
    [
        ('"gb18030"', '"latin-1"', "source.encoding", "gb18030"),
        ('";"', '"x"', "source.delimiter", "'|'"),
        ("trim = true", 'trim = "yes"', "source.trim", "true or false"),
        ('country = "CN"', "", "columns.country", "constant"),
        ('country = "CN"', 'country = "CN"\nname = "x"', "constants.name", "Keep one"),
        ('country = "CN"', "country = 1", "constants.country", "in quotes"),
        ('name = "客户姓名"', "name = []", "columns.name", "name ="),
        ('name = "客户姓名"', "name = { }", "columns.name.column", "Name the column"),
        ('name = "客户姓名"', 'name = { column = "x", unit = "fen" }', "columns.name.unit", "column"),
        ('name = "客户姓名"', 'nome = "x"', "columns.nome", "document_type"),
        ('"YYYYMMDD"', '"MMDDYY"', "columns.birth_date.format", "YYYY-MM-DD"),
        ('"万元"', '"dollar"', "columns.financial_assets_yuan.unit", "fen"),
        ('"是" = "1"', '"是" = 1', "columns.default.values", "in quotes"),
        ("[constants]", "[more]\n[constants]", "more", "columns"),
        ("[constants]", "constants", "the file", "guide"),
    ],
)
def test_a_wrong_mapping_names_file_field_and_fix(old: str, new: str, place: str, fix: str) -> None:
    assert old in BROKER
    with pytest.raises(FormatError) as caught:
        decode_mapping(BROKER.replace(old, new, 1).encode(), "broker.toml")
    assert caught.value.code == "mapping_invalid"
    assert caught.value.text.startswith(f"broker.toml: {place} ")
    assert fix in caught.value.next_step


def _try(data: bytes) -> Mapping | None:
    try:
        return decode_mapping(data)
    except FormatError as error:
        assert error.code == "mapping_invalid"
        assert error.next_step
        return None


@given(st.binary(max_size=300))
def test_any_bytes_are_a_mapping_or_refused(data: bytes) -> None:
    assert _try(data) is None, "a mapping needs seven fields; chance does not make one"


@given(st.data())
def test_an_altered_mapping_is_a_mapping_or_refused(data: st.DataObject) -> None:
    raw = bytearray(BROKER.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(raw) - 1))
        raw[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=4))
    found = _try(bytes(raw))
    if found is not None:
        assert set(COLUMNS) - set(OPTIONAL) <= set(found.fields) <= set(COLUMNS)
        for name, field in found.fields.items():
            assert (field.constant is None) == bool(field.column)
            assert field.format in DATE_FORMATS
            assert not field.unit or field.unit in UNITS[name]


@pytest.mark.parametrize("data", [b"[" * 60_000, b"a = " + b"[" * 60_000, b"a." * 30_000 + b"a = 1", b"x" * 65_537])
def test_deep_and_long_mappings_are_refused(data: bytes) -> None:
    assert _try(data) is None


_AMOUNTS = st.tuples(st.integers(0, 10**12), st.integers(0, 9999))


@given(_AMOUNTS)
def test_units_are_exact(amount: tuple[int, int]) -> None:
    """Against rational arithmetic: 万元 with four places are whole yuan; fen round down."""
    from fractions import Fraction

    from lianzheng.adapters.sources.row import RowReader

    whole, part = amount
    for unit, worth in (("万元", Fraction(10_000)), ("fen", Fraction(1, 100)), ("yuan", Fraction(1))):
        text = f"{whole}.{part:04d}"
        expected = int(Fraction(text) * worth)
        mapping = decode_mapping(BROKER.replace('unit = "万元"', f'unit = "{unit}"').encode())
        cells = {
            "document_type": "身份证", "number": make_sample_number(1, "1980-05-20", "male"), "name": "张",
            "birth_date": "19800520", "opened_on": "2024/6/3", "financial_assets_yuan": text,
        }  # fmt: skip
        record, problems = RowReader(mapping, DAY, True).read(2, cells)
        if expected < 2**40:
            assert isinstance(record, CustomerRecord)
            assert record.financial_assets_yuan == expected
        else:
            assert [problem.code for problem in problems] == ["amount_invalid"]
