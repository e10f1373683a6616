"""Two real nodes whose keys that sign stand in a PKCS#11 token: blocks, transactions, rotation, restart."""

from __future__ import annotations

import asyncio
import tomllib
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.adapters.keystore.pkcs11_store import Pkcs11SigningStore
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.cli.main import app
from lianzheng.clock import SystemClock
from lianzheng.errors import ConfigError, RefusedError
from lianzheng.governance.model import AgreementSign
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.genesis import GenesisMember
from lianzheng.node.config import load_config
from lianzheng.node.keys import KeyChoice, create_keystore
from lianzheng.node.run import Node
from lianzheng.node.setup import MemberProfile, create_genesis, create_home, load_card, save_genesis
from node_kit import running_node
from ports_kit import free_ports
from softhsm_kit import Token, shared_token

CHAIN = "hsm-test"


def _pin_file(folder: Path, token: Token, mode: int = 0o600) -> Path:
    path = folder / "pin"
    path.write_bytes(token.pin + b"\n")
    path.chmod(mode)
    return path


def _member(folder: Path, number: int, name: str, token: Token, pin_file: Path) -> GenesisMember:
    """By the command that an operator types."""
    ports = free_ports(2)
    words = ["init", "member", "--dir", str(folder / name), "--chain-id", CHAIN, "--name", name]
    words += ["--uscc", make_sample_uscc(number), "--control-group", name]
    words += ["--internal-port", str(ports[0]), "--peer-port", str(ports[1]), "--key-cipher", "sm4-gcm"]
    words += ["--hsm-module", str(token.module), "--hsm-token", token.label, "--hsm-pin-file", str(pin_file)]
    done = CliRunner().invoke(app, words, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return load_card(folder / name / "member.json")


def _in_token(home: Path) -> Pkcs11SigningStore:
    keys = load_config(home / "node.toml").keys
    assert keys.module is not None
    assert keys.pin_file is not None
    return Pkcs11SigningStore.open(keys.module, keys.token, load_passphrase(keys.pin_file), keys.prefix)


async def _sign_agreement(node: Node) -> int:
    services = node._parts.services
    receipt = await services.sender.send("agreement.sign", AgreementSign(agreement=services.genesis.agreement))
    return receipt.height


async def test_nodes_order_sign_rotate_and_restart_with_their_keys_in_a_token(tmp_path: Path) -> None:
    token = shared_token()
    pin_file = _pin_file(tmp_path, token)
    cards = tuple(_member(tmp_path, number, name, token, pin_file) for number, name in enumerate(("alpha", "beta")))
    genesis = create_genesis(CHAIN, cards, b"agreement", {"test_network": 1, "token_version_min": 1}, SystemClock())
    for name in ("alpha", "beta"):
        save_genesis(tmp_path / name / "genesis.json", genesis)
    async with running_node(tmp_path / "alpha") as alpha:
        async with running_node(tmp_path / "beta") as beta:
            assert await _sign_agreement(alpha) < await _sign_agreement(beta)
            services = beta._parts.services
            record = read_did(services.engine.state, services.did)
            assert public_key(record, "#node", "authentication") == _in_token(tmp_path / "beta").public_key("node")
            assert await services.node_keys.rotate(services.sender) == 2
        assert _in_token(tmp_path / "beta").names() == ["node", "node/2"]
        async with running_node(tmp_path / "beta") as beta:
            services = beta._parts.services
            assert services.node_keys.name() == "node/2"
            with pytest.raises(RefusedError, match="agreement_already_signed"):  # signed well, and known before
                await _sign_agreement(beta)
    for name in ("alpha", "beta"):
        keystore = load_config(tmp_path / name / "node.toml").keystore
        file = SealedFileKeyStore.open(keystore.path, load_passphrase(keystore.passphrase_file))
        assert file.cipher == "sm4-gcm"
        assert not [key for key in file.names() if key.startswith("node")], "no key that signs is in the file"


def test_what_is_wrong_at_the_start_has_a_name(tmp_path: Path) -> None:
    token = shared_token()
    pin_file = _pin_file(tmp_path, token)
    card = _member(tmp_path, 3, "gamma", token, pin_file)
    genesis = create_genesis(CHAIN, (card,), b"agreement", {"test_network": 1}, SystemClock())
    home = tmp_path / "gamma"
    save_genesis(home / "genesis.json", genesis)

    async def start() -> None:
        async with running_node(home):
            pass

    pin_file.chmod(0o640)
    with pytest.raises(ConfigError, match="passphrase_file_mode"):
        asyncio.run(start())
    pin_file.chmod(0o600)
    _in_token(home).erase("node")
    with pytest.raises(ConfigError, match="hsm_key_missing"):
        asyncio.run(start())
    text = (home / "node.toml").read_text()
    (home / "node.toml").write_text(text.replace(token.label, "another"))
    with pytest.raises(ConfigError, match="hsm_token_missing"):
        asyncio.run(start())
    (home / "node.toml").write_text(text.replace('pin_file = "', 'pin = "'))
    with pytest.raises(ConfigError, match="config_invalid"):
        load_config(home / "node.toml")
    (home / "node.toml").write_text(text.replace('store = "pkcs11"', 'store = "file"'))
    with pytest.raises(ConfigError, match="config_invalid"):
        load_config(home / "node.toml")


def test_a_home_that_fails_leaves_no_key_in_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    token = shared_token()
    before, at_failure = _all_labels(token), []

    def no_space(*_: object) -> None:
        at_failure.extend(_all_labels(token))
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("lianzheng.node.setup.create_certificate", no_space)
    choice = KeyChoice("sm4-gcm", token.module, token.label, _pin_file(tmp_path, token))
    profile = MemberProfile("delta", "broker", make_sample_uscc(4), "样本路1号", "delta")
    with pytest.raises(OSError, match="No space"):
        create_home(tmp_path / "home", profile, CHAIN, "127.0.0.1", 1, 2, keys=choice)
    assert len(at_failure) == len(before) + 1, "the key was there"
    assert _all_labels(token) == before
    assert [path.name for path in tmp_path.iterdir()] == ["pin"]


def test_half_a_choice_is_refused_and_a_label_is_quoted(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="keys_incomplete"):
        create_keystore(tmp_path, KeyChoice(module=Path("/usr/lib/x.so")))
    assert list(tmp_path.iterdir()) == []
    token = shared_token()
    folder = tmp_path / 'a "quoted" \\ folder'
    folder.mkdir()
    store, text = create_keystore(folder, KeyChoice("aes-256-gcm", token.module, token.label, _pin_file(folder, token)))
    assert tomllib.loads(text)["keys"]["pin_file"] == str(folder / "pin")
    assert store.names() == []


def _all_labels(token: Token) -> list[str]:
    store = Pkcs11SigningStore.open(token.module, token.label, token.pin, "x")
    store._prefix = ""
    return store.names()
