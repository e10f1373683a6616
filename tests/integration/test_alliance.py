"""Two founders run a network; a third institution applies, is assessed, voted in, joins with its node, and speaks."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cli_kit import Ended, Run, runner
from lianzheng.clock import SystemClock, day_of
from lianzheng.encoding.canonical import decode_object
from lianzheng.identity.idnorm import make_sample_uscc
from ports_kit import free_ports

CHAIN = "test-alliance"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    return runner(capsys, monkeypatch)


@contextmanager
def node(home: Path) -> Iterator[None]:
    """A node process of its own."""
    command = [sys.executable, "-m", "lianzheng", "node", "run", "--config", str(home / "node.toml")]
    with (home.parent / f"{home.name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(20)


def answered(run: Run, *arguments: object) -> dict[str, Any]:
    """JSON of a command that must succeed; a node that is not up yet, or behind, is asked again."""
    ended = Ended(1, "", "")
    for _ in range(400):
        ended = run(*arguments, "--json")
        if ended.status == 0:
            return decode_object(ended.out.encode().strip(), 10_000_000)
        if not any(code in ended.err for code in ("node_unreachable", "ledger_unavailable", "motion_unknown")):
            break
        time.sleep(0.05)  # real processes on real sockets: there is no clock to turn
    raise AssertionError(ended.err)


def test_a_third_institution_comes_in_and_takes_part(run: Run, tmp_path: Path) -> None:
    ports = free_ports(6)
    homes = []
    for number, name in enumerate(("a", "b", "c")):
        homes.append(tmp_path / name)
        ended = run(
            *("init", "member", "--dir", homes[-1], "--chain-id", CHAIN, "--name", f"样本证券{name}"),
            *("--uscc", make_sample_uscc(number + 1), "--control-group", f"group-{name}"),
            *("--internal-port", ports[2 * number], "--peer-port", ports[2 * number + 1]),
        )
        assert ended.status == 0, ended.err
    a, b, c = homes
    paper = tmp_path / "paper.txt"
    paper.write_text("the paper\n")
    genesis = tmp_path / "genesis.json"
    cards = [word for home in (a, b) for word in ("--member", home / "member.json")]
    made = run("init", "network", "--chain-id", CHAIN, *cards, "--agreement", paper, "--out", genesis)
    assert made.status == 0, made.err
    for home in homes:
        (home / "genesis.json").write_bytes(genesis.read_bytes())
    at = {home: ("--config", home / "node.toml") for home in homes}

    with node(a), node(b):
        signed = run("init", "application", *at[c], "--genesis", genesis, "--materials", paper, "--out", c / "app.json")
        assert signed.status == 0, signed.err
        did = answered(run, "alliance", "apply", c / "app.json", *at[a])["result"]["data"]["member"]
        day = day_of(SystemClock().now_ms())
        for home, kind in ((a, "institution"), (b, "technology")):
            answered(run, "alliance", "assess", did, kind, "--document", paper, "--day", day, *at[home])
        (motion,) = answered(run, "alliance", "motions", *at[a])["motions"]
        assert (motion["kind"], motion["yes"]) == ("member.admit", [])
        assert answered(run, "alliance", "vote", motion["motion"], "yes", *at[a])["result"]["data"]["status"] == "open"
        again = run("alliance", "vote", motion["motion"], "yes", *at[a])
        assert (again.status, "group_has_voted" in again.err) == (1, True)
        last = answered(run, "alliance", "vote", motion["motion"], "yes", *at[b])
        assert last["result"]["data"]["status"] == "carried"

        with node(c):
            answered(run, "alliance", "sign", *at[c])
            # Now three groups vote: two are no more than two thirds.
            opened = answered(run, "alliance", "propose", "motion_days", 20, *at[c])
            name = opened["result"]["data"]["motion"]
            assert answered(run, "alliance", "vote", name, "yes", *at[a])["result"]["data"]["status"] == "open"
            assert answered(run, "alliance", "vote", name, "yes", *at[b])["result"]["data"]["status"] == "carried"
            shown = run("alliance", "members", *at[c])
            assert shown.status == 0 and shown.out.count("active") == 3
            listed = answered(run, "alliance", "parameters", *at[b])["parameters"]
            assert next(one["value"] for one in listed if one["name"] == "motion_days") == 20
        wrong = run("alliance", "propose", "motion_days", 900, *at[a])
        assert (wrong.status, "parameter_out_of_bounds" in wrong.err) == (1, True)
