"""``dataset``: what is wrong with a file is said by row, column and reason; a node that is away is said to be."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from cli_kit import Run
from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.encoding.canonical import decode_object
from lianzheng.identity.idnorm import make_sample_number
from node_kit import make_home
from ports_kit import free_ports

GOOD = {
    "document_type": "RESIDENT_ID",
    "country": "CN",
    "number": make_sample_number(1, "1980-02-29", "female"),
    "name": "赵样本",
    "birth_date": "1980-02-29",
    "opened_on": "2015-01-05",
    "financial_assets_yuan": "250000",
    "leverage_percent": "0",
    "products_traded": "bonds+funds",
    "margin_calls_24m": "0",
    "worst_loss_percent": "10",
    "concentration_percent": "",
    "turnover_percent": "50",
    "default": "0",
}


def other(serial: int, **changes: str) -> dict[str, str]:
    """Another person's row."""
    return GOOD | {"number": make_sample_number(serial, GOOD["birth_date"], "male")} | changes


def write(folder: Path, *rows: dict[str, str], header: str = ",".join(COLUMNS)) -> Path:
    path = folder / "customers.csv"
    path.write_text("\n".join([header, *(",".join(row[name] for name in COLUMNS) for row in rows)]) + "\n", "utf-8")
    return path


def test_a_good_file(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path, GOOD, other(2))
    ended = run("dataset", "check", path, "--test-network")
    assert ended.status == 0
    assert ended.out == f"2 customers, sha256 {hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_sample_people_are_for_test_networks(run: Run, tmp_path: Path) -> None:
    ended = run("dataset", "check", write(tmp_path, GOOD))
    assert ended.status == 1
    assert "row 2, column number: sample_number_on_live_network" in ended.err


@pytest.mark.parametrize(
    ("row", "place", "code"),
    [
        (other(2, number="990101198002290000"), "row 3, column number", "identity_number_invalid"),
        (other(2, number=""), "row 3, column number", "identity_number_invalid"),
        (other(2, financial_assets_yuan="12.5"), "row 3, column financial_assets_yuan", "amount_invalid"),
        (other(2, financial_assets_yuan="-1"), "row 3, column financial_assets_yuan", "amount_negative"),
        (other(2, financial_assets_yuan="1e6"), "row 3, column financial_assets_yuan", "amount_invalid"),
        (other(2, financial_assets_yuan="９"), "row 3, column financial_assets_yuan", "amount_invalid"),
        (other(2, financial_assets_yuan=""), "row 3, column financial_assets_yuan", "amount_invalid"),
        (other(2, worst_loss_percent="101"), "row 3, column worst_loss_percent", "amount_invalid"),
        (other(2, birth_date="1980-02-30"), "row 3, column birth_date", "date_invalid"),
        (other(2, birth_date="1981-02-28"), "row 3, column birth_date", "birth_date_differs"),
        (other(2, opened_on="2999-01-01"), "row 3, column opened_on", "date_invalid"),
        (other(2, products_traded="shares+gold"), "row 3, column products_traded", "product_unknown"),
        (other(2, document_type="LIBRARY_CARD"), "row 3, column document_type", "document_type_unknown"),
        (other(2, name=" 赵"), "row 3, column name", "cell_invalid"),
        (GOOD, "row 3, column number", "customer_duplicate"),
    ],
)
def test_a_bad_row_is_named_by_row_column_and_reason(
    run: Run, tmp_path: Path, row: dict[str, str], place: str, code: str
) -> None:
    ended = run("dataset", "check", write(tmp_path, GOOD, row, other(3)), "--test-network")
    assert ended.status == 1
    assert ended.err.startswith("source_refused: ")
    assert f"  {place}: {code}: " in ended.err
    assert ("\n  row 2" in ended.err) == (code == "customer_duplicate"), "of two rows of one person neither is believed"
    assert "\n  row 4" not in ended.err, "the good rows are not accused"
    assert "→ Correct the rows" in ended.err
    assert GOOD["number"] not in ended.err
    assert not row["number"] or row["number"] not in ended.err


