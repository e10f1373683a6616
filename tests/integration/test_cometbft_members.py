"""A member joins by state sync, becomes a validator by vote, and goes again, while transactions flow (LED-8, CON-7)."""

from __future__ import annotations

import asyncio
from pathlib import Path

from comet_kit import CHAIN, MEMBERS, Cluster, Member, needs_engine
from governance_kit import PAPER, application
from ledger_kit import agreement_payload, anchor_payload
from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.adapters.consensus.cometbft.heads import fetch_head
from lianzheng.adapters.consensus.cometbft.home import SyncTrust
from lianzheng.clock import day_of
from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.motions.model import MotionVote, motion_id, motion_of
from lianzheng.governance.validators import validator_powers
from lianzheng.ledger.cometbft import parse_head
from lianzheng.ledger.cometbft.powers import genesis_validators
from lianzheng.verify.light_client import verify_final_head

pytestmark = needs_engine
ALPHA, BETA, GAMMA, _ = MEMBERS
EPSILON = Member("epsilon")


class Senders:
    """Transactions of each member through its own engine, which must be accepted."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nonces: dict[str, int] = {}
        self.flowing = 0
        self.pause_s = 0.0
        self.height = 0

    async def ok(self, member: Member, kind: str, payload: JsonObject) -> int:
        """Height of the transaction."""
        nonce = self.nonces[member.did] = self.nonces.get(member.did, 0) + 1
        transaction = member.transaction(kind, payload, nonce, self.cluster.clock.now_ms())
        receipt = await self.cluster.engines[member.did].submit(transaction)
        assert receipt.result.ok, receipt.result.code
        self.height = receipt.height
        return receipt.height

    async def flow(self) -> None:
        """Gamma's transactions, one after the other, for ever."""
        while True:
            self.nonces[GAMMA.did] = self.nonces.get(GAMMA.did, 0) + 1
            receipt = await self.cluster.engines[GAMMA.did].submit(self.cluster.update(GAMMA, self.nonces[GAMMA.did]))
            assert receipt.result.ok, receipt.result.code
            self.flowing += 1
            await asyncio.sleep(self.pause_s)

    async def motion(self, kind: str, content: JsonObject, opener: Member | None) -> None:
        """All three founders' groups say yes."""
        if opener is not None:
            await self.ok(opener, kind, content)
        motion = motion_id(CHAIN, kind, content)
        for voter in (ALPHA, BETA, GAMMA):
            if voter == opener:
                continue
            await self.cluster.engines[voter.did]._chain.wait_height(self.height)
            record = motion_of(self.cluster.engines[voter.did].state, motion)
            if record.status != "open":
                return
            ballot = MotionVote(motion=motion, opened_height=record.opened_height, ballot="yes")
            await self.ok(voter, "member.vote", ballot.to_json())


async def wait_for_validators(engine: CometEngine, count: int) -> None:
    async with asyncio.timeout(150):
        while True:
            answer = await engine._required_rpc.call("validators")
            if int(answer["total"]) == count and len(validator_powers(engine.state)) == count:
                return
            await asyncio.sleep(0.1)


async def join(cluster: Cluster, senders: Senders) -> CometEngine:
    """Epsilon's engine, which begins with a snapshot."""
    founders = [cluster.engines[one.did] for one in (ALPHA, BETA, GAMMA)]
    await asyncio.gather(*(engine._chain.wait_height(24) for engine in founders))
    senders.pause_s = 0.3  # a snapshot is offered until two newer ones are there
    head = await fetch_head(founders[0]._required_rpc, 4)
    servers = tuple(f"127.0.0.1:{cluster.ports[one.name].rpc}" for one in (ALPHA, BETA))
    cluster.write_home(EPSILON, SyncTrust(servers, 4, head.commit.block_id.hash))
    engine = cluster.engine(EPSILON)
    await engine.start()
    async with asyncio.timeout(150):
        while engine.status().height < founders[0].status().height - 2 or engine._chain.store.base() is None:
            await asyncio.sleep(0.1)
    return engine


async def test_a_validator_joins_by_state_sync_and_goes_while_transactions_flow(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path, (ALPHA, BETA, GAMMA), snapshot_blocks=20)
    engines = await cluster.start()
    senders = Senders(cluster)
    flow = asyncio.create_task(senders.flow())
    try:
        await senders.ok(ALPHA, "evidence.anchor", anchor_payload(None))
        newcomer = await join(cluster, senders)
        base = newcomer._chain.store.base()
        assert base is not None and base.height >= 20
        assert newcomer._chain.store.block(base.height) is None  # old blocks do not come with it

        today = day_of(cluster.clock.now_ms())
        await senders.ok(ALPHA, "member.apply", application(EPSILON))  # type: ignore[arg-type]
        for assessor, kind in ((BETA, "institution"), (ALPHA, "technology")):
            report = {"member": EPSILON.did, "kind": kind, "report": PAPER, "assessed_on": today, "passed": True}
            await senders.ok(assessor, "member.assess", report)
        await senders.motion("member.admit", {"member": EPSILON.did}, None)
        height = await senders.ok(EPSILON, "agreement.sign", agreement_payload())
        await asyncio.gather(*(wait_for_validators(engine, 4) for engine in (*engines, newcomer)))
        assert newcomer.status().role == "validator"

        for engine in (engines[0], newcomer):  # both prove under a head of the new validators
            await engine._chain.wait_height(height + 4)
            proof = await engine.prove_log(0)
            assert len(proof.head_chain) == 1
            changes = [parse_head(one) for one in proof.head_chain]
            final = verify_final_head(CHAIN, genesis_validators(cluster.genesis), changes, parse_head(proof.head))
            assert final.app_hash == engine._application.roots(final.height).app_hash
            assert "of 4 validators" in final.signer

        before = senders.flowing
        await senders.motion("member.expel", {"member": EPSILON.did, "reason": PAPER}, ALPHA)
        await asyncio.gather(*(wait_for_validators(engine, 3) for engine in engines))
        await asyncio.sleep(0)
        assert newcomer.status().stopped is None  # it follows on, without a vote
        assert senders.flowing > before > 0
        assert not flow.done()
    finally:
        flow.cancel()
        await asyncio.gather(flow, return_exceptions=True)
        await cluster.stop()
