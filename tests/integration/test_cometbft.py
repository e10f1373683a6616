"""Real CometBFT processes on this machine: blocks, proofs, freshness, and what kill -9 leaves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import pytest

from comet_kit import MEMBERS, Cluster, needs_engine
from ledger_kit import agreement_payload, anchor_payload
from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.adapters.consensus.cometbft.heads import fetch_head
from lianzheng.encoding.canonical import encode, parse
from lianzheng.errors import ConfigError, UnavailableError
from lianzheng.ledger.cometbft import CometHead, verify_comet_head
from lianzheng.ledger.genesis import genesis_digest
from lianzheng.ledger.ports import Receipt
from lianzheng.ledger.proofs import verify_inclusion
from lianzheng.ledger.transaction import Transaction

pytestmark = needs_engine
ALPHA, BETA, GAMMA, DELTA = MEMBERS


async def test_one_validator_orders_proves_and_comes_back(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (ALPHA,))
    (engine,) = await cluster.start()
    try:
        now = cluster.clock.now_ms()
        signed = ALPHA.transaction("agreement.sign", agreement_payload(), 1, now)
        receipt = await engine.submit(signed)
        assert receipt.result.ok and receipt.height >= 1
        assert await engine.submit(signed) == receipt  # a repeat returns the earlier receipt
        refused = await engine.submit(ALPHA.transaction("agreement.sign", agreement_payload(), 2, now))
        assert (refused.result.code, refused.height > receipt.height) == ("agreement_already_signed", True)
        at_the_door = await engine.submit(ALPHA.transaction("agreement.sign", agreement_payload(), 2, now))
        assert at_the_door == refused
        stale = await engine.submit(ALPHA.transaction("agreement.sign", agreement_payload(), 500, now))
        assert (stale.height, stale.result.code) == (0, "nonce_too_far")
        await engine.submit(ALPHA.transaction("evidence.anchor", anchor_payload(None), 3, now))
        proof = await engine.prove_log(0)
        verify_inclusion(proof.entry, 0, proof.log_size, proof.path, proof.log_root)
        head = CometHead.from_json(proof.head)
        verify_comet_head(head, cluster.genesis.chain_id)
        assert head.header.app_hash == engine._application.roots(head.header.height - 1).app_hash
        async with asyncio.timeout(60):  # quiet now: no further block will come
            await engine._chain.wait_height(head.header.height)
            same = await engine.prove_log(0, engine.status().height)
        assert same.log_root == proof.log_root
        assert await engine.refresh()  # alone it holds all the power (GATE-4)
        engine.assert_fresh()
        before = engine.status()
    finally:
        await cluster.stop()
    again = cluster.engine(ALPHA)
    await again.start()
    try:
        assert again.status().height >= before.height
        assert again.state.get(f"member/{ALPHA.did}") == engine.state.get(f"member/{ALPHA.did}")
        assert (await again.submit(cluster.update(ALPHA, 4))).result.ok
    finally:
        await again.stop()


async def surely(engine: CometEngine, signed: Transaction) -> Receipt:
    """The same bytes again where no answer came in time, as a member's sender does."""
    for _ in range(5):
        try:
            return await engine.submit(signed)
        except UnavailableError:
            continue
    return await engine.submit(signed)


