"""A network of schema 1 is carried to schema 2 by vote: both engines, restarts, replay from genesis (LED-7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from governance_kit import FOUNDERS, A, B, C, D
from ledger_kit import (
    CHAIN,
    START_MS,
    DirectLink,
    Party,
    anchor_payload,
    make_follower,
    make_genesis,
    make_sequencer,
    update_payload,
)
from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.governance.motions.model import MotionVote, motion_id, motion_of
from lianzheng.governance.schema import SchemaUpgrade
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.block import Block, SignedHead
from lianzheng.ledger.proofs import verify_inclusion, verify_state

HEIGHT = 8
GENESIS = make_genesis(FOUNDERS)


class Network:
    """A sequencer, a follower, and everybody's nonces."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.clock = ManualClock(START_MS + 1)
        self.nonces: dict[str, int] = {}

    async def start(self, checkpoint_writes: int) -> None:
        self.sequencer: EmbeddedSequencer = make_sequencer(self.folder / "a", self.clock, GENESIS)
        await self.sequencer.start()
        link = DirectLink(self.sequencer)
        self.follower: EmbeddedFollower = make_follower(self.folder / "b", link, self.clock, B, GENESIS)
        await self.follower.start()
        for engine in (self.sequencer, self.follower):
            engine._chain.checkpoint_writes = checkpoint_writes

    async def stop(self) -> None:
        await self.follower.stop()
        await self.sequencer.stop()

    async def send(self, party: Party, kind: str, payload: JsonObject) -> int:
        """Send through the follower; the height of its block, after which both have one application hash."""
        self.nonces[party.did] = self.nonces.get(party.did, 0) + 1
        receipt = await self.follower.submit(party.transaction(kind, payload, self.nonces[party.did]))
        assert receipt.result.ok, receipt.result.code
        assert self.follower.status().app_hash == self.sequencer.status().app_hash
        return receipt.height

    async def vote(self) -> None:
        content = SchemaUpgrade(schema=2, height=HEIGHT).to_json()
        await self.send(A, "schema.upgrade", content)
        name = motion_id(CHAIN, "schema.upgrade", content)
        for party in (B, C):
            opened = motion_of(self.follower.state, name).opened_height
            ballot = MotionVote(motion=name, opened_height=opened, ballot="yes")
            await self.send(party, "member.vote", ballot.to_json())


async def _prove(engine: EmbeddedSequencer | EmbeddedFollower) -> None:
    for key in (NETWORK_KEY, "member/nobody"):
        proof = await engine.prove_state(key)
        head = SignedHead.from_json(proof.head).head
        assert app_hash(proof.schema, proof.log_root, proof.log_size, proof.state_root) == head.app_hash
        verify_state(key, engine.state.get(key), proof.path, proof.state_root)


@pytest.mark.parametrize("checkpoint_writes", [10**9, 1], ids=["deltas", "checkpoints"])
@pytest.mark.parametrize("restart_at", [HEIGHT - 2, HEIGHT - 1, HEIGHT, HEIGHT + 1])
async def test_a_network_is_carried_across(tmp_path: Path, restart_at: int, checkpoint_writes: int) -> None:
    network = Network(tmp_path)
    await network.start(checkpoint_writes)
    await network.send(D, "evidence.anchor", anchor_payload(None))
    await network.vote()
    height, number = 4, 0
    while height < HEIGHT + 3:
        number += 1
        height = await network.send(D, "member.update", update_payload(number, "epsilon"))
        for engine in (network.sequencer, network.follower):
            schema = engine.state.get(NETWORK_KEY)["schema"]  # type: ignore[index]
            assert schema == (2 if height >= HEIGHT else 1)
            if schema == 2:
                await _prove(engine)
            else:
                with pytest.raises(RefusedError, match="schema_without_proofs"):
                    await engine.prove_state(NETWORK_KEY)
        if height == restart_at:
            before = network.sequencer.status().app_hash
            await network.stop()
            await network.start(checkpoint_writes)
            assert network.sequencer.status().app_hash == network.follower.status().app_hash == before
    proof = await network.follower.prove_log(0)
    verify_inclusion(proof.entry, 0, proof.log_size, proof.path, proof.log_root)
    blocks = [Block.parse(data) for data in await network.sequencer.blocks(1, 100)]
    await network.stop()
    _replayed(blocks)


def _replayed(blocks: list[Block]) -> None:
    """A new node executes every block from genesis and has the signed application hash after each."""
    machine = Machine(GENESIS)
    for block in blocks:
        head = block.head.head
        machine.execute_block(head.height, head.time_ms, list(block.transactions))
        assert machine.app_hash() == head.app_hash, head.height
        machine.commit()
        assert machine.schema == (2 if head.height >= HEIGHT else 1)


async def test_a_proof_at_an_earlier_height_stands_under_that_heights_head(tmp_path: Path) -> None:
    network = Network(tmp_path)
    await network.start(10**9)
    await network.vote()
    for number in range(1, HEIGHT):
        await network.send(D, "member.update", update_payload(number, "epsilon"))
    top = network.follower.status().height
    for height in range(HEIGHT, top + 1):
        proof = await network.follower.prove_state(NETWORK_KEY, height)
        head = SignedHead.from_json(proof.head).head
        assert head.height == height
        assert app_hash(proof.schema, proof.log_root, proof.log_size, proof.state_root) == head.app_hash
        verify_state(NETWORK_KEY, proof.value, proof.path, proof.state_root)
    with pytest.raises(RefusedError, match="schema_without_proofs"):
        await network.follower.prove_state(NETWORK_KEY, HEIGHT - 1)
    await network.stop()
