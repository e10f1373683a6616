"""A regulator's node under CometBFT: it executes the members' blocks without a vote, and cosigns them (EV-6)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comet_kit import needs_engine
from lianzheng.clock import DAY_MS, SystemClock
from lianzheng.errors import ConfigError, NotFoundError, RefusedError, VerificationError
from lianzheng.evidence.model import CaptureContext, Document
from lianzheng.flows.checkpoints import witness_trust
from lianzheng.governance.model import AgreementSign
from lianzheng.ledger.note import Note
from lianzheng.limits import PROVABLE_HEIGHTS
from lianzheng.node.config import WitnessConfig, load_any_config, load_config
from lianzheng.node.network import NetworkPlan, add_member, add_witness, create_network, network_status
from lianzheng.node.run import Node
from lianzheng.node.witness import WitnessNode
from lianzheng.verify import EXIT_OK, verify_bundle
from ports_kit import free_ports

pytestmark = [needs_engine, pytest.mark.asyncio]
NAME = "regulator.example/w1"
CONTEXT = CaptureContext(system="test", software_version="1", channel="branch", local_time_ms=1)


@asynccontextmanager
async def scene(folder: Path) -> AsyncIterator[tuple[Node, Node, WitnessNode]]:
    """Two members that list the witness, and the witness: three engines."""
    clock = SystemClock()
    create_network(folder, NetworkPlan(2, "watched", base_port=free_ports(50)[0]), clock)
    home, listed = await add_witness(folder, NAME, "lan", 600_000)
    for number in (1, 2):
        path = folder / f"member{number}" / "node.toml"
        path.write_text(path.read_text("utf-8") + "\n" + listed, "utf-8")
    config = load_any_config(home / "node.toml")
    assert isinstance(config, WitnessConfig)
    alpha, beta = [Node(load_config(folder / f"member{number}" / "node.toml"), clock) for number in (1, 2)]
    witness = WitnessNode(config, clock)
    try:
        await asyncio.gather(alpha.start(), beta.start(), witness.start())
        yield alpha, beta, witness
    finally:
        await asyncio.gather(alpha.stop(), beta.stop(), witness.stop())


async def _reached(witness: WitnessNode, height: int) -> None:
    async with asyncio.timeout(100):
        while witness.engine.status().height < height:
            await asyncio.sleep(0.05)


async def test_it_follows_cosigns_and_goes_back_further_than_proofs_do(tmp_path: Path) -> None:
    async with scene(tmp_path) as (alpha, _, witness):
        services = alpha._parts.services
        warning = Document("a", "text/plain", b"w")
        await services.evidence.record("case-1", "risk-confirmation", "clerk", CONTEXT, [warning])
        await services.evidence.flush()
        plain = await services.evidence.bundle("case-1")
        await _reached(witness, services.engine.status().height)
        async with asyncio.timeout(100):
            found = await services.checkpoints.collect()
        assert (found.groups, found.failed) == (("group-1", "group-2", NAME), {})
        assert NAME in [one.name for one in Note.from_bytes(found.kept.note.encode()).signatures]
        status = witness.engine.status()
        assert (status.engine, status.role, status.stopped) == ("cometbft", "follower", None)
        async with asyncio.timeout(60):
            while not await witness.engine.refresh():  # it asks the members' nodes as they ask each other (GATE-4)
                await asyncio.sleep(0.2)

        bundle = await services.evidence.bundle("case-1", found.kept)
        trust = witness_trust(services.evidence.network(), witness.checkpoints.cosigners()).to_bytes()
        late_ms = SystemClock().now_ms() + 2 * 365 * DAY_MS
        report = verify_bundle(bundle, trust, late_ms)
        assert (report.exit_code, report.cosigned_by) == (EXIT_OK, ("group-2", NAME))
        with pytest.raises(VerificationError, match="checkpoint_required"):
            verify_bundle(plain, trust, late_ms)

        signed = AgreementSign(agreement=services.genesis.agreement)
        for _ in range(PROVABLE_HEIGHTS):  # two blocks each: one that holds it, one whose header carries its result
            with contextlib.suppress(RefusedError):
                await services.sender.send("agreement.sign", signed)
        top = services.engine.status().height
        await _reached(witness, top)
        assert top > found.kept.height + PROVABLE_HEIGHTS
        again = await witness.engine.history.checkpoint(found.kept.height)
        assert again.to_text() == Note.from_bytes(found.kept.note.encode()).text
        with pytest.raises(NotFoundError, match="height_not_provable"):
            await witness.engine.prove_log(0, found.kept.height)
        with pytest.raises(NotFoundError, match="height_not_reached"):
            await witness.engine.history.checkpoint(top + 1000)

        _, lines = await network_status(tmp_path, SystemClock())
        assert [one.name for one in lines] == ["member1", "member2"], "a witness is no member"
    assert (await add_member(tmp_path, "lan", 600_000)).name == "member4", "its ports are its own"


async def test_the_engine_of_a_witness_is_the_networks(tmp_path: Path) -> None:
    create_network(tmp_path, NetworkPlan(1, "watched", base_port=free_ports(20)[0]), SystemClock())
    home, _ = await add_witness(tmp_path, NAME, "lan", 600_000)
    path = home / "node.toml"
    path.write_text(path.read_text("utf-8").replace('engine = "cometbft"', 'engine = "embedded"'), "utf-8")
    config = load_any_config(path)
    assert isinstance(config, WitnessConfig)
    with pytest.raises(ConfigError, match="engine_mismatch"):
        WitnessNode(config, SystemClock())