async def test_four_validators_agree_and_outlive_a_killed_engine(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    engines = await cluster.start()
    try:
        by_member = dict(zip(MEMBERS, engines, strict=True))
        receipts = await asyncio.gather(
            *(surely(by_member[one], cluster.update(one, nonce)) for one in MEMBERS for nonce in range(1, 11))
        )
        assert all(receipt.result.ok for receipt in receipts)
        victim = engines[3]
        pid = victim.engine_pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        others = await asyncio.gather(
            *(surely(by_member[one], cluster.update(one, nonce)) for one in MEMBERS for nonce in range(11, 16))
        )
        assert all(receipt.result.ok for receipt in others)  # delta's own too: it waits for its engine
        assert victim.engine_pid not in (None, pid)
        top = max(receipt.height for receipt in others)
        assert all(await asyncio.gather(*(engine._chain.wait_height(top) for engine in engines)))
        stored = [[engine._chain.store.block(height) for height in range(1, top + 1)] for engine in engines]
        assert stored[0] == stored[1] == stored[2] == stored[3]  # one block a height, equal application hashes
        assert all(await asyncio.gather(*(engine.refresh() for engine in engines)))
        for engine in engines:
            await engine.catch_up()
            engine.assert_fresh()
    finally:
        await cluster.stop()


async def test_without_quorum_nothing_is_fresh_and_nothing_is_lost(tmp_path: Path) -> None:
    """Alpha and delta are one group: beta and gamma hold exactly 2/3 of the power, and that is not enough (GATE-4)."""
    cluster = Cluster(tmp_path)
    await cluster.start()
    try:
        beta = cluster.engines[BETA.did]
        assert (await beta.submit(cluster.update(BETA, 1))).result.ok
        for gone in (ALPHA, DELTA):
            await cluster.engines.pop(gone.did).stop()
        assert not await beta.refresh()
        waiting = asyncio.create_task(beta.submit(cluster.update(BETA, 2)))
        height = beta.status().height
        back = cluster.engine(DELTA)
        await back.start()
        assert (await waiting).result.ok  # 1260 more make a quorum: the halt was honest, the transaction stands
        assert beta.status().height > height
        assert await beta.refresh()
        await beta.catch_up()
        beta.assert_fresh()
    finally:
        await cluster.stop()


async def test_a_member_that_has_precommitted_a_height_does_not_state_the_one_before(tmp_path: Path) -> None:
    """GATE-4: what its validator signed binds the node's answer, though its own head is not there yet."""
    cluster = Cluster(tmp_path, (ALPHA,))
    (engine,) = await cluster.start()
    try:
        receipt = await engine.submit(cluster.update(ALPHA, 1))
        with contextlib.suppress(TimeoutError):  # quiet then: no further block comes by itself
            await asyncio.wait_for(engine._chain.wait_height(receipt.height + 3), 4)
        height = engine.status().height
        assert (await engine.head_statement(bytes(32))).statement.height == height
        file = tmp_path / "alpha" / "cometbft" / "data" / "priv_validator_state.json"
        kept = file.read_bytes()
        for bound, step, may in ((height + 1, 2, True), (height + 1, 3, False), (height + 2, 1, False)):
            file.write_bytes(encode({**parse(kept), "height": str(bound), "round": 0, "step": step}))
            if may:
                assert (await engine.head_statement(bytes(32))).statement.height == height
            else:
                with pytest.raises(UnavailableError, match="ledger_stale"):
                    await engine.head_statement(bytes(32))
    finally:
        await cluster.stop()


async def test_an_engine_of_another_genesis_is_named(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (ALPHA,))
    path = tmp_path / "alpha" / "cometbft" / "config" / "genesis.json"
    path.write_text(path.read_text().replace(genesis_digest(cluster.genesis).hex(), "00" * 32))
    engine = cluster.engine(ALPHA)
    with pytest.raises(ConfigError, match="engine_genesis_mismatch"):
        await engine.start()


@pytest.mark.parametrize("index", range(9))
async def test_a_crash_at_each_persistence_point_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, index: int
) -> None:
    """The stock engine ends itself at its n-th persistence point; the node starts it again and goes on (LED-4)."""
    cluster = Cluster(tmp_path, (ALPHA,))
    monkeypatch.setenv("FAIL_TEST_INDEX", str(index))
    engine = cluster.engine(ALPHA)

    async def mend() -> None:
        while engine._process.restarts == 0:
            await asyncio.sleep(0.01)
        monkeypatch.delenv("FAIL_TEST_INDEX")

    mending = asyncio.create_task(mend())
    await engine.start()
    try:
        for nonce in range(1, 4):
            transaction = cluster.update(ALPHA, nonce)
            receipt = await engine.submit(transaction)
            assert receipt.result.ok
            assert await engine.submit(transaction) == receipt  # it stands once
        await asyncio.wait_for(mending, 10)
        top = engine.status().height
        stored = [engine._chain.store.block(height) for height in range(1, top + 1)]
        assert sum(len(block.wire_transactions()) for block in stored if block is not None) == 3
        head = await fetch_head(engine._required_rpc, top)
        assert verify_comet_head(head, cluster.genesis.chain_id) == engine.status().head_hash
    finally:
        mending.cancel()
        await engine.stop()
