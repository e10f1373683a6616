"""A regulator's node over real mutual TLS: it follows without a vote, and an old bundle verifies by its word (EV-6)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lianzheng.cli.main import app
from lianzheng.clock import DAY_MS, SystemClock, day_of
from lianzheng.encoding.canonical import decode_object
from lianzheng.errors import LianzhengError, VerificationError
from lianzheng.evidence.model import CaptureContext, Document
from lianzheng.ledger.note import Note
from lianzheng.limits import BUNDLE_BYTES_MAX
from lianzheng.node.config import NodeConfig, WitnessConfig, load_any_config
from lianzheng.node.run import Node
from lianzheng.node.setup import create_genesis, create_witness_home, save_genesis
from lianzheng.node.witness import WitnessNode
from lianzheng.verify import EXIT_OK, verify_bundle
from node_kit import make_two_homes
from ports_kit import free_ports

pytestmark = pytest.mark.asyncio
CHAIN = "witness-test"
NAME = "regulator.example/w1"


@dataclass
class Scene:
    alpha: Node
    beta: Node
    witness: WitnessNode


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[Scene]:
    """Alpha orders, beta follows, the regulator watches; both members list it in node.toml."""
    ports = free_ports(6)
    cards = make_two_homes(folder, CHAIN, ports)
    key = create_witness_home(folder / "witness", NAME, "127.0.0.1", ports[4], ports[5])
    clock = SystemClock()
    genesis = create_genesis(CHAIN, cards, b"agreement", {"test_network": 1, "token_version_min": 1}, clock)
    listed = (
        f'[[ledger.witness]]\nname = "{NAME}"\nkey = "{key}"\ncertificate = "../witness/peer.crt.pem"\n'
        f'endpoint = "https://127.0.0.1:{ports[5]}"\ncontrol_group = "regulator"\n'
    )
    for name in ("alpha", "beta", "witness"):
        save_genesis(folder / name / "genesis.json", genesis)
        if name != "witness":
            path = folder / name / "node.toml"
            path.write_text(path.read_text("utf-8") + "\n" + listed, "utf-8")
    started: list[Node | WitnessNode] = []
    try:
        for name in ("alpha", "beta", "witness"):
            config = load_any_config(folder / name / "node.toml")
            node = Node(config, clock) if isinstance(config, NodeConfig) else WitnessNode(config, clock)
            started.append(node)
            await node.start()
        alpha, beta, witness = started
        assert isinstance(alpha, Node) and isinstance(beta, Node) and isinstance(witness, WitnessNode)
        yield Scene(alpha, beta, witness)
    finally:
        for node in reversed(started):
            await node.stop()


async def test_a_witness_follows_cosigns_and_may_do_nothing_else(tmp_path: Path) -> None:
    async with scene(tmp_path) as net:
        services = net.beta._parts.services
        context = CaptureContext(system="test", software_version="1", channel="branch", local_time_ms=1)
        document = Document("warning.txt", "text/plain", b"warning")
        await services.evidence.record("case-1", "risk-confirmation", "clerk", context, [document])
        await services.evidence.flush()
        height = services.engine.status().height
        async with asyncio.timeout(20):
            while net.witness.engine.status().height < height:
                await asyncio.sleep(0.05)
        found = await services.checkpoints.collect()
        assert (found.groups, found.failed) == (("beta", "regulator"), {})
        names = [one.name for one in Note.from_bytes(found.kept.note.encode()).signatures]
        assert names == [f"lianzheng/{CHAIN}", services.did, NAME]
        own = await net.witness.checkpoints.collect()
        assert own.groups == ("beta", NAME)

        routes = net.witness._peers
        sequencer = net.alpha._parts.services.did
        assert b"blocks" in await routes.get_bytes(sequencer, "/peer/v1/ledger/blocks?from=1&limit=1")
        for path in ("/peer/v1/gate/evaluations", "/peer/v1/ledger/transactions", "/peer/v1/consents/revocations"):
            with pytest.raises(LianzhengError, match="peer_is_witness"):
                await routes.post_bytes(sequencer, path, b"{}")
        with pytest.raises(LianzhengError, match="peer_is_witness"):
            await routes.get_bytes(sequencer, "/peer/v1/views/a/b/c/epochs/1/table")

        bundle = await services.evidence.bundle("case-1", await services.checkpoints.get())
        plain = await services.evidence.bundle("case-1")
        trust = await _get(net.witness._config, "/api/v1/network/trust/witnesses")
        now_ms = SystemClock().now_ms()
        assert verify_bundle(bundle, trust, now_ms + 2 * 365 * DAY_MS).exit_code == EXIT_OK
        assert verify_bundle(bundle, trust, now_ms + 2 * 365 * DAY_MS).cosigned_by == (NAME,)  # beta is the institution
        for file in (trust, services.evidence.trust_file()):
            with pytest.raises(VerificationError, match="checkpoint_required"):
                verify_bundle(plain, file, now_ms + 2 * 365 * DAY_MS)

        await asyncio.to_thread(_from_the_command_line, tmp_path)

        status = decode_object(await _get(net.witness._config, "/api/v1/ledger/checkpoints"))
        assert status["checkpoints"][0]["note"] == own.kept.note
        assert b'"follower"' in await _get(net.witness._config, "/api/v1/status")
        assert b'"evidence.anchor"' in await _eventually(net.witness._config, "/api/v1/explorer/transactions")


def _from_the_command_line(folder: Path) -> None:
    """As the guide has it: note, bundle and trust file from running nodes, then the auditor's verdict."""

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=False)

    beta, watch = folder / "beta" / "node.toml", folder / "witness" / "node.toml"
    note, bundle, trust = folder / "today.note", folder / "case-1.bundle.json", folder / "network.trust.json"
    done = run("network", "checkpoint", "--config", beta, "--out", note)
    assert (done.exit_code, "cosigned by beta, regulator" in done.output) == (0, True), done.output
    assert len(Note.from_bytes(note.read_bytes()).signatures) == 3
    assert run("evidence", "trust", "--config", watch, "--witnesses", "--out", trust).exit_code == 0
    words = ("evidence", "bundle", "case-1", "--config", beta, "--out", bundle, "--checkpoint")
    assert run(*words, "latest").exit_code == 0
    assert decode_object(bundle.read_bytes(), BUNDLE_BYTES_MAX)["checkpoint"] == note.read_text("utf-8")
    assert run(*words, "soon").exit_code == 2
    day = day_of(SystemClock().now_ms() + 2 * 365 * DAY_MS)
    done = run("verify", bundle, "--trust", trust, "--as-of", day)
    assert (done.exit_code, f"cosigned by {NAME}" in done.output) == (0, True), done.output
    with pytest.raises(LianzhengError, match="file_exists"):
        run(*words, "latest")
    bundle.unlink()
    with pytest.raises(LianzhengError, match="checkpoint_unknown"):
        run(*words, "999999")


async def _get(config: WitnessConfig, path: str) -> bytes:
    from lianzheng.client.http import NodeClient

    async with NodeClient(f"http://127.0.0.1:{config.internal.port}") as client:
        return await client.get_bytes(path)


async def _eventually(config: WitnessConfig, path: str) -> bytes:
    async with asyncio.timeout(20):
        while b'"transactions":[]' in (data := await _get(config, path)):
            await asyncio.sleep(0.05)
    return data
