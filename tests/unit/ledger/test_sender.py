"""Nonces under concurrency, restarts and refusals (LED-3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from ledger_kit import BETA, CHAIN, START_MS, agreement_payload, make_sequencer, update_payload
from lianzheng.adapters.consensus.embedded import EmbeddedSequencer
from lianzheng.clock import ManualClock
from lianzheng.errors import RefusedError
from lianzheng.ledger.nonces import highest_nonce
from lianzheng.ledger.ports import LedgerEngine, Receipt
from lianzheng.ledger.sender import TransactionSender
from lianzheng.ledger.state import MemoryState
from lianzheng.ledger.transaction import Transaction


async def test_three_hundred_at_once_all_stand_and_a_new_sender_continues(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(tmp_path, clock)
    await engine.start()
    sender = TransactionSender(engine, BETA.sign, CHAIN, BETA.did, "#node", clock)
    receipts = await asyncio.gather(
        *(sender.send("member.update", update_payload(number, "beta")) for number in range(300))
    )
    assert len({receipt.tx_id for receipt in receipts}) == 300
    assert highest_nonce(engine.state, BETA.did, "#node") == 300
    again = TransactionSender(engine, BETA.sign, CHAIN, BETA.did, "#node", clock)
    await again.send("agreement.sign", agreement_payload())
    assert highest_nonce(engine.state, BETA.did, "#node") == 301
    await engine.stop()


async def test_a_refusal_is_raised_with_its_code_and_many_at_the_door_do_not_jam_the_window(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(tmp_path, clock)
    await engine.start()
    sender = TransactionSender(engine, BETA.sign, CHAIN, BETA.did, "#node", clock)
    for _ in range(150):  # refused before authentication: no nonce is used
        with pytest.raises(RefusedError, match="kind_unknown"):
            await sender.send("no.such_kind", {})
    await sender.send("agreement.sign", agreement_payload())
    with pytest.raises(RefusedError, match="agreement_already_signed"):
        await sender.send("agreement.sign", agreement_payload())
    await engine.stop()


class _Behind:
    """A node that has just come back: it reads a state from before its own last transactions."""

    def __init__(self, engine: EmbeddedSequencer) -> None:
        self._engine = engine
        self.state = MemoryState()

    async def submit(self, tx: Transaction) -> Receipt:
        return await self._engine.submit(tx)


async def test_a_node_behind_the_ledger_finds_a_nonce_that_is_free(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(tmp_path, clock)
    await engine.start()
    before = TransactionSender(engine, BETA.sign, CHAIN, BETA.did, "#node", clock)
    for number in range(5):
        await before.send("member.update", update_payload(number, "beta"))
    behind = cast(LedgerEngine, _Behind(engine))
    again = TransactionSender(behind, BETA.sign, CHAIN, BETA.did, "#node", clock)
    await again.send("agreement.sign", agreement_payload())
    assert highest_nonce(engine.state, BETA.did, "#node") == 6
    await engine.stop()
