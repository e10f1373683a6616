"""``init member`` and ``init network`` make what ``node run`` takes, and overwrite nothing."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from cli_kit import Run
from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.client.http import NodeClient
from lianzheng.clock import SystemClock
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.node.config import load_config
from lianzheng.node.run import Node
from ports_kit import free_ports


def member(run: Run, home: Path, number: int = 1, /, **changes: object) -> tuple[int, str, str]:
    options: dict[str, object] = {
        "dir": home,
        "chain-id": "test-cli",
        "name": "样本证券股份有限公司",
        "uscc": make_sample_uscc(number),
        "control-group": f"group-{number}",
    }
    words = [word for name, value in (options | changes).items() for word in (f"--{name}", value)]
    ended = run("init", "member", *words)
    return ended.status, ended.out, ended.err


def test_a_member_and_a_network_of_one_make_a_node_that_runs(run: Run, tmp_path: Path) -> None:
    home, agreement = tmp_path / "home", tmp_path / "agreement.txt"
    internal, peer = free_ports(2)
    status, out, _ = member(run, home, **{"internal-port": internal, "peer-port": peer})
    assert status == 0
    assert str(home / "member.json") in out and "init network" in out
    agreement.write_text("协议")
    words = ("--chain-id", "test-cli", "--agreement", agreement, "--out", home / "genesis.json", "--test-network")
    ended = run("init", "network", *words, "--member", home / "member.json")
    assert ended.status == 0
    genesis = Genesis.from_bytes((home / "genesis.json").read_bytes())
    assert genesis_digest(genesis).hex() in ended.out
    assert "node run" in ended.out
    assert genesis.parameters == {"test_network": 1}

    async def lives() -> None:
        node = Node(load_config(home / "node.toml"), SystemClock())
        try:
            await node.start()
            token = load_passphrase(home / "api-token").decode()
            async with NodeClient(f"http://127.0.0.1:{internal}", token) as client:
                assert (await client.get("/api/v1/health"))["ok"] is True
                assert (await client.post("/api/v1/agreement/signature"))["result"]["code"] == "ok"
        finally:
            await node.stop()

    asyncio.run(lives())
    again = run("init", "network", *words, "--member", home / "member.json")
    assert (again.status, "genesis_exists" in again.err) == (1, True)
    assert (home / "genesis.json").read_bytes() == genesis.to_bytes()


def test_nothing_is_overwritten(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert member(run, home)[0] == 0
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    status, _, err = member(run, home, 2)
    assert status == 1
    assert err.startswith("home_exists: ") and "→ Name a new folder." in err
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before


@pytest.mark.parametrize(
    ("changes", "status", "says"),
    [
        ({"uscc": "91110000MA00000000"}, 1, "identity_number_invalid"),
        ({"chain-id": "Net!"}, 1, "chain_id_invalid"),
        ({"host": "0.0.0.0"}, 1, "host_invalid"),
        ({"type": "Broker!"}, 1, "member type"),
        ({"internal-port": "70000"}, 2, "--internal-port"),
        ({"peer-port": "x"}, 2, "--peer-port"),
    ],
)
def test_what_cannot_work_is_refused_and_leaves_nothing(
    run: Run, tmp_path: Path, changes: dict[str, object], status: int, says: str
) -> None:
    found, _, err = member(run, tmp_path / "home", 1, **changes)
    assert (found, says in err) == (status, True), err
    assert list(tmp_path.iterdir()) == []


def test_cards_are_looked_at(run: Run, tmp_path: Path) -> None:
    member(run, tmp_path / "a", 1)
    member(run, tmp_path / "b", 2, **{"chain-id": "another"})
    (tmp_path / "agreement.txt").write_text("协议")
    (tmp_path / "broken.json").write_text("{}")
    base = ("init", "network", "--chain-id", "test-cli", "--out", tmp_path / "genesis.json")
    agreement = ("--agreement", tmp_path / "agreement.txt")
    card = ("--member", tmp_path / "a" / "member.json")
    for words, status, says in (
        ((*agreement, *card, "--member", tmp_path / "b" / "member.json"), 1, "card_other_network"),
        ((*agreement, *card, *card), 1, "member_duplicate"),
        ((*agreement, "--member", tmp_path / "broken.json"), 1, "card_invalid"),
        ((*agreement, "--member", tmp_path / "none.json"), 1, "card_unreadable"),
        (("--agreement", tmp_path / "none.txt", *card), 2, "--agreement"),
        (agreement, 2, "--member"),
    ):
        ended = run(*base, *words)
        assert (ended.status, says in ended.err) == (status, True), ended.err
    assert not (tmp_path / "genesis.json").exists()


def test_a_node_without_genesis_says_what_to_copy(run: Run, tmp_path: Path) -> None:
    member(run, tmp_path / "home")
    ended = run("node", "run", "--config", tmp_path / "home" / "node.toml")
    assert ended.status == 1
    assert re.match(r"genesis_missing: .*genesis\.json cannot be read\.", ended.err)
    assert "→ Copy" in ended.err


def test_a_node_without_configuration(run: Run, tmp_path: Path) -> None:
    ended = run("node", "run", "--config", tmp_path / "none.toml")
    assert (ended.status, ended.err.split(":")[0]) == (1, "config_unreadable")


def test_a_passphrase_that_others_may_read_stops_the_start(run: Run, tmp_path: Path) -> None:
    home = tmp_path / "home"
    member(run, home)
    (tmp_path / "agreement.txt").write_text("协议")
    words = ("--chain-id", "test-cli", "--agreement", tmp_path / "agreement.txt", "--out", home / "genesis.json")
    run("init", "network", *words, "--member", home / "member.json")
    (home / "passphrase").chmod(0o644)
    ended = run("node", "run", "--config", home / "node.toml")
    assert ended.status == 1
    assert ended.err.startswith("passphrase_file_mode: ")
    assert f"chmod 600 {home / 'passphrase'}" in ended.err
