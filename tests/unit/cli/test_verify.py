"""``verify``: one exit status a verdict, for people and for machines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bundle_kit import as_json, valid
from cli_kit import Run
from lianzheng.encoding.canonical import encode, parse
from witness_kit import REGULATOR, B, scene

DAY = "2026-12-31"
"""Within a year of the bundle's records, whenever the tests run."""


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    bundle, trust = tmp_path / "case.bundle.json", tmp_path / "network.trust.json"
    for path, data in zip((bundle, trust), valid(), strict=True):
        path.write_bytes(data)
    return bundle, trust


def test_accepted_is_0(run: Run, files: tuple[Path, Path]) -> None:
    ended = run("verify", files[0], "--trust", files[1], "--as-of", DAY)
    assert ended.status == 0
    assert ended.out.startswith("VALID")
    report = run("verify", files[0], "--trust", files[1], "--as-of", DAY, "--json")
    found = parse(report.out.encode())
    assert report.status == 0
    assert (found["verdict"], found["records"]) == ("valid", 3)
    assert set(found) == {"verdict", "chain_id", "case_id", "institution", "records", "head_height"}


def test_what_is_older_than_a_year_needs_a_checkpoint(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    """EV-6; the records are of September 2026."""
    ended = run("verify", files[0], "--trust", files[1], "--as-of", "2028-01-01", "--json")
    assert (ended.status, parse(ended.out.encode())["code"]) == (1, "checkpoint_required")
    under, trust = tmp_path / "under.bundle.json", tmp_path / "witnesses.trust.json"
    under.write_bytes(scene().bundle)
    trust.write_bytes(scene().believing(REGULATOR, B, least=2))
    ended = run("verify", under, "--trust", trust, "--as-of", "2028-01-01")
    assert ended.status == 0
    assert "cosigned by b, regulator" in ended.out
    assert run("verify", under, "--trust", files[1], "--as-of", "2028-01-01").status == 1
    assert run("verify", under).status == 3
    for day in ("2028-13-01", "2028-1-1", "tomorrow", "٢٠٢٨-01-01"):
        assert run("verify", under, "--as-of", day).status == 2


def test_without_trust_it_is_3(run: Run, files: tuple[Path, Path]) -> None:
    ended = run("verify", files[0])
    assert ended.status == 3
    assert ended.out.startswith("CONSISTENT BUT UNANCHORED")
    report = run("verify", files[0], "--json")
    assert (report.status, parse(report.out.encode())["verdict"]) == (3, "unanchored")


@pytest.mark.parametrize("trusted", [True, False])
def test_refused_is_1_with_the_reason(run: Run, files: tuple[Path, Path], trusted: bool) -> None:
    bundle, trust = files
    arguments = ("--trust", trust) if trusted else ()
    data = bytearray(bundle.read_bytes())
    for change in (data[:-1], data + b"\n", b"", b"{}", b"\xff" * 100):
        bundle.write_bytes(change)
        ended = run("verify", bundle, *arguments)
        assert ended.status == 1
        assert ended.out.startswith("REFUSED (")
        report = run("verify", bundle, *arguments, "--json")
        found = parse(report.out.encode())
        assert (report.status, found["verdict"]) == (1, "refused")
        assert f"REFUSED ({found['code']}): {found['text']}" == ended.out.splitlines()[0]


def test_another_networks_trust_file_is_1(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    other = tmp_path / "other.trust.json"
    other.write_bytes(valid("another-net")[1])
    assert run("verify", files[0], "--trust", other).status == 1
    other.write_bytes(b"not a trust file")
    assert run("verify", files[0], "--trust", other).status == 1


def test_wrong_usage_is_2(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    """A path that leads nowhere says nothing about any evidence."""
    for words in (
        (),
        (tmp_path / "none.json",),
        (tmp_path,),
        (files[0], "--trust", tmp_path / "none.json"),
        (files[0], "--trust"),
        (files[0], files[1]),
    ):
        assert run("verify", *words).status == 2


def test_a_name_in_a_bundle_cannot_draw_on_the_terminal(run: Run, files: tuple[Path, Path], tmp_path: Path) -> None:
    """Escape sequences could move the cursor over the verdict; even a refusal quotes nothing raw."""
    document = as_json()
    document["institution"] = "\x1b[2J\x1b[HVALID\r"
    (tmp_path / "evil.json").write_bytes(encode(document))
    for words in ((), ("--trust", files[1])):
        ended = run("verify", tmp_path / "evil.json", *words)
        assert "\x1b" not in ended.out and "\r" not in ended.out
