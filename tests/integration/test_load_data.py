"""The guide on loading data, command by command, against a real node process."""

from __future__ import annotations

import csv
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from arch.source import REPOSITORY
from cli_kit import Run, runner
from lianzheng.clock import SystemClock
from lianzheng.encoding.canonical import decode_object
from lianzheng.identity.idnorm import make_sample_number
from lianzheng.node.setup import create_genesis
from node_kit import CHAIN, make_home
from ports_kit import free_ports

GUIDE = (REPOSITORY / "docs" / "guides" / "load-data.md").read_text("utf-8")
HEADER = ["客户号", "证件号码", "客户姓名", "出生日期", "开户日期", "金融资产(万元)", "负债率", "交易品种", "违约"]
ROWS = 3_000


def snippet(mark: str) -> str:
    found = re.search(rf"<!-- {mark} -->\n```[a-z]*\n(.*?)```\n<!-- /{mark} -->", GUIDE, re.DOTALL)
    assert found is not None, mark
    return found[1]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch)


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A node of one member on a test network; the folder where the operator stands."""
    home = tmp_path / "home"
    card = make_home(home)
    genesis = create_genesis(CHAIN, (card,), b"agreement", {"test_network": 1, "token_version_min": 1}, SystemClock())
    (home / "genesis.json").write_bytes(genesis.to_bytes())
    ports = free_ports(2)
    config = (home / "node.toml").read_text("utf-8")
    for port in ports:
        config = config.replace("port = 0", f"port = {port}", 1)
    (home / "node.toml").write_text(config, "utf-8")
    internal = int(re.search(r"\[internal\].*?port = ([0-9]+)", config, re.DOTALL)[1])  # type: ignore[index]
    monkeypatch.chdir(tmp_path)
    with (tmp_path / "log").open("wb") as log:
        words = [sys.executable, "-m", "lianzheng", "node", "run", "--config", "home/node.toml"]
        process = subprocess.Popen(words, stdout=log, stderr=log)
        try:
            for _ in range(600):
                assert process.poll() is None, (tmp_path / "log").read_text("utf-8")
                with socket.socket() as probe:
                    probe.settimeout(0.1)
                    if probe.connect_ex(("127.0.0.1", internal)) == 0:
                        break
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
            yield tmp_path
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
    assert "张" not in (tmp_path / "log").read_text("utf-8"), "the log names nobody"


def export(folder: Path, bad: int) -> Path:
    """A broker's export whose first rows are bad."""
    path = folder / "export.csv"
    with path.open("w", encoding="gb18030", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for serial in range(1, ROWS + 1):
            assets = "-1" if serial <= bad else "12.5"
            number = make_sample_number(serial, "1980-05-20", "female")
            writer.writerow([serial, number, "张样本", "19800520", "2020/1/5", assets, "0.5", "股票、债券", "否"])
    return path


def test_the_guide_works_as_written(run: Run, node: Path) -> None:
    export(node, 2)
    (node / "mapping.toml").write_text(snippet("mapping"), "utf-8")
    check, load = (shlex.split(snippet(mark))[1:] for mark in ("check", "load"))
    checked = run(*check, "--test-network")
    assert checked.status == 1
    assert "row 2, column 金融资产(万元): amount_negative" in checked.err
    assert "--accept-bad 2" in checked.err
    bad = node / "bad-rows.csv"
    assert stat.S_IMODE(bad.stat().st_mode) == 0o600
    assert [line[:2] for line in bad.read_text("utf-8").splitlines()[1:]] == ["2,", "3,"]
    assert run(*check, "--test-network").err.startswith("export_exists: ")

    without = load[: load.index("--accept-bad")] + load[load.index("--accept-bad") + 2 :]
    refused = run(*without)
    assert (refused.status, refused.err.split(":")[0]) == (1, "source_refused")
    loaded = run(*load)
    assert (loaded.status, loaded.err) == (0, "")
    assert loaded.out.startswith(f"{ROWS - 2} customers in clients, 2 bad rows left out, sha256 ")
    again = run(*load, "--json")
    result = decode_object(again.out.strip().encode(), 10_000)
    assert (result["people"], result["skipped"], result["dataset"]) == (ROWS - 2, 2, "clients")
    export(node, 3)
    assert run(*load).err.startswith("bad_rows_differ: 3 of 3000 rows are bad, not the 2 accepted")
    assert list((node / "home" / "data" / "spool").iterdir()) == []


def test_a_check_for_programs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mapping.toml").write_text(snippet("mapping"), "utf-8")
    path = export(tmp_path, 300)
    words = ("dataset", "check", path, "--mapping", tmp_path / "mapping.toml", "--test-network", "--json")
    ended = run(*words)
    report = decode_object(ended.out.strip().encode(), 100_000)
    assert (ended.status, report["rows"], report["bad"], report["good"]) == (1, ROWS, 300, ROWS - 300)
    assert report["counts"] == [{"column": "金融资产(万元)", "code": "amount_negative", "count": 300}]
    assert len(report["problems"]) == 100
    export(tmp_path, 0)
    assert run(*words).status == 0
    (tmp_path / "mapping.toml").write_text("[columns]\nnumber = 5\n", "utf-8")
    wrong = run(*words)
    problem = decode_object(wrong.err.strip().encode(), 10_000)
    assert (wrong.status, problem["code"]) == (1, "mapping_invalid")
    assert problem["title"] == "mapping.toml: columns.number is neither a text nor a table."


def test_ctrl_c_cancels_the_job(run: Run, node: Path) -> None:
    """The command is interrupted while the node loads: it cancels the job there, and nothing was changed."""
    export(node, 0)
    (node / "mapping.toml").write_text(snippet("mapping"), "utf-8")
    words = [sys.executable, "-m", "lianzheng", *shlex.split(snippet("load"))[1:]]
    words[words.index("--accept-bad") + 1] = "0"
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    spool = node / "home" / "data" / "spool"
    while process.poll() is None and not (spool.is_dir() and list(spool.iterdir())):
        try:
            process.wait(0.02)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert b"Traceback" not in err
    if process.returncode == 0:
        pytest.fail(f"the load was over before it could be interrupted: {out!r}")
    assert process.returncode == 130
    for _ in range(100):
        if not list(spool.iterdir()):
            break
        run("dataset", "advise", "--people", "1", "--lookups", "1")
    assert list(spool.iterdir()) == []
