"""A handful of kills in CI, and a checker that is shown to see what it is for; ``make soak`` plays the matrix."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fault.scene import Outcome, play

pytestmark = pytest.mark.fault
_ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Folder of a network that was killed again and again, and how that ended."""
    out = tmp_path_factory.mktemp("network")
    return out, asyncio.run(play(out, seed=1, people=8, kills=4))


def test_what_was_acknowledged_outlives_kills(network: tuple[Path, Outcome]) -> None:
    _, outcome = network
    assert not outcome.failures, "\n".join(outcome.failures)
    assert len(outcome.kills) >= 4


def _sql(home: str, database: str, statement: str) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        with sqlite3.connect(out / home / "data" / database) as connection:
            assert connection.execute(statement).rowcount > 0, "the damage met nothing"

    return damage


_DAMAGE: dict[str, tuple[Callable[[Path], None], str]] = {
    "blocks of a node": (
        _sql("broker-b", "ledger.db", "DELETE FROM blocks WHERE height >= 4"),
        "acknowledged transaction at []",
    ),
    "index of transactions": (
        _sql("broker-c", "ledger.db", "UPDATE transactions SET position = position + 1 WHERE height = 2"),
        "the index of transactions",
    ),
    "evidence record": (
        _sql("broker-a", "node.db", "DELETE FROM evidence_record WHERE row = (SELECT max(row) FROM evidence_record)"),
        "records",
    ),
    "anchor forgotten": (
        _sql("broker-a", "node.db", "UPDATE evidence_record SET batch = NULL, batch_index = NULL WHERE row = 1"),
        "in no batch",
    ),
    "use lost": (
        _sql("broker-b", "node.db", "DELETE FROM gate_use"),
        "uses counted",
    ),
    "use counted twice": (_sql("broker-b", "node.db", "UPDATE gate_task SET uses = uses + 1"), "counts"),
    "answer counted twice": (
        _sql("broker-b", "node.db", "UPDATE compute_view_epoch SET answers = answers + 1"),
        "answers, gave",
    ),
    "provider's receipt": (
        _sql("broker-c", "node.db", "DELETE FROM gate_receipt WHERE sequence % 2 = 1"),
        "is not among that provider's",
    ),
    "requester's receipts": (_sql("broker-a", "node.db", "DELETE FROM received_receipt"), "receipts are kept"),
    "consent": (_sql("broker-a", "node.db", "DELETE FROM consent_token WHERE row = 1"), "has other tokens"),
    "epoch": (_sql("broker-b", "node.db", "DELETE FROM compute_view_epoch WHERE epoch = 1"), "acknowledged"),
    "enrolment": (_sql("broker-b", "node.db", "DELETE FROM enrolment_issued"), "enrolment is not kept"),
}


@pytest.mark.parametrize("name", _DAMAGE)
def test_the_checker_sees_damage(network: tuple[Path, Outcome], tmp_path: Path, name: str) -> None:
    out, _ = network
    copy = tmp_path / "copy"
    shutil.copytree(out, copy)
    claims = copy / "claims.json"
    document = json.loads(claims.read_text("utf-8"))
    for member in document["members"]:
        member["home"] = str(copy / Path(member["home"]).name)
    claims.write_text(json.dumps(document), "utf-8")
    damage, said = _DAMAGE[name]
    damage(copy)
    found = subprocess.run(
        [sys.executable, "-m", "tools.checker", str(claims)], cwd=_ROOT, capture_output=True, text=True, check=False
    )
    assert found.returncode == 1, found.stderr
    assert said in found.stdout
