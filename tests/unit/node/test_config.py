"""A configuration that cannot be used is refused naming file, field and fix."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from lianzheng.clock import ManualClock
from lianzheng.errors import ConfigError
from lianzheng.node.build import build, load_genesis
from lianzheng.node.config import NodeConfig, WitnessConfig, load_any_config, load_config, with_address
from lianzheng.node.setup import create_witness_home
from lianzheng.node.witnesses import load_witnesses
from node_kit import make_home, make_network


@pytest.fixture
def home(tmp_path: Path) -> Path:
    make_home(tmp_path / "home")
    return tmp_path / "home"


def edited(home: Path, change: Callable[[str], str]) -> Path:
    """The configuration of ``home`` after a change."""
    path = home / "node.toml"
    before = path.read_text("utf-8")
    path.write_text(change(before), "utf-8")
    assert path.read_text("utf-8") != before
    return path


def refusal(path: Path) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert str(path) in caught.value.text
    assert caught.value.next_step
    return caught.value


def test_what_init_writes_is_taken_and_paths_are_relative_to_it(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/")
    config = load_config(home / "node.toml")
    assert config.keystore.path == home / "keys.sealed"
    assert config.data_dir == home / "data"
    assert config.internal.token_file.read_bytes()


def test_a_file_that_is_missing_or_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.toml", tmp_path):
        assert refusal(path).code == "config_unreadable"


def test_what_is_no_toml_is_named_by_line(home: Path) -> None:
    error = refusal(edited(home, lambda text: text.replace('data_dir = "data"', "data_dir = data")))
    assert error.code == "config_unreadable"
    assert "line 3" in error.text


def test_bytes_that_are_no_text(home: Path) -> None:
    (home / "node.toml").write_bytes(b"\xff\xfe")
    assert refusal(home / "node.toml").code == "config_unreadable"


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("port = 0", 'port = "0"', "internal.port"),
        ("port = 0", "port = true", "internal.port"),
        ("port = 0", "port = 65536", "internal.port"),
        ("port = 0", "port = 1.5", "internal.port"),
        ("port = 0", "prot = 0", "internal.port"),
        ("[ledger]", "[ledger]\nheartbeat_ms = 10", "ledger.heartbeat_ms"),
        ("[ledger]", "[ledger]\nheartbeat = 10", "ledger.heartbeat"),
        ('engine = "embedded"', 'engine = "fabric"', "ledger.engine"),
        ('token_file = "api-token"', "token_file = 5", "internal.token_file"),
        ('did = "did:lz:', 'did = "did:web:', "did"),
        ("[keystore]", "[gate]\nrequests_per_minute = 0\n[keystore]", "gate.requests_per_minute"),
        ("[keystore]", "[keystores]", "keystore"),
        ("[peer]", "peer = 5\n[other]", "internal.peer"),
    ],
)
def test_an_unknown_field_or_a_wrong_type(home: Path, old: str, new: str, field: str) -> None:
    error = refusal(edited(home, lambda text: text.replace(old, new, 1)))
    assert error.code == "config_invalid"
    assert f"field {field}:" in error.text


def test_a_setting_of_the_other_engine_is_refused_and_not_passed_over(home: Path) -> None:
    with_heartbeat = edited(home, lambda text: text.replace("[ledger]", "[ledger]\nheartbeat_ms = 30000"))
    assert load_config(with_heartbeat).ledger.heartbeat_ms == 30_000
    error = refusal(edited(home, lambda text: text.replace('engine = "embedded"', 'engine = "cometbft"')))
    assert (error.code, error.text) == (
        "config_invalid",
        f'{with_heartbeat}, field ledger.heartbeat_ms: it has no effect with engine = "cometbft".',
    )
    assert "create_empty_blocks_interval" in (error.next_step or "")
    assert load_config(edited(home, lambda text: text.replace("heartbeat_ms = 30000\n", ""))).ledger.heartbeat_ms


def test_how_a_follower_begins(home: Path) -> None:
    assert load_config(home / "node.toml").ledger.begin == "blocks"
    path = edited(home, lambda text: text.replace("[ledger]", '[ledger]\nbegin = "snapshot"'))
    assert load_config(path).ledger.begin == "snapshot"
    comet = refusal(edited(home, lambda text: text.replace('engine = "embedded"', 'engine = "cometbft"')))
    assert "field ledger.begin: it has no effect" in comet.text
    edited(home, lambda text: text.replace('engine = "cometbft"', 'engine = "embedded"'))
    first = 'role = "witness"\nname = "regulator.example/w1"\n'
    edited(home, lambda text: re.sub(r"^did = .*\n", first, text, flags=re.MULTILINE))
    with pytest.raises(ConfigError, match="ledger.begin: a witness cosigns what it has executed itself"):
        load_any_config(path)


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ("archive = true\nkeep_blocks = 5000", "ledger.keep_blocks"),  # one of the two
        ("keep_blocks = 999", "ledger.keep_blocks"),
        ("archive = 1.5", "ledger.archive"),
    ],
)
def test_an_archive_keeps_every_block(home: Path, lines: str, field: str) -> None:
    comet = edited(home, lambda text: text.replace('engine = "embedded"', 'engine = "cometbft"'))
    whole = load_config(comet).ledger
    assert (whole.archive, whole.keep_blocks) == (False, None), "without a word, all blocks are kept"
    error = refusal(edited(home, lambda text: text.replace("[keystore]", f"{lines}\n[keystore]")))
    assert (error.code, f"field {field}:" in error.text) == ("config_invalid", True)
    embedded = edited(home, lambda text: text.replace('"cometbft"', '"embedded"').replace(lines, "keep_blocks = 5000"))
    assert "field ledger.keep_blocks: it has no effect" in refusal(embedded).text


def test_the_command_line_comes_before_the_file(home: Path) -> None:
    config = with_address(load_config(home / "node.toml"), "0.0.0.0", 0, 9001)
    assert (config.internal.host, config.internal.port) == ("0.0.0.0", 0)
    assert (config.peer.host, config.peer.port) == ("0.0.0.0", 9001)
    same = load_config(home / "node.toml")
    assert with_address(same, None, None, None) == same


@pytest.mark.parametrize("name", ["passphrase", "api-token"])
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o660, 0o400, 0o700])
def test_a_secret_that_others_may_read_is_refused(home: Path, name: str, mode: int) -> None:
    config = make_network(home.parent / "network", ManualClock())
    path = (home.parent / "network") / name
    path.chmod(mode)
    with pytest.raises(ConfigError) as caught:
        build(config, ManualClock())
    assert caught.value.code == "passphrase_file_mode"
    assert str(path) in caught.value.text
    assert caught.value.next_step == f"chmod 600 {path}"


def test_a_link_in_place_of_a_secret_is_refused(tmp_path: Path) -> None:
    config = make_network(tmp_path / "home", ManualClock())
    path = tmp_path / "home" / "passphrase"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ConfigError, match="passphrase_file_mode"):
        build(config, ManualClock())


def test_a_wrong_passphrase_and_a_missing_key_store(tmp_path: Path) -> None:
    config = make_network(tmp_path / "home", ManualClock())
    passphrase, keys = tmp_path / "home" / "passphrase", tmp_path / "home" / "keys.sealed"
    right = passphrase.read_bytes()
    passphrase.write_bytes(b"another\n")
    with pytest.raises(ConfigError, match="keystore_unreadable"):
        build(config, ManualClock())
    passphrase.write_bytes(right)
    os.unlink(keys)
    with pytest.raises(ConfigError, match="keystore_missing"):
        build(config, ManualClock())


def test_genesis_must_be_there_whole_and_name_the_member(tmp_path: Path) -> None:
    config = make_network(tmp_path / "home", ManualClock())
    path = tmp_path / "home" / "genesis.json"
    data = path.read_bytes()
    assert load_genesis(config).to_bytes() == data
    for wrong, code in ((data[:-1], "genesis_invalid"), (data + b"\n", "genesis_invalid"), (b"{}", "genesis_invalid")):
        path.write_bytes(wrong)
        with pytest.raises(ConfigError, match=code) as caught:
            load_genesis(config)
        assert str(path) in caught.value.text
    path.write_bytes(data.replace(b'"chain_id":"test-node"', b'"chain_id":"test-nose"'))
    with pytest.raises(ConfigError, match="genesis_foreign"):
        load_genesis(config)
    path.unlink()
    with pytest.raises(ConfigError, match="genesis_missing"):
        load_genesis(config)


def test_a_witness_that_cannot_be_known_is_named(home: Path) -> None:
    """EV-6: a wrong key would count for nobody, a wrong certificate would let nobody in."""
    key = create_witness_home(home.parent / "watch", "regulator.example/w1", "127.0.0.1", 1, 2)
    good = (
        f'\n[[ledger.witness]]\nname = "regulator.example/w1"\nkey = "{key}"\ncertificate = "../watch/peer.crt.pem"\n'
    )
    path = edited(home, lambda text: text + good)
    listed = load_config(path).ledger.witness
    assert load_witnesses(listed)["regulator.example/w1"].cosigner.group == "regulator.example/w1"
    (home.parent / "no.pem").write_bytes(b"no certificate")
    for change in (
        {"key": key[:-4] + "AAA="},
        {"key": key.replace("w1+", "w2+")},
        {"certificate": home / "missing.pem"},
        {"certificate": home.parent / "no.pem"},
    ):
        with pytest.raises(ConfigError, match="witness_invalid") as caught:
            load_witnesses([listed[0].model_copy(update=change)])
        assert "regulator.example/w1" in caught.value.text
    with pytest.raises(ConfigError, match="witness_invalid"):
        load_witnesses([listed[0], listed[0]])
    assert refusal(edited(home, lambda text: text.replace('"regulator', '"did:lz'))).code == "config_invalid"


def test_a_witness_node_is_told_by_its_role(home: Path) -> None:
    create_witness_home(home.parent / "watch", "regulator.example/w1", "127.0.0.1", 1, 2)
    found = load_any_config(home.parent / "watch" / "node.toml")
    assert isinstance(found, WitnessConfig)
    assert (found.name, found.data_dir) == ("regulator.example/w1", home.parent / "watch" / "data")
    assert isinstance(load_any_config(home / "node.toml"), NodeConfig)
    assert refusal(home.parent / "watch" / "node.toml").code == "config_invalid"
    with pytest.raises(ConfigError, match="home_exists"):
        create_witness_home(home, "regulator.example/w1", "127.0.0.1", 1, 2)
