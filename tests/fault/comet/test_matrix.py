"""A short part of the matrix over four real validators, and a checker that is shown to see what it is for."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tools.checker.comet import main as check

from comet_kit import needs_engine
from fault.comet.kills import kills, truncated
from fault.comet.partitions import deaf, halves
from fault.comet.strangers import astray
from fault.comet.trial import Outcome, Scale, play

pytestmark = [pytest.mark.fault, needs_engine]
_SHORT = Scale(kills=4, hold_s=2.0, patience_s=150)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Folder of a network that went through faults, and how that ended."""
    out = tmp_path_factory.mktemp("comet")
    return out, asyncio.run(play(out, 1, [kills, halves, deaf, truncated], _SHORT))


def test_what_was_acknowledged_outlives_the_faults(network: tuple[Path, Outcome]) -> None:
    _, outcome = network
    assert not outcome.failures, "\n".join(outcome.failures)
    assert len(outcome.notes) >= 6
    assert "0 contradictions" in outcome.report


def test_a_state_machine_that_goes_astray_stops_that_node_alone(tmp_path: Path) -> None:
    outcome = asyncio.run(play(tmp_path, 1, [astray], _SHORT))
    assert not outcome.failures, "\n".join(outcome.failures)
    assert "state_diverged" in outcome.notes[0]
    assert "0 contradictions" in outcome.report


def _sql(home: str, statement: str) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        with sqlite3.connect(out / home / "data" / "ledger.db") as connection:
            assert connection.execute(statement).rowcount > 0, "the damage met nothing"

    return damage


def _line(name: str, **members: object) -> Callable[[Path], None]:
    """The last line of a log says something else."""

    def damage(out: Path) -> None:
        *lines, last = (out / name).read_text().splitlines()
        (out / name).write_text("\n".join([*lines, last, json.dumps(json.loads(last) | members)]) + "\n")

    return damage


def _proof(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        path = max((out / "proofs").glob("*.json"))
        proof = json.loads(path.read_bytes())
        change(proof)
        path.write_text(json.dumps(proof))

    return damage


def _engine(change: Callable[[dict[str, list[dict[str, object]]]], object]) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        path = out / "beta.engine.json"
        said = json.loads(path.read_bytes())
        change(said)
        path.write_text(json.dumps(said))

    return damage


_TWICE = (
    "UPDATE blocks SET (transactions, results) = (SELECT transactions, results FROM blocks WHERE height = {0})"
    " WHERE height = {0} + 1"
)
_NO_RESULTS = "UPDATE blocks SET results = '[]' WHERE height = {}"
_FULL = "(SELECT min(height) FROM blocks WHERE length(transactions) > 0)"
_DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "blocks of a node": (_sql("beta", "DELETE FROM blocks WHERE height >= 4"), "no acknowledged transaction"),
    "a gap": (_sql("beta", "DELETE FROM blocks WHERE height = 3"), "does not follow"),
    "another block": (_sql("gamma", "UPDATE blocks SET hash = zeroblob(32) WHERE height = 2"), "is another block than"),
    "another state": (_sql("gamma", "UPDATE blocks SET app_hash = zeroblob(32) WHERE height = 2"), "another app_hash"),
    "time": (_sql("gamma", "UPDATE blocks SET time_ms = 1 WHERE height = 4"), "time goes back"),
    "accepted twice": (_sql("gamma", _TWICE.format(_FULL)), "was accepted twice"),
    "results": (_sql("alpha", _NO_RESULTS.format(_FULL)), "as many results"),
    "index": (_sql("alpha", "UPDATE transactions SET position = position + 1"), "the index has another place"),
    "genesis": (_sql("alpha", "UPDATE genesis SET digest = zeroblob(32)"), "another genesis"),
    "a receipt of nothing": (_line("acks.log", index=1999), "no acknowledged transaction at"),
    "two receipts": (_line("acks.log"), "two receipts name one place"),
    "a height": (_line("heights.log", height=1), "at 1 after"),
    "a proof's index": (_proof(lambda proof: proof.update(index=proof["log_size"])), "the entry is not in the log"),
    "a proof's root": (_proof(lambda proof: proof.update(log_root="A" * 43)), "the chain's log has another root"),
    "a proof's state": (_proof(lambda proof: proof.update(state_root="A" * 43)), "another application hash"),
    "a proof's signatures": (
        _proof(lambda proof: proof["head"]["commit"].update(signatures=[])),  # type: ignore[index]
        "too little power has signed",
    ),
    "a proof's header": (
        _proof(lambda proof: proof["head"]["header"].update(version_block=12)),  # type: ignore[index]
        "another block stands",
    ),
    "a commit": (_engine(lambda said: said["commits"][1].update(signatures=[])), "too little power"),
    "a commit's block": (
        _engine(lambda said: said["commits"][1].update(height=str(int(str(said["commits"][1]["height"])) + 1))),
        "is of another block",
    ),
    "a header": (_engine(lambda said: said["headers"][1]["header"].update(chain_id="x")), "not that of"),  # type: ignore[attr-defined]
}


@pytest.mark.parametrize("name", _DAMAGE)
def test_the_checker_sees_damage(
    network: tuple[Path, Outcome], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = network
    copy = tmp_path / "copy"
    shutil.copytree(out, copy, ignore=shutil.ignore_patterns("cometbft"))
    claims = copy / "claims.json"
    claims.write_text(claims.read_text("utf-8").replace(str(out), str(copy)))
    damage, said = _DAMAGE[name]
    damage(copy)
    assert check(claims) == 1
    assert said in capsys.readouterr().out


def test_the_checker_is_content_without_damage(network: tuple[Path, Outcome]) -> None:
    assert check(network[0] / "claims.json") == 0
