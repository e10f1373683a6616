"""The embedded engine: acknowledgement, repeats, rebuilding, following, events, heartbeat."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ledger_kit import (
    ALPHA,
    BETA,
    CHAIN,
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
from lianzheng.clock import ManualClock
from lianzheng.errors import ConfigError, NotFoundError, UnavailableError
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.block import Block, SignedHead, head_hash, verify_signed_head
from lianzheng.ledger.genesis import genesis_digest
from lianzheng.ledger.proofs import verify_inclusion
from lianzheng.ledger.sender import TransactionSender
from lianzheng.ledger.transaction import transaction_id


def _clock() -> ManualClock:
    return ManualClock(START_MS + 1)


async def test_a_receipt_names_a_durable_block_that_another_process_could_read(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    tx = BETA.transaction("agreement.sign", agreement_payload(), 1)
    receipt = await engine.submit(tx)
    block = Block.parse((await engine.blocks(1, 10))[0])
    assert (receipt.height, receipt.index, receipt.result.code) == (1, 0, "ok")
    assert receipt.tx_id == transaction_id(tx.body)
    assert block.transactions == (tx.to_bytes(),)
    assert block.head.head.previous == genesis_digest(make_genesis())
    verify_signed_head(block.head, make_genesis().sequencer.key)
    await engine.stop()


async def test_a_repeat_returns_the_earlier_receipt_now_and_after_a_restart(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    tx = BETA.transaction("agreement.sign", agreement_payload(), 1)
    first, same = await asyncio.gather(engine.submit(tx), engine.submit(tx))
    refused = await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 2))
    assert first == same == await engine.submit(tx)
    assert refused.result.code == "agreement_already_signed" and refused.height == 2
    await engine.stop()
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    assert await engine.submit(tx) == first
    assert await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 2)) == refused
    assert engine.status().height == 2
    await engine.stop()


async def test_a_forged_copy_does_not_take_the_place_of_the_real_act(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    tx = BETA.transaction("agreement.sign", agreement_payload(), 1)
    forged = tx.model_copy(update={"proof": tx.proof.model_copy(update={"sig": b"\0" * 64})})
    refused = await engine.submit(forged)
    assert (refused.height, refused.result.code) == (0, "signature_invalid")
    assert (await engine.submit(tx)).result.ok
    await engine.stop()


async def test_state_rebuilt_from_blocks_alone_is_identical(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    for nonce in range(1, 6):
        await engine.submit(BETA.transaction("member.update", update_payload(nonce, "beta"), nonce))
    await engine.submit(GAMMA.transaction("evidence.anchor", anchor_payload(None), 1))
    before = engine.status()
    await engine.stop()
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    assert engine.status() == before
    await engine.stop()


async def test_followers_reach_the_same_hash_after_every_block(tmp_path: Path) -> None:
    clock = _clock()
    sequencer = make_sequencer(tmp_path / "a", clock)
    await sequencer.start()
    link = DirectLink(sequencer)
    followers = [make_follower(tmp_path / party.name, link, clock, party) for party in (BETA, GAMMA)]
    for follower in followers:
        await follower.start()
    for nonce in range(1, 4):
        for party, follower in zip((BETA, GAMMA), followers, strict=True):
            tx = party.transaction("member.update", update_payload(nonce, party.name), nonce)
            receipt = await follower.submit(tx)
            assert receipt.result.ok and follower.status().height >= receipt.height
    heads = [SignedHead.from_json(Block.parse(data).head.to_json()) for data in await sequencer.blocks(1, 100)]
    for follower in followers:
        await follower.sync()
        assert follower.status().app_hash == sequencer.status().app_hash == heads[-1].head.app_hash
        assert follower.status().head_hash == head_hash(heads[-1].head)
        await follower.stop()
    await sequencer.stop()


async def test_a_follower_restarts_without_the_sequencer_and_catches_up(tmp_path: Path) -> None:
    clock = _clock()
    sequencer = make_sequencer(tmp_path / "a", clock)
    await sequencer.start()
    link = DirectLink(sequencer)
    follower = make_follower(tmp_path / "b", link, clock)
    await follower.start()
    await follower.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
    await follower.stop()
    await sequencer.submit(GAMMA.transaction("agreement.sign", agreement_payload(), 1))
    link.cut = True
    follower = make_follower(tmp_path / "b", link, clock)
    await follower.start()
    assert follower.status().height == 1
    with pytest.raises(UnavailableError, match="ledger_stale"):
        follower.assert_fresh()
    with pytest.raises(UnavailableError, match="peer_unreachable"):
        await follower.submit(BETA.transaction("member.update", update_payload(1, "beta"), 2))
    link.cut = False
    assert await follower.sync() + 1 == 2 or follower.status().height == 2
    assert follower.status().height == 2
    await follower.stop()
    await sequencer.stop()


async def test_log_proofs_hold_under_the_signed_head(tmp_path: Path) -> None:
    clock = _clock()
    engine = make_sequencer(tmp_path, clock)
    await engine.start()
    with pytest.raises(NotFoundError, match="log_entry_unknown"):
        await engine.prove_log(0)
    for party in (ALPHA, BETA, GAMMA):
        await engine.submit(party.transaction("evidence.anchor", anchor_payload(None), 1))
    for index in range(3):
        proof = await engine.prove_log(index)
        head = SignedHead.from_json(proof.head)
        verify_signed_head(head, make_genesis().sequencer.key)
        verify_inclusion(proof.entry, proof.index, proof.log_size, proof.path, proof.log_root)
        assert app_hash(proof.schema, proof.log_root, proof.log_size, proof.state_root) == head.head.app_hash
        assert proof.log_size == 3 and proof.head_chain == ()
    with pytest.raises(NotFoundError, match="log_entry_unknown"):
        await engine.prove_log(3)
    await engine.stop()


async def test_events_resume_from_a_height_and_end_with_the_engine(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
    await engine.submit(BETA.transaction("evidence.anchor", anchor_payload(None), 2))
    seen: list[tuple[int, str, str]] = []

    async def listen() -> None:
        async for event in engine.events(2):
            seen.append((event["height"], event["kind"], event["code"]))

    task = asyncio.create_task(listen())
    await engine.submit(BETA.transaction("evidence.anchor", anchor_payload(None), 3))
    await engine.stop()
    await task
    assert seen[0] == (2, "evidence.anchor", "ok")
    assert seen[1:] in ([], [(3, "evidence.anchor", "anchor_previous_mismatch")])


async def test_a_quiet_chain_gets_a_block_at_each_heartbeat_and_none_between(tmp_path: Path) -> None:
    clock = _clock()
    engine = make_sequencer(tmp_path, clock, heartbeat_ms=20)
    await engine.start()
    assert engine.status().height == 0
    clock.advance(20)
    for _ in range(200):
        await asyncio.sleep(0.005)
        if engine.status().height:
            break
    assert engine.status().height == 1 and engine.now_block_ms() == START_MS + 21
    await asyncio.sleep(0.05)
    assert engine.status().height == 1, "the clock stood still: no second block"
    await engine.stop()


async def test_block_time_moves_forward_even_when_the_clock_is_set_back(tmp_path: Path) -> None:
    clock = _clock()
    engine = make_sequencer(tmp_path, clock)
    await engine.start()
    first = await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
    clock.advance(-500)
    second = await engine.submit(GAMMA.transaction("agreement.sign", agreement_payload(), 1))
    assert second.time_ms == first.time_ms + 1
    await engine.stop()


async def test_a_database_of_another_network_is_refused(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    await engine.stop()
    other = make_genesis().model_copy(update={"time_ms": START_MS + 1})
    with pytest.raises(ConfigError, match="genesis_mismatch"):
        await make_sequencer(tmp_path, _clock(), other).start()


async def test_a_stopped_engine_takes_nothing_and_says_so(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock())
    await engine.start()
    await engine.stop()
    with pytest.raises(UnavailableError, match="ledger_stopped"):
        await engine.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
    assert engine.status().stopped == "ledger_stopped"


async def test_status_states_what_the_engine_does_not_protect_against(tmp_path: Path) -> None:
    warnings = " ".join(make_sequencer(tmp_path, _clock()).status().warnings)
    assert "operator" in warnings and "fewer than four" in warnings


async def test_a_thousand_transactions_fill_blocks_of_at_most_five_hundred(tmp_path: Path) -> None:
    engine = make_sequencer(tmp_path, _clock(), interval_ms=1000)
    await engine.start()
    clock = _clock()
    senders = [TransactionSender(engine, party.sign, CHAIN, party.did, "#node", clock) for party in (ALPHA, BETA)]
    for sender in senders:
        await asyncio.gather(*(sender.send("member.update", update_payload(1, str(id(sender)))) for _ in range(60)))
    blocks = [Block.parse(data) for data in await engine.blocks(1, 500)]
    assert sum(len(block.transactions) for block in blocks) == 120
    assert all(0 < len(block.transactions) <= 500 for block in blocks)
    await engine.stop()
