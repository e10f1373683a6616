"""Checkpoints over real validators: each recomputes what the header carries, and a record's entry stands under it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from checkpoint_kit import DeskLink
from comet_kit import MEMBERS, Cluster, needs_engine
from ledger_kit import anchor_payload
from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.adapters.storage.checkpoints import SqlCheckpointStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.clock import SystemClock
from lianzheng.flows.checkpoints import CheckpointDesk, Cosigner, members_as_cosigners
from lianzheng.governance.service import MemberDirectory
from lianzheng.ledger.checkpoint import Checkpoint
from lianzheng.ledger.cometbft import CometHead, verify_comet_head
from lianzheng.ledger.note import Note
from lianzheng.ledger.proofs import verify_inclusion

pytestmark = needs_engine


async def test_validators_cosign_a_checkpoint_of_their_chain(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    engines = await cluster.start()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(cluster.stop)
        desks: dict[str, CheckpointDesk] = {}
        for member, engine in zip(MEMBERS, engines, strict=True):
            database = Database(sqlite_url(tmp_path / f"{member.name}.db"))
            await database.open()
            stack.push_async_callback(database.close)
            desks[member.did] = CheckpointDesk(
                cluster.genesis.chain_id, member.did, member.sign, engine.history, _cosigners(engine),
                SqlCheckpointStore(database), DeskLink(desks), SystemClock(), 0,
            )  # fmt: skip
        alpha = MEMBERS[0]
        now = cluster.clock.now_ms()
        receipt = await engines[0].submit(alpha.transaction("evidence.anchor", anchor_payload(None), 1, now))
        assert receipt.result.ok
        await engines[0].prove_log(0)  # a block follows that carries it
        async with asyncio.timeout(150):
            found = await desks[alpha.did].collect()
        note = Note.from_bytes(found.kept.note.encode())
        assert found.failed == {}
        assert {one.name for one in note.signatures} == {member.did for member in MEMBERS}
        checkpoint, head = Checkpoint.from_text(note.text), CometHead.from_json(found.kept.standing.head)
        assert checkpoint.head_hash == verify_comet_head(head, cluster.genesis.chain_id)
        assert (checkpoint.height, checkpoint.app_hash) == (head.header.height - 1, head.header.app_hash)
        entry, path = engines[0].history.log_entry(0, checkpoint.log_size)
        verify_inclusion(entry, 0, checkpoint.log_size, path, checkpoint.log_root)


def _cosigners(engine: CometEngine) -> Callable[[], tuple[Cosigner, ...]]:
    def members() -> tuple[Cosigner, ...]:
        found = members_as_cosigners(MemberDirectory(lambda: engine.state), engine.state, None)
        return tuple(replace(one, reachable=True) for one in found)  # the link here needs no endpoint

    return members
