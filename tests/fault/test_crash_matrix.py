"""A handful of kills in CI, and a checker that is shown to see what it is for; ``make soak`` plays the matrix."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest
from tools.checker.__main__ import main as check
from tools.checker.acts import check_tasks
from tools.checker.basics import Findings
from tools.checker.chain import Chain, Entry

from fault.scene import Outcome, play

pytestmark = pytest.mark.fault


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    """Folder of a network that was killed again and again, and how that ended."""
    out = tmp_path_factory.mktemp("network")
    return out, asyncio.run(play(out, seed=1, people=6, kills=3))


def test_what_was_acknowledged_outlives_kills(network: tuple[Path, Outcome]) -> None:
    _, outcome = network
    assert not outcome.failures, "\n".join(outcome.failures)
    assert len(outcome.kills) >= 6


def _sql(home: str, database: str, statement: str) -> Callable[[Path], None]:
    def damage(out: Path) -> None:
        with sqlite3.connect(out / home / "data" / database) as connection:
            assert connection.execute(statement).rowcount > 0, "the damage met nothing"

    return damage


def _claim(name: str, **members: object) -> Callable[[Path], None]:
    """Claim something else than what was acknowledged."""

    def damage(out: Path) -> None:
        claims = json.loads((out / "claims.json").read_text("utf-8"))
        assert claims[name], "nothing of the kind was claimed"
        for claim in claims[name]:
            claim |= members
        (out / "claims.json").write_text(json.dumps(claims), "utf-8")

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
    "a receipt": (
        _sql("broker-a", "node.db", "DELETE FROM received_receipt WHERE sequence = 1"),
        "has no receipt here",
    ),
    "open question": (
        _sql("broker-a", "node.db", "INSERT INTO gate_ask VALUES (NULL, x'00', '', x'', x'', x'', 0, 0, '')"),
        "is left open",
    ),
    "withdrawal": (
        _sql("broker-a", "node.db", "UPDATE consent_token SET state = 'granted' WHERE state = 'revoked'"),
        "is granted after settling",
    ),
    "withdrawn key": (
        _sql("broker-a", "node.db", "UPDATE consent_token SET r = x'01' WHERE state = 'revoked'"),
        "keeps its r",
    ),
    "use after withdrawal": (_claim("withdrawals", from_ms=0), "after its acknowledgement"),
    "half a load": (
        _sql(
            "broker-b",
            "node.db",
            "INSERT INTO compute_dataset_snapshot (dataset, as_of, status, people, loaded_ms)"
            " VALUES ('x', '2026-01-01', 'loading', 0, 0)",
        ),
        "unfinished",
    ),
    "rows of a load": (_sql("broker-b", "node.db", "DELETE FROM compute_dataset_row WHERE person = 1"), "rows of"),
    "procedure": (
        _sql(
            "broker-a",
            "node.db",
            "DELETE FROM suitability_record WHERE number = (SELECT max(number) FROM "
            "suitability_record WHERE kind = 'mismatch')",
        ),
        "the procedure",
    ),
    "end of a task": (_claim("tasks", requester="did:lz:nobody"), "its end is missing"),
    "enrolment": (_sql("broker-b", "node.db", "DELETE FROM enrolment_issued"), "enrolment is not kept"),
}


@pytest.mark.parametrize("name", _DAMAGE)
def test_the_checker_sees_damage(
    network: tuple[Path, Outcome], tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
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
    assert check(claims) == 1
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(("kinds", "said"), [(("task.propose",) * 2, "one contract"), (("task.close",) * 2, "closed")])
def test_the_checker_sees_an_act_that_stands_twice(kinds: tuple[str, ...], said: str) -> None:
    chain, findings = Chain("broker-a"), Findings()
    payload = {"contract": {"quota": 1}, "task": "t"}
    chain.entries = [Entry(bytes([at]), 1, at, "did:lz:a", kind, payload, "ok", None) for at, kind in enumerate(kinds)]
    check_tasks(chain, {"tasks": []}, findings)
    assert [said in text for text in findings.texts] == [True]