@pytest.mark.parametrize(
    "header",
    [
        ",".join(COLUMNS[:-1]),
        ",".join((*COLUMNS, "more")),
        ",".join((COLUMNS[1], COLUMNS[0], *COLUMNS[2:])),
        ";".join(COLUMNS),
        "\ufeff" + ",".join(COLUMNS),
        "",
    ],
)
def test_a_wrong_header_is_row_1(run: Run, tmp_path: Path, header: str) -> None:
    ended = run("dataset", "check", write(tmp_path, GOOD, header=header), "--test-network")
    assert ended.status == 1
    assert "row 1: csv_header: column " in ended.err
    assert ",".join(COLUMNS) in ended.err


def test_all_bad_rows_are_told_at_once(run: Run, tmp_path: Path) -> None:
    rows = [other(serial, financial_assets_yuan="x") for serial in range(2, 9)]
    assert run("dataset", "check", write(tmp_path, *rows), "--test-network").err.count("amount_invalid") == 7


def test_a_file_that_is_none(run: Run, tmp_path: Path) -> None:
    binary = tmp_path / "binary.csv"
    binary.write_bytes(b"\xff\xfe\x00")
    assert "csv_encoding" in run("dataset", "check", binary).err
    assert "csv_empty" in run("dataset", "check", write(tmp_path)).err
    assert run("dataset", "check", tmp_path / "none.csv").status == 2
    assert run("dataset", "check", tmp_path).status == 2


def test_a_node_that_is_down_is_said_to_be(run: Run, tmp_path: Path) -> None:
    make_home(tmp_path / "home")
    config = tmp_path / "home" / "node.toml"
    text = config.read_text("utf-8")
    config.write_text(text.replace("port = 0", f"port = {free_ports(1)[0]}", 1), "utf-8")
    path = write(tmp_path, GOOD)
    for words in (
        ("load", "customers", path),
        ("open", "customers/wealth/bands"),
        ("publish", "customers", "--title", "x", "--view", "wealth/bands", "--purpose", "suitability-assessment"),
    ):
        ended = run("dataset", *words, "--config", config)
        assert ended.status == 4
        assert ended.err.startswith("node_unreachable: ")
        assert "lianzheng node run" in ended.err


def test_texts_of_others_are_shown_as_they_are(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither colour codes nor rich's markup of an answer reach the terminal."""
    from lianzheng.errors import RefusedError

    def refused(*_: object, **__: object) -> None:
        raise RefusedError("some_code", "\x1b[31m[bold]text[/bold]", next_step="[red]step\x07")

    monkeypatch.setattr("lianzheng.adapters.sources.file.SourceFile.check", refused)
    ended = run("dataset", "check", write(tmp_path, GOOD))
    assert ended.err == "some_code: \ufffd[31m[bold]text[/bold]\n  → [red]step\ufffd\n"


def test_a_file_error_is_no_traceback(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def failed(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("lianzheng.adapters.sources.file.SourceFile.check", failed)
    ended = run("dataset", "check", write(tmp_path, GOOD))
    assert (ended.status, ended.err) == (1, "file_error: /some/file: Permission denied.\n")


def test_advice_says_which_retrieval_is_cheaper(run: Run) -> None:
    few = run("dataset", "advise", "--people", "1000000", "--lookups", "100")
    assert (few.status, few.out.splitlines()[0]) == (0, "cheaper for 100 lookups: pir")
    assert "table: 16.1 MiB once" in few.out
    assert "6.1 MiB once and 36.0 KiB a lookup; moves less up to 284 lookups" in few.out
    many = run("dataset", "advise", "--people", "1000000", "--lookups", "1000", "--json")
    found = decode_object(many.out.strip().encode(), 1000)
    assert (found["cheaper"], found["pir_lookups_max"], found["table_bytes"]) == ("table", 284, 16_908_288)
    assert run("dataset", "advise", "--people", "0", "--lookups", "1").status == 2
