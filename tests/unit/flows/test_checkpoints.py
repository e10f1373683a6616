"""Nodes sign what they replayed, one text a height, and collect each other's signatures (EV-6, B33, CON-7)."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checkpoint_kit import REGULATOR_NAME, desk, table, witness
from ledger_kit import ALPHA, BETA, CHAIN, DELTA, GAMMA, Party
from lianzheng.adapters.storage.checkpoints import SqlCheckpointStore
from lianzheng.crypto import ed25519
from lianzheng.errors import LianzhengError
from lianzheng.ledger.checkpoint import Checkpoint, cosigner_key, log_key, origin_of
from lianzheng.ledger.note import Note, NoteKey, cosign_note, sign_note, verify_note

pytestmark = pytest.mark.asyncio


def key_of(party: Party) -> NoteKey:
    if party is ALPHA:
        return log_key(CHAIN, ALPHA.operation.keys[0].multikey)
    return cosigner_key(party.did, ed25519.public_key(party.seed))


def noted(checkpoint: Checkpoint, party: Party = GAMMA) -> bytes:
    text, key = checkpoint.to_text(), key_of(party)
    made = sign_note(text, key, party.sign) if party is ALPHA else cosign_note(text, key, party.sign, 1_790_000_000)
    return Note(text, (made,)).to_bytes()


async def test_everybody_signs_the_sequencers_checkpoint(tmp_path: Path) -> None:
    async with table(tmp_path, [witness()]) as net:
        for fill in (1, 2, 3):
            await net.anchor(fill)
        found = await net.desks[ALPHA.did].collect()
        assert found.groups == ("beta", "gamma", "regulator")
        assert found.failed == {}  # delta runs no node and is not asked
        note = Note.from_bytes(found.kept.note.encode())
        assert note.signatures[0].name == origin_of(CHAIN)
        keys = [key_of(one) for one in (ALPHA, BETA, GAMMA)] + [witness().key(CHAIN)]
        assert len(verify_note(note, keys)) == len(note.signatures) == 4
        head = net.sequencer.status()
        assert Checkpoint.from_text(note.text) == Checkpoint(
            CHAIN,
            3,
            net.sequencer.history.log_root(3),
            head.height,
            head.head_hash,
            head.app_hash,
            Checkpoint.from_text(note.text).signers,
        )
        assert all(one.time_s == net.clock.now_ms() // 1000 for one in note.signatures[1:])
        assert await net.desks[ALPHA.did].get() == found.kept
        assert await net.desks[ALPHA.did].get(head.height) == found.kept
        assert [one[0] for one in await net.desks[ALPHA.did].page(None, 10)] == [head.height]


async def test_a_follower_and_a_witness_collect_too_and_the_log_signs_first(tmp_path: Path) -> None:
    async with table(tmp_path, [witness()]) as net:
        await net.anchor(1)
        for name, groups in (
            (BETA.did, ("beta", "gamma", "regulator")),
            (REGULATOR_NAME, ("beta", "gamma", "regulator")),
        ):
            found = await net.desks[name].collect()
            assert found.groups == groups
            assert Note.from_bytes(found.kept.note.encode()).signatures[0].name == origin_of(CHAIN)


async def test_who_is_down_or_answers_wrongly_is_left_out_and_named(tmp_path: Path) -> None:
    async with table(tmp_path, [witness()]) as net:
        await net.anchor(1)
        net.link.down = {BETA.did}
        net.link.change = lambda name, lines: lines[:-3] + b"A=\n" if name == GAMMA.did else lines
        found = await net.desks[ALPHA.did].collect()
        assert found.groups == ("regulator",)
        assert found.failed[BETA.did] == "peer_unreachable"
        assert found.failed[GAMMA.did] in ("note_malformed", "note_signature_invalid")
        net.link.down = {BETA.did, GAMMA.did, REGULATOR_NAME}
        with pytest.raises(LianzhengError, match="checkpoint_not_cosigned"):
            await net.desks[ALPHA.did].collect()
        with pytest.raises(LianzhengError, match="checkpoint_not_cosigned"):  # the sequencer's is no other group's
            await net.desks[BETA.did].collect()


async def test_a_node_signs_nothing_that_it_did_not_replay(tmp_path: Path) -> None:
    async with table(tmp_path) as net:
        for fill in (1, 2):
            await net.anchor(fill)
        beta = net.desks[BETA.did]
        real = (await net.sequencer.history.standing()).checkpoint(CHAIN)
        for change in (
            {"log_size": 1},
            {"log_root": bytes(32)},
            {"height": real.height - 1},
            {"head_hash": bytes(32)},
            {"app_hash": bytes(32)},
            {"signers": bytes(32)},
        ):
            for party in (ALPHA, GAMMA):
                with pytest.raises(LianzhengError, match="checkpoint_differs"):
                    await beta.answer(noted(replace(real, **change), party))
        with pytest.raises(LianzhengError, match="checkpoint_foreign"):
            await beta.answer(noted(replace(real, chain_id="other")))
        with pytest.raises(LianzhengError, match="height_not_reached"):
            await beta.answer(noted(replace(real, height=real.height + 1)))
        stranger = Party("stranger")
        with pytest.raises(LianzhengError, match="note_unsigned"):
            await beta.answer(noted(real, stranger))
        forged = noted(real).replace(GAMMA.did.encode(), DELTA.did.encode())
        with pytest.raises(LianzhengError, match="note_unsigned"):
            await beta.answer(forged)
        altered = Note.from_bytes(noted(real))
        one = altered.signatures[0]
        altered = Note(altered.text, (replace(one, signature=one.signature[:-1] + bytes([one.signature[-1] ^ 1])),))
        with pytest.raises(LianzhengError, match="note_signature_invalid"):
            await beta.answer(altered.to_bytes())
        assert await net.stores[BETA.did].last_signed() is None  # a refusal signs and remembers nothing
        line = (await beta.answer(noted(real))).decode()
        assert line.startswith(f"\u2014 {BETA.did} ")


async def test_every_height_that_was_replayed_can_be_told_and_none_below_one_signed(tmp_path: Path) -> None:
    async with table(tmp_path) as net:
        standings = []
        for fill in range(1, 25):  # more than the heights that proofs are made for
            await net.anchor(fill)
            standings.append((await net.sequencer.history.standing()).checkpoint(CHAIN))
        beta = net.desks[BETA.did]
        for checkpoint in standings:
            assert await net.engines[BETA.did].history.checkpoint(checkpoint.height) == checkpoint
        assert [one.log_size for one in standings] == list(range(1, 25))
        await beta.answer(noted(standings[10]))
        await beta.answer(noted(standings[10], ALPHA))  # the same again
        with pytest.raises(LianzhengError, match="checkpoint_outdated"):
            await beta.answer(noted(standings[9]))
        await beta.answer(noted(standings[20]))


async def test_memory_outlives_a_restart_and_is_stronger_than_the_chain(tmp_path: Path) -> None:
    async with table(tmp_path) as net:
        await net.anchor(1)
        first = (await net.sequencer.history.standing()).checkpoint(CHAIN)
        store = net.stores[BETA.did]
        other = replace(first, app_hash=bytes(32)).to_text()
        assert await store.remember(first.height, other) == other
        again = desk(BETA.did, BETA, net.engines[BETA.did], SqlCheckpointStore(store._database), net.link, net.clock)
        with pytest.raises(LianzhengError, match="checkpoint_conflict"):
            await again.answer(noted(first))
        assert await store.last_signed() == other
        await net.anchor(2)
        later = (await net.sequencer.history.standing()).checkpoint(CHAIN)
        lost = replace(first, height=first.height + 1, log_root=bytes(32), log_size=1)
        await store.remember(lost.height, lost.to_text())
        with pytest.raises(LianzhengError, match="checkpoint_inconsistent"):
            await again.answer(noted(later))


async def test_the_schedule_collects_and_warns(tmp_path: Path) -> None:
    async with table(tmp_path, every_hours=24) as net:
        await net.anchor(1)
        alpha = net.desks[ALPHA.did]
        await alpha.run_due()  # the first minute belongs to the start
        assert await alpha.page(None, 10) == ()
        assert "48 h" in (await alpha.warnings())[0]
        net.clock.advance(60_000)
        await alpha.run_due()
        assert len(await alpha.page(None, 10)) == 1
        assert await alpha.warnings() == ()
        await net.anchor(2)
        net.clock.advance(23 * 3_600_000)
        await alpha.run_due()
        assert len(await alpha.page(None, 10)) == 1
        net.clock.advance(3_600_000)
        await alpha.run_due()
        assert len(await alpha.page(None, 10)) == 2
        net.clock.advance(48 * 3_600_000)
        assert await alpha.warnings() == ()
        net.clock.advance(1)
        assert "48 h" in (await alpha.warnings())[0]
