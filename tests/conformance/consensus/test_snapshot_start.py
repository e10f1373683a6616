"""A new follower begins with its sequencer's snapshot under a signed head; what does not fit is refused (LED-8)."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ledger_kit import (
    ALPHA,
    BETA,
    GAMMA,
    START_MS,
    DirectLink,
    agreement_payload,
    anchor_payload,
    make_follower,
    make_genesis,
    make_sequencer,
    update_payload,
)
from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.adapters.consensus.embedded.checkpoints import Checkpoint
from lianzheng.clock import ManualClock
from lianzheng.errors import ConfigError, LianzhengError, NotFoundError, UnavailableError
from lianzheng.ledger.block import SignedHead, head_signing_bytes
from lianzheng.ledger.proofs import verify_inclusion
from lianzheng.limits import CHECKPOINT_BYTES_MAX

GENESIS = make_genesis(schema=2)
Change = Callable[[Checkpoint], Checkpoint]


class Snapshots:
    """``SnapshotLink`` by direct calls, with faults that a test may switch on."""

    def __init__(self, sequencer: EmbeddedSequencer) -> None:
        self.sequencer = sequencer
        self.change: Change = lambda checkpoint: checkpoint
        self.change_chunk: Callable[[bytes], bytes] = lambda chunk: chunk
        self.fetched = 0

    async def snapshot(self) -> bytes | None:
        found = await self.sequencer.snapshot_description()
        return None if found is None else self.change(Checkpoint.from_bytes(found, CHECKPOINT_BYTES_MAX)).to_bytes()

    async def snapshot_chunk(self, height: int, index: int) -> bytes:
        self.fetched += 1
        return self.change_chunk(await self.sequencer.snapshot_chunk(height, index))


@asynccontextmanager
async def sequencer_with_snapshot(folder: Path, clock: ManualClock) -> AsyncIterator[EmbeddedSequencer]:
    """Two blocks, a snapshot of the second, and two blocks after it."""
    engine = make_sequencer(folder / "a", clock, GENESIS)
    await engine.start()
    try:
        await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
        await engine.submit(BETA.transaction("evidence.anchor", anchor_payload(None), 2))
        engine._chain._writes = 10**9  # as after many more blocks
        engine._chain.checkpoint_if_due()
        assert engine._chain._checkpointing is not None
        await engine._chain._checkpointing
        for nonce in (1, 2):
            await engine.submit(GAMMA.transaction("member.update", update_payload(nonce, "gamma"), nonce))
        yield engine
    finally:
        await engine.stop()


def follower(folder: Path, engine: EmbeddedSequencer, snapshots: Snapshots, clock: ManualClock) -> EmbeddedFollower:
    return make_follower(folder / "b", DirectLink(engine), clock, ALPHA, GENESIS, snapshot=snapshots, poll_ms=10**6)


async def test_it_begins_at_the_snapshot_and_goes_on_with_blocks(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    async with sequencer_with_snapshot(tmp_path, clock) as engine:
        snapshots = Snapshots(engine)
        described = Checkpoint.from_bytes(await engine.snapshot_description() or b"", CHECKPOINT_BYTES_MAX)
        base = described.manifest.height
        assert 1 < base < engine.status().height
        one = follower(tmp_path, engine, snapshots, clock)
        await one.start()
        await one.sync()
        assert one.status().app_hash == engine.status().app_hash and one._chain.begun == base
        assert snapshots.fetched == len(described.manifest.chunks)
        assert dict(one.state.scan("")) == dict(engine.state.scan(""))
        assert one._chain.store.blocks(1, 1, 10**6) != engine._chain.store.blocks(1, 1, 10**6), "no old block came"
        proof = await one.prove_log(0)
        verify_inclusion(proof.entry, 0, proof.log_size, proof.path, proof.log_root)
        await one.refresh()
        one.assert_fresh()
        old = BETA.transaction("agreement.sign", agreement_payload(), 1)
        with pytest.raises(NotFoundError, match="block_pruned"):
            await one.submit(old)  # it stands before this node's beginning
        receipt = await one.submit(ALPHA.transaction("agreement.sign", agreement_payload(), 1))
        assert receipt.result.ok and receipt.height == engine.status().height
        await one.stop()

        again = follower(tmp_path, engine, snapshots, clock)
        await again.start()  # from its own files: nothing is fetched a second time
        assert again.status().height == receipt.height and snapshots.fetched == len(described.manifest.chunks)
        await again.stop()
    for chunk in (tmp_path / "b" / "ledger.sqlite.checkpoints").glob("*/000000"):
        chunk.write_bytes(b"damaged")
    with pytest.raises(ConfigError, match="snapshot_missing"):
        await follower(tmp_path, engine, snapshots, clock).start()


def resigned(checkpoint: Checkpoint, seed_of: Any, **changes: Any) -> Checkpoint:
    head = checkpoint.head.head.model_copy(update=changes)
    signed = SignedHead(head=head, signature=seed_of.sign(head_signing_bytes(head)))
    return checkpoint.model_copy(update={"head": signed})


def _manifest(checkpoint: Checkpoint, **changes: Any) -> Checkpoint:
    return checkpoint.model_copy(update={"manifest": checkpoint.manifest.model_copy(update=changes)})


@pytest.mark.parametrize(
    ("change", "chunk", "code"),
    [
        (None, lambda chunk: chunk + b"x", "snapshot_chunk_invalid"),
        (None, lambda chunk: chunk[:-1] + bytes([chunk[-1] ^ 1]), "snapshot_chunk_invalid"),
        (lambda one: resigned(one, BETA), None, "head_signature_invalid"),
        (lambda one: resigned(one, ALPHA, chain_id="other"), None, "head_foreign_network|checkpoint_invalid"),
        (lambda one: _manifest(one, app_hash=bytes(32)), None, "checkpoint_invalid"),
        (lambda one: _manifest(one, height=3), None, "checkpoint_invalid"),
        (lambda one: _manifest(one, chain_id="other"), None, "snapshot_foreign"),
        (lambda one: _manifest(one, entries=one.manifest.entries + 1), None, "snapshot_invalid"),
        # Signed by the sequencer, and of the right chunks; but the state is another than the head's.
        (lambda one: _manifest(resigned(one, ALPHA, app_hash=bytes(32)), app_hash=bytes(32)), None,
         "snapshot_foreign|snapshot_root_mismatch"),
    ],
    ids=["longer", "one-bit", "signer", "chain", "hash", "height", "foreign", "entries", "state"],
)  # fmt: skip
async def test_what_does_not_fit_is_refused_and_nothing_is_kept(
    tmp_path: Path, change: Change | None, chunk: Callable[[bytes], bytes] | None, code: str
) -> None:
    clock = ManualClock(START_MS + 1)
    async with sequencer_with_snapshot(tmp_path, clock) as engine:
        snapshots = Snapshots(engine)
        snapshots.change, snapshots.change_chunk = change or snapshots.change, chunk or snapshots.change_chunk
        one = follower(tmp_path, engine, snapshots, clock)
        await one.start()
        before = one.status()
        with pytest.raises(LianzhengError) as caught:
            await one.sync()
        assert caught.value.code in code.split("|")
        assert (one.status().height, one.status().app_hash) == (0, before.app_hash)
        assert one._chain.store.lowest() is None and one._chain.served == 0
        honest = Snapshots(engine)
        one._snapshot = honest
        await one.sync()
        assert one.status().app_hash == engine.status().app_hash, "an honest one is taken over afterwards"
        await one.stop()


async def test_a_node_that_has_served_meets_the_heads_that_it_remembers(tmp_path: Path) -> None:
    """Its database is gone, its height file is not: it executes every block again."""
    clock = ManualClock(START_MS + 1)
    async with sequencer_with_snapshot(tmp_path, clock) as engine:
        snapshots = Snapshots(engine)
        for turn in range(2):
            one = follower(tmp_path, engine, snapshots, clock)
            await one.start()
            await one.sync()
            assert (one._chain.begun == 0) == (turn == 1)
            await one.stop()
            for file in (tmp_path / "b").glob("ledger.sqlite*"):
                shutil.rmtree(file) if file.is_dir() else file.unlink()


async def test_without_a_snapshot_it_begins_with_block_1(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(tmp_path / "a", clock, GENESIS)
    await engine.start()
    await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
    one = follower(tmp_path, engine, Snapshots(engine), clock)
    await one.start()
    await one.sync()
    assert one._chain.begun == 0 and one.status().app_hash == engine.status().app_hash
    await one.stop()
    await engine.stop()


async def test_a_full_disk_while_the_snapshot_is_fetched_stops_the_follower_by_name(tmp_path: Path) -> None:
    """Its task must not end unseen: a node that follows no more would say that all is well."""
    clock = ManualClock(START_MS + 1)
    async with sequencer_with_snapshot(tmp_path, clock) as engine:
        one = follower(tmp_path, engine, Snapshots(engine), clock)
        (tmp_path / "b").mkdir(exist_ok=True)
        (tmp_path / "b" / "ledger.sqlite.checkpoints").write_bytes(b"where a folder should be")
        await one.start()
        try:
            async with asyncio.timeout(30):
                while one.status().stopped is None:
                    await asyncio.sleep(0)
            assert one.status().stopped == "ledger_storage_failed"
            with pytest.raises(UnavailableError, match="ledger_storage_failed"):
                one.assert_fresh()
        finally:
            await one.stop()
