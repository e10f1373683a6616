"""Nonces under concurrency, restarts and refusals (LED-3)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from ledger_kit import BETA, CHAIN, START_MS, agreement_payload, make_sequencer, update_payload
from lianzheng.clock import ManualClock
from lianzheng.errors import RefusedError
from lianzheng.ledger.nonces import highest_nonce
from lianzheng.ledger.sender import TransactionSender


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
