"""A node that is no archive drops old blocks, its engine too, and keeps what others and itself need (LED-8)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from comet_kit import MEMBERS, Cluster, needs_engine
from ledger_kit import anchor_payload
from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.adapters.consensus.cometbft.heads import fetch_head
from lianzheng.adapters.consensus.cometbft.home import SyncTrust
from lianzheng.adapters.consensus.cometbft.pruning import Pruner
from lianzheng.errors import ConfigError, NotFoundError
from lianzheng.ledger.proofs import verify_inclusion

pytestmark = needs_engine
ALPHA, BETA, GAMMA, _ = MEMBERS
KEEP = 6


def prunes(engine: CometEngine) -> CometEngine:
    """The engine with bounds that a test reaches."""
    engine._abci._pruner = Pruner(engine._chain, KEEP, every=2)
    return engine


async def earliest(engine: CometEngine) -> int:
    """The lowest block that CometBFT itself still has."""
    return int((await engine._required_rpc.call("status"))["sync_info"]["earliest_block_height"])


async def until_pruned(cluster: Cluster, engine: CometEngine, above: int, nonce: int) -> int:
    """Blocks until CometBFT has dropped those up to ``above``; the nonce that comes next."""
    async with asyncio.timeout(150):
        while await earliest(engine) <= above:
            assert (await engine.submit(cluster.update(BETA, nonce))).result.ok
            nonce += 1
    return nonce


async def test_an_archive_and_a_node_that_drops_old_blocks(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (ALPHA, BETA, GAMMA), snapshot_blocks=5)
    archive, pruned = cluster.engine(ALPHA), prunes(cluster.engine(BETA))
    third = cluster.engine(GAMMA)
    try:
        await asyncio.gather(archive.start(), pruned.start(), third.start())
        now = cluster.clock.now_ms()
        anchor = BETA.transaction("evidence.anchor", anchor_payload(None), 1, now)
        first = await pruned.submit(anchor)
        assert first.result.ok
        nonce = await until_pruned(cluster, pruned, first.height + 3, 2)
        store = pruned._chain.store
        kept = store.block(first.height)
        assert kept is not None and kept.pruned and kept.wire_transactions() == []

        # What another node or this one needs of old heights is there still.
        whole = archive._chain.store.block(first.height)
        assert whole is not None and not whole.pruned
        assert (kept.hash, kept.app_hash, kept.results) == (whole.hash, whole.app_hash, whole.results)
        assert await pruned.submit(anchor) == first, "a repeat returns the earlier receipt"
        proof = await pruned.prove_log(0)
        verify_inclusion(proof.entry, 0, proof.log_size, proof.path, proof.log_root)
        snapshots = pruned._chain.snapshots.offers()
        lowest = next(block.height for block in store.blocks_above(0) if not block.pruned)
        assert await earliest(pruned) <= snapshots[0].manifest.height and lowest < snapshots[0].manifest.height

        # What is gone is named as gone; the archive has it.
        for height in (1, first.height):
            with pytest.raises(NotFoundError, match="block_pruned"):
                pruned.events(height)
        with pytest.raises(NotFoundError, match="block_pruned"):
            await pruned.history.checkpoint(first.height)
        assert (await archive.history.checkpoint(first.height)).height == first.height
        assert (await anext(archive.events(first.height)))["kind"] == "evidence.anchor"
        assert await earliest(archive) == 1

        # A restart begins at a snapshot, and goes on pruning.
        await pruned.stop()
        pruned = prunes(cluster.engine(BETA))
        await pruned.start()
        assert (await pruned.submit(cluster.update(BETA, nonce))).result.ok
        assert await pruned.submit(anchor) == first
        nonce = await until_pruned(cluster, pruned, lowest, nonce + 1)
    finally:
        await cluster.stop()
    for chunk in (tmp_path / "beta" / "ledger.db.snapshots").glob("*/000000"):
        chunk.write_bytes(b"damaged")
    with pytest.raises(ConfigError, match="snapshot_missing"):
        await cluster.engine(BETA).start()


async def test_a_node_joins_a_network_in_which_every_node_prunes(tmp_path: Path) -> None:
    """State sync and its light client find their headers above what was dropped."""
    cluster = Cluster(tmp_path, (ALPHA, BETA), snapshot_blocks=8)
    alpha, beta = prunes(cluster.engine(ALPHA)), prunes(cluster.engine(BETA))
    try:
        await asyncio.gather(alpha.start(), beta.start())
        nonce = await until_pruned(cluster, beta, 4, 1)
        await until_pruned(cluster, alpha, 4, nonce)
        head = await fetch_head(alpha._required_rpc, alpha.status().height)
        servers = tuple(f"127.0.0.1:{cluster.ports[one.name].rpc}" for one in (ALPHA, BETA))
        cluster.write_home(GAMMA, SyncTrust(servers, head.header.height, head.commit.block_id.hash))
        newcomer = cluster.engine(GAMMA)
        await newcomer.start()
        async with asyncio.timeout(150):
            while newcomer._chain.store.base() is None or newcomer.status().height < alpha.status().height:
                await asyncio.sleep(0.1)
        assert newcomer.status().app_hash == alpha.status().app_hash
    finally:
        await cluster.stop()
