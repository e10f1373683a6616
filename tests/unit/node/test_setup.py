"""A home appears whole or not at all, a genesis only from cards that belong together."""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path

import pytest

from lianzheng.clock import ManualClock
from lianzheng.errors import ConfigError, FormatError
from lianzheng.identity.model import CreationOperation, did_of
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.node import setup
from lianzheng.node.config import load_config
from lianzheng.node.setup import create_genesis, create_home, load_card, save_genesis
from node_kit import CHAIN, make_home, profile


def test_a_home_holds_these_files_and_tells_nobody_its_secrets(tmp_path: Path) -> None:
    home = tmp_path / "deep" / "home"
    card = make_home(home)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) & 0o077 for path in home.iterdir()}
    secret = {"passphrase", "keys.sealed", "api-token", "peer.key.pem"}
    assert {name for name in modes if not name.startswith("keys.sealed.")} == secret | {
        "member.json",
        "node.toml",
        "peer.crt.pem",
    }
    assert all(modes[name] == 0 for name in secret)
    assert stat.S_IMODE(home.stat().st_mode) == 0o700
    assert load_card(home / "member.json") == card
    assert load_config(home / "node.toml").did == did_of(CreationOperation.from_json(card.did_operation))
    assert [path.name for path in home.parent.iterdir()] == ["home"]


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    home = tmp_path / "home"
    make_home(home)
    before = {path.name: path.read_bytes() for path in home.iterdir()}
    file, link, empty = tmp_path / "file", tmp_path / "link", tmp_path / "empty"
    file.write_text("mine")
    empty.mkdir()
    link.symlink_to(empty)
    for taken in (home, file, link):
        with pytest.raises(ConfigError, match="home_exists"):
            make_home(taken)
    assert {path.name: path.read_bytes() for path in home.iterdir()} == before
    make_home(empty)
    assert (empty / "node.toml").exists()


def test_a_home_that_fails_half_way_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(setup, "create_certificate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        make_home(tmp_path / "home")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("chain", "host", "code"),
    [
        ("", "127.0.0.1", "chain_id_invalid"),
        ("Net", "127.0.0.1", "chain_id_invalid"),
        ("a" * 33, "127.0.0.1", "chain_id_invalid"),
        ("net\n", "127.0.0.1", "chain_id_invalid"),
        (CHAIN, "", "host_invalid"),
        (CHAIN, 'x"\nport = 1', "host_invalid"),
        (CHAIN, "a/b", "host_invalid"),
        (CHAIN, "::1", "host_invalid"),
        (CHAIN, "0.0.0.0", "host_invalid"),
    ],
)
def test_names_that_would_not_work_are_refused_first(tmp_path: Path, chain: str, host: str, code: str) -> None:
    with pytest.raises(ConfigError, match=code):
        create_home(tmp_path / "home", profile(), chain, host, 1, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_profile_that_no_ledger_takes_is_refused_by_member(tmp_path: Path) -> None:
    for change, member in ((replace(profile(), type="Broker!"), "type"), (replace(profile(), name=""), "name")):
        with pytest.raises(FormatError, match=f"member {member} "):
            create_home(tmp_path / "home", change, CHAIN, "127.0.0.1", 1, 2)
    assert list(tmp_path.iterdir()) == []


def test_a_long_chinese_name_fits_its_certificate(tmp_path: Path) -> None:
    """A common name has 64 bytes: some 21 characters, fewer than many institutions need."""
    long = replace(profile(), name="样" * 100)
    assert create_home(tmp_path / "home", long, CHAIN, "127.0.0.1", 1, 2).name == "样" * 100


def test_genesis_names_every_member_and_the_first_one_orders(tmp_path: Path) -> None:
    cards = tuple(make_home(tmp_path / str(number), number) for number in (1, 2))
    genesis = create_genesis(CHAIN, cards, b"agreement", {"test_network": 1}, ManualClock())
    assert genesis.sequencer.did == did_of(CreationOperation.from_json(cards[0].did_operation))
    path = tmp_path / "genesis.json"
    save_genesis(path, genesis)
    assert genesis_digest(Genesis.from_bytes(path.read_bytes())) == genesis_digest(genesis)
    with pytest.raises(ConfigError, match="genesis_exists"):
        save_genesis(path, genesis)
    with pytest.raises(ConfigError, match="genesis_unwritable"):
        save_genesis(tmp_path / "none" / "genesis.json", genesis)


def test_cards_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    first, second = make_home(tmp_path / "1", 1), make_home(tmp_path / "2", 2)
    without = create_home(tmp_path / "3", profile(3), CHAIN, "127.0.0.1", 0, None)
    other = create_home(tmp_path / "4", profile(4), "other", "127.0.0.1", 0, 0)
    twin = make_home(tmp_path / "5", 1)
    for cards, code in (
        ((first, other), "card_other_network"),
        ((first, second, first), "member_duplicate"),
        ((first, twin), "member_duplicate"),
        ((without, first), "sequencer_without_node"),
    ):
        with pytest.raises(ConfigError, match=code):
            create_genesis(CHAIN, cards, b"agreement", {}, ManualClock())


def test_a_card_that_is_none_is_named(tmp_path: Path) -> None:
    path = tmp_path / "member.json"
    with pytest.raises(ConfigError, match="card_unreadable"):
        load_card(path)
    path.write_bytes(b"{}")
    with pytest.raises(ConfigError, match="card_invalid") as caught:
        load_card(path)
    assert str(path) in caught.value.text
