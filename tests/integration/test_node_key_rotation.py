"""A running node's #node key is rotated: it signs with the new one at once and after a restart (ID-3, ADR 0019)."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.cli.main import app
from lianzheng.clock import SystemClock
from lianzheng.encoding.canonical import decode_object
from lianzheng.errors import ConfigError, RefusedError
from lianzheng.governance.model import AgreementSign
from lianzheng.identity.model import public_key
from lianzheng.identity.resolver import read_did
from lianzheng.node.application import create_application
from lianzheng.node.config import load_config
from lianzheng.node.run import Node
from lianzheng.node.setup import create_genesis, save_genesis
from node_kit import make_two_homes, running_node
from ports_kit import free_ports

pytestmark = pytest.mark.asyncio
CHAIN = "rotation-test"


def make(folder: Path) -> None:
    """Alpha orders, beta follows."""
    ports = free_ports(4)
    cards = make_two_homes(folder, CHAIN, ports)
    genesis = create_genesis(CHAIN, cards, b"agreement", {"test_network": 1, "token_version_min": 1}, SystemClock())
    for name in ("alpha", "beta"):
        save_genesis(folder / name / "genesis.json", genesis)


def keystore(folder: Path) -> SealedFileKeyStore:
    config = load_config(folder / "node.toml").keystore
    return SealedFileKeyStore.open(config.path, load_passphrase(config.passphrase_file))


def present(node: Node) -> bytes:
    services = node._parts.services
    return public_key(read_did(services.engine.state, services.did), "#node", "authentication")


async def _acts(alpha: Node, beta: Node) -> None:
    """What needs beta's key: a transaction, a cosignature that alpha verifies, beta's own note."""
    ours, theirs = alpha._parts.services, beta._parts.services
    async with asyncio.timeout(20):
        while theirs.engine.status().height < ours.engine.status().height:
            await asyncio.sleep(0.05)
    found = await ours.checkpoints.collect()
    assert (found.groups, found.failed) == (("beta",), {})
    with pytest.raises(RefusedError, match="agreement_already_signed"):
        await theirs.sender.send("agreement.sign", AgreementSign(agreement=theirs.genesis.agreement))


async def test_a_follower_goes_over_to_its_new_key_live_and_at_a_restart(tmp_path: Path) -> None:
    make(tmp_path)
    async with running_node(tmp_path / "alpha") as alpha:
        async with running_node(tmp_path / "beta") as beta:
            services = beta._parts.services
            await services.sender.send("agreement.sign", AgreementSign(agreement=services.genesis.agreement))
            old = present(beta)
            shutil.copy(tmp_path / "beta" / "keys.sealed", tmp_path / "old-keys")
            words = ["alliance", "rotate-key", "--config", str(tmp_path / "beta" / "node.toml"), "--json"]
            done = await asyncio.to_thread(CliRunner().invoke, app, words, catch_exceptions=False)
            assert decode_object(done.output.strip().encode()) == {"did": services.did, "version": 2}
            new = present(beta)
            assert new != old
            assert keystore(tmp_path / "beta").public_key("node/2") == new
            await _acts(alpha, beta)
        async with running_node(tmp_path / "beta") as beta:
            await _acts(alpha, beta)
            assert await beta._parts.services.node_keys.rotate(beta._parts.services.sender) == 3
            assert keystore(tmp_path / "beta").public_key("node/3") == present(beta) not in (old, new)
            await _acts(alpha, beta)
        genesis = alpha._parts.services.genesis
        card = create_application(tmp_path / "beta" / "node.toml", genesis, b"papers")
        assert card.application.network == CHAIN  # by the newest key: a member that comes back has no other
        shutil.copy(tmp_path / "old-keys", tmp_path / "beta" / "keys.sealed")
        with pytest.raises(ConfigError, match="node_key_missing"):
            async with running_node(tmp_path / "beta"):
                raise AssertionError("it started with a key that nobody takes for its own")


async def test_the_one_that_orders_keeps_its_key(tmp_path: Path) -> None:
    make(tmp_path)
    async with running_node(tmp_path / "alpha") as alpha, running_node(tmp_path / "beta") as beta:
        services = alpha._parts.services
        before = present(alpha)
        with pytest.raises(RefusedError, match="sequencer_key_fixed"):
            await services.node_keys.rotate(services.sender)
        assert (present(alpha), keystore(tmp_path / "alpha").names().count("node/2")) == (before, 0)
        await services.sender.send("agreement.sign", AgreementSign(agreement=services.genesis.agreement))
        other = beta._parts.services
        await other.sender.send("agreement.sign", AgreementSign(agreement=services.genesis.agreement))
        assert other.engine.status().stopped is None
