"""A new member's node begins with the sequencer's snapshot, over mutual TLS (LED-8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from integration.test_node_key_rotation import make
from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.errors import NotFoundError
from lianzheng.governance.model import AgreementSign
from node_kit import running_node

pytestmark = pytest.mark.asyncio


async def test_a_node_begins_with_a_snapshot_and_then_works(tmp_path: Path) -> None:
    make(tmp_path)
    path = tmp_path / "beta" / "node.toml"
    path.write_text(path.read_text("utf-8").replace("[ledger]", '[ledger]\nbegin = "snapshot"'), "utf-8")
    async with running_node(tmp_path / "alpha") as alpha:
        ours = alpha._parts.services
        signed = AgreementSign(agreement=ours.genesis.agreement)
        await ours.sender.send("agreement.sign", signed)
        engine = alpha._parts.engine
        assert isinstance(engine, EmbeddedSequencer)
        with pytest.raises(NotFoundError, match="snapshot_unknown"):
            await engine.snapshot_chunk(1, 0)
        engine._chain._writes = 10**9  # as after many more blocks
        engine._chain.checkpoint_if_due()
        assert engine._chain._checkpointing is not None
        await engine._chain._checkpointing
        base = engine.status().height
        async with running_node(tmp_path / "beta") as beta:
            services, follower = beta._parts.services, beta._parts.engine
            assert isinstance(follower, EmbeddedFollower)
            async with asyncio.timeout(30):
                while follower.status().height < base:
                    await asyncio.sleep(0.05)
            assert follower._chain.store.lowest() == base
            assert (await services.sender.send("agreement.sign", signed)).result.ok
            assert follower.status().app_hash == engine.status().app_hash
        async with running_node(tmp_path / "beta") as beta:
            assert beta._parts.engine.status().height > base
