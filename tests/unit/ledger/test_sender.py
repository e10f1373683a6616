"""Nonces under concurrency, restarts and refusals (LED-3)."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import pytest

from ledger_kit import BETA, CHAIN, START_MS, agreement_payload, make_sequencer, update_payload
from lianzheng.adapters.consensus.embedded import EmbeddedSequencer
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.outbox import SqlOutbox
from lianzheng.clock import ManualClock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import RefusedError, UnavailableError
from lianzheng.ledger.context import StateView
from lianzheng.ledger.nonces import highest_nonce
from lianzheng.ledger.ports import LedgerEngine, Receipt
from lianzheng.ledger.sender import TransactionSender
from lianzheng.ledger.state import MemoryState
from lianzheng.ledger.transaction import Transaction
from lianzheng.limits import TRANSACTION_LIFE_MS


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


class _Losing:
    """An engine whose answers are lost while ``away``: what was sent stands all the same."""

    def __init__(self, engine: EmbeddedSequencer) -> None:
        self._engine = engine
        self.away = False
        self.deaf = False

    @property
    def state(self) -> StateView:
        return self._engine.state

    async def submit(self, tx: Transaction) -> Receipt:
        if self.deaf:
            raise UnavailableError("ledger_unavailable", "never arrived")
        receipt = await self._engine.submit(tx)
        if self.away:
            raise UnavailableError("ledger_unavailable", "gone")
        return receipt


class _Member:
    """BETA with an outbox; each ``sender`` is a new process on it. An agreement is signed once only."""

    def __init__(self, folder: Path) -> None:
        self.clock = ManualClock(START_MS + 1)
        self.engine = make_sequencer(folder, self.clock)
        self.losing = _Losing(self.engine)
        self.database = Database(sqlite_url(folder / "node.db"))
        self.outbox = SqlOutbox(self.database)

    async def __aenter__(self) -> _Member:
        await self.database.open()
        await self.engine.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.engine.stop()
        await self.database.close()

    def sender(self) -> TransactionSender:
        engine = cast(LedgerEngine, self.losing)
        return TransactionSender(
            engine, BETA.sign, CHAIN, BETA.did, "#node", self.clock, outbox=self.outbox, once=("agreement.sign",)
        )

    async def lose(self, kind: str, payload: JsonObject) -> None:
        self.losing.away = True
        with pytest.raises(UnavailableError):
            await self.sender().send(kind, payload)
        self.losing.away = False

    @property
    def used(self) -> int:
        return highest_nonce(self.engine.state, BETA.did, "#node")


async def test_an_act_whose_answer_was_lost_stands_once_and_its_repeat_is_told(tmp_path: Path) -> None:
    async with _Member(tmp_path) as member:
        await member.lose("member.update", update_payload(1, "beta"))
        again = await member.sender().send("member.update", update_payload(1, "beta"))
        assert (again.result.code, member.used) == ("ok", 1)
        await member.sender().send("member.update", update_payload(1, "beta"))  # told: the next is another act
        assert member.used == 2


async def test_an_act_that_happens_once_is_told_its_first_receipt_for_as_long_as_it_is_kept(tmp_path: Path) -> None:
    async with _Member(tmp_path) as member:
        first = await member.sender().send("agreement.sign", agreement_payload())
        assert await member.sender().send("agreement.sign", agreement_payload()) == first
        twins = await asyncio.gather(*(member.sender().send("agreement.sign", agreement_payload()) for _ in range(3)))
        assert (twins, member.used) == ([first] * 3, 1)
        await member.outbox.forget(member.clock.now_ms() + 1)
        with pytest.raises(RefusedError, match="agreement_already_signed"):
            await member.sender().send("agreement.sign", agreement_payload())


async def test_two_at_once_of_one_sender_are_one_act(tmp_path: Path) -> None:
    async with _Member(tmp_path) as member:
        sender = member.sender()
        first, second = await asyncio.gather(*(sender.send("agreement.sign", agreement_payload()) for _ in range(2)))
        assert (first, member.used) == (second, 1)


async def test_a_lost_act_is_not_sent_again_after_a_later_one_of_its_kind(tmp_path: Path) -> None:
    """Else an old profile would come back over a newer one, and be taken for the answer to a third."""
    async with _Member(tmp_path) as member:
        await member.lose("member.update", update_payload(1, "beta"))
        await member.sender().send("member.update", update_payload(2, "beta"))
        await member.sender().send("member.update", update_payload(1, "beta"))
        assert member.used == 3


async def test_bytes_that_never_arrived_and_expired_are_signed_anew(tmp_path: Path) -> None:
    async with _Member(tmp_path) as member:
        member.losing.deaf = True
        await member.lose("agreement.sign", agreement_payload())
        member.losing.deaf = False
        member.clock.advance(TRANSACTION_LIFE_MS + 1)
        receipt = await member.sender().send("agreement.sign", agreement_payload())
        assert (receipt.result.code, member.used) == ("ok", 1)
