"""What a follower must not swallow: divergence, forks, rollbacks, stale heads (GATE-4, ledger.md embedded)."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from ledger_kit import (
    ALPHA,
    BETA,
    GAMMA,
    START_MS,
    DirectLink,
    agreement_payload,
    make_follower,
    make_genesis,
    make_sequencer,
    update_payload,
)
from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.contracts.registry import ALL_RULES
from lianzheng.errors import ConfigError, UnavailableError, VerificationError
from lianzheng.governance.model import AgreementSign
from lianzheng.ledger.block import Block, SignedHead, head_signing_bytes
from lianzheng.ledger.context import Effects, RuleSpec
from lianzheng.ledger.genesis import genesis_digest
from lianzheng.ledger.statement import HeadStatement, make_statement
from lianzheng.limits import HEAD_FRESH_MS


async def _until(condition: Callable[[], bool]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("the awaited condition did not come")


async def _sign(engine: EmbeddedSequencer, party: object = GAMMA, nonce: int = 1) -> None:
    receipt = await engine.submit(party.transaction("agreement.sign", agreement_payload(), nonce))  # type: ignore[attr-defined]
    assert receipt.result.ok


async def _network(folder: Path, clock: ManualClock) -> tuple[EmbeddedSequencer, DirectLink, EmbeddedFollower]:
    sequencer = make_sequencer(folder / "a", clock)
    await sequencer.start()
    link = DirectLink(sequencer)
    follower = make_follower(folder / "b", link, clock)
    await follower.start()
    return sequencer, link, follower


async def test_a_differing_state_stops_the_follower_and_names_the_height(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer = make_sequencer(tmp_path / "a", clock)
    await sequencer.start()

    def other(*_: object) -> Effects:
        return Effects(writes=(("agreement/other", {"v": 1}),))

    rules = (RuleSpec("agreement.sign", AgreementSign, other), *ALL_RULES[1:])
    link = DirectLink(sequencer)
    follower = make_follower(tmp_path / "b", link, clock, machine=Machine(make_genesis(), rules))
    await follower.start()
    await sequencer.submit(GAMMA.transaction("member.update", update_payload(1, "gamma"), 1))
    await _until(lambda: follower.status().height == 1)
    await _sign(sequencer, nonce=2)
    await _until(lambda: follower.status().stopped is not None)
    assert follower.status().stopped == "state_diverged" and follower.status().height == 1
    assert follower.state.get("agreement/other") is None, "what diverged is never served"
    with pytest.raises(UnavailableError, match="state_diverged.*height 2"):
        follower.assert_fresh()
    with pytest.raises(UnavailableError, match="state_diverged"):
        await follower.submit(BETA.transaction("agreement.sign", agreement_payload(), 1))
    await follower.stop()
    await sequencer.stop()


def _resign(block: Block, **changes: object) -> SignedHead:
    head = block.head.head.model_copy(update=changes)
    return SignedHead(head=head, signature=ALPHA.sign(head_signing_bytes(head)))


@pytest.mark.parametrize(
    ("alter", "code"),
    [
        (lambda block: block.model_copy(update={"transactions": ()}), "block_invalid"),
        (lambda block: block.model_copy(update={"results": ()}), "block_invalid"),
        (
            lambda block: block.model_copy(update={"head": block.head.model_copy(update={"signature": b"\0" * 64})}),
            "head_signature_invalid",
        ),
        (lambda block: block.model_copy(update={"head": _resign(block, height=2)}), "block_invalid"),
        (lambda block: block.model_copy(update={"head": _resign(block, chain_id="other")}), "block_invalid"),
        (lambda block: block.model_copy(update={"head": _resign(block, previous=b"p" * 32)}), "block_invalid"),
        (lambda block: block.model_copy(update={"head": _resign(block, txs_root=b"p" * 32)}), "block_invalid"),
        (lambda block: block.model_copy(update={"head": _resign(block, results_root=b"p" * 32)}), "block_invalid"),
        (lambda block: block.model_copy(update={"head": _resign(block, time_ms=START_MS)}), "block_invalid"),
    ],
)
async def test_a_block_that_does_not_follow_is_not_applied(
    tmp_path: Path, alter: Callable[[Block], Block], code: str
) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    link.change_blocks = lambda blocks: [alter(Block.parse(data)).to_bytes() for data in blocks]
    await _sign(sequencer)
    with pytest.raises(VerificationError) as caught:
        await follower.sync()
    assert caught.value.code == code
    assert follower.status().height == 0
    link.change_blocks = lambda blocks: blocks
    await follower.sync()
    assert follower.status().height == 1, "a bad transport is not the end"
    await follower.stop()
    await sequencer.stop()


async def _fork(tmp_path: Path, clock: ManualClock, meet: Callable[[DirectLink], Awaitable[None]]) -> None:
    """Alpha signs two chains: beta follows the one, then meets the other."""
    sequencer, link, follower = await _network(tmp_path, clock)
    await _sign(sequencer)
    await follower.sync()
    rival = make_sequencer(tmp_path / "rival", clock)
    await rival.start()
    await _sign(rival, BETA)
    await _sign(rival, ALPHA)
    link.sequencer = rival
    await meet(link)
    await _until(lambda: follower.status().stopped is not None)
    assert follower.status().stopped == "ledger_forked"
    proof = json.loads((tmp_path / "b" / "ledger.sqlite.fork.json").read_bytes())
    mine, other = (SignedHead.from_json(head) for head in proof["heads"])
    assert mine.head.height == other.head.height == 1 and mine != other
    with pytest.raises(UnavailableError, match="ledger_forked"):
        follower.assert_fresh()
    await follower.stop()
    again = make_follower(tmp_path / "b", link, clock)
    with pytest.raises(UnavailableError, match="ledger_forked"):
        await again.start()
    await sequencer.stop()
    await rival.stop()


async def test_two_heads_of_one_height_stop_the_follower_and_are_kept(tmp_path: Path) -> None:
    async def nothing(link: DirectLink) -> None:
        return None

    await _fork(tmp_path, ManualClock(START_MS + 1), nothing)


async def test_freshness_lasts_sixty_seconds_from_sending_the_nonce(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    await follower.refresh()
    follower.assert_fresh()
    sequencer.assert_fresh()
    link.cut = True
    clock.advance(HEAD_FRESH_MS)
    follower.assert_fresh()
    clock.advance(1)
    with pytest.raises(UnavailableError, match="ledger_stale"):
        follower.assert_fresh()
    link.cut = False
    await follower.refresh()
    follower.assert_fresh()
    await follower.stop()
    await sequencer.stop()


async def test_an_answer_over_an_old_nonce_or_by_another_member_does_not_count(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    await follower.refresh()
    recorded = await sequencer.head_statement(b"o" * 32)
    clock.advance(HEAD_FRESH_MS + 1)

    def by_beta(answer: HeadStatement) -> HeadStatement:
        return make_statement(answer.statement, BETA.did, answer.head, BETA.sign)

    for change in (lambda _: recorded, by_beta):
        link.change_statement = change
        with pytest.raises(VerificationError):
            await follower.refresh()
        with pytest.raises(UnavailableError, match="ledger_stale"):
            follower.assert_fresh()
    await follower.stop()
    await sequencer.stop()


async def test_a_node_behind_a_head_that_was_shown_is_not_fresh_until_it_has_caught_up(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    link.change_blocks = lambda blocks: []
    await _sign(sequencer)
    await follower.refresh()
    with pytest.raises(UnavailableError, match="ledger_stale"):
        follower.assert_fresh()
    assert follower.status().lag == 1
    link.change_blocks = lambda blocks: blocks
    await follower.sync()
    follower.assert_fresh()
    await follower.stop()
    await sequencer.stop()


async def test_a_sequencer_that_states_less_than_it_showed_does_not_make_fresh(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    await _sign(sequencer)
    await follower.sync()
    clock.advance(HEAD_FRESH_MS + 1)
    empty = make_sequencer(tmp_path / "restored", clock)
    await empty.start()
    link.sequencer = empty
    with pytest.raises(VerificationError, match="statement_outdated"):
        await follower.refresh()
    with pytest.raises(UnavailableError, match="ledger_stale"):
        follower.assert_fresh()
    for engine in (follower, sequencer, empty):
        await engine.stop()


async def test_a_restored_older_database_is_not_served_from(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    await _sign(sequencer)
    await follower.sync()
    await follower.stop()
    await sequencer.stop()
    for name in ("a", "b"):
        shutil.copytree(tmp_path / name, tmp_path / f"backup-{name}")
    sequencer, link, follower = await _network(tmp_path, clock)
    await _sign(sequencer, BETA)
    await follower.sync()
    await follower.stop()
    await sequencer.stop()
    for name in ("a", "b"):  # the database comes back from a backup; the height file does not
        for file in (tmp_path / name).glob("ledger.sqlite*"):
            file.unlink()
        shutil.copy(tmp_path / f"backup-{name}" / "ledger.sqlite", tmp_path / name)
    with pytest.raises(UnavailableError, match="ledger_rolled_back.*height 2"):
        await make_sequencer(tmp_path / "a", clock).start()
    link.cut = True
    follower = make_follower(tmp_path / "b", link, clock)
    await follower.start()
    with pytest.raises(UnavailableError, match="ledger_rolled_back.*height 2"):
        follower.assert_fresh()
    with pytest.raises(UnavailableError, match="ledger_rolled_back"):
        await follower.head_statement(b"n" * 32)
    await follower.stop()


async def test_a_follower_restored_from_backup_serves_again_only_on_the_chain_it_served(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, link, follower = await _network(tmp_path, clock)
    for party in (BETA, GAMMA):
        await _sign(sequencer, party)
    await follower.sync()
    await follower.stop()
    for file in (tmp_path / "b").glob("ledger.sqlite*"):
        file.unlink()
    follower = make_follower(tmp_path / "b", link, clock)
    await follower.start()
    await follower.sync()
    await follower.refresh()
    follower.assert_fresh()
    await follower.stop()
    for file in (tmp_path / "b").glob("ledger.sqlite*"):
        file.unlink()
    rival = make_sequencer(tmp_path / "rival", clock)
    await rival.start()
    for party in (GAMMA, BETA):
        await _sign(rival, party)
    follower = make_follower(tmp_path / "b", DirectLink(rival), clock)
    await follower.start()
    await _until(lambda: follower.status().stopped is not None)
    assert follower.status().stopped == "ledger_forked" and follower.status().height == 1
    for engine in (follower, sequencer, rival):
        await engine.stop()


async def test_two_engines_cannot_share_one_folder(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    first = make_sequencer(tmp_path, clock)
    await first.start()
    with pytest.raises(ConfigError, match="ledger_in_use"):
        await make_sequencer(tmp_path, clock).start()
    await first.stop()


async def test_a_head_shown_by_another_follower_counts(tmp_path: Path) -> None:
    clock = ManualClock(START_MS + 1)
    sequencer, _, witness = await _network(tmp_path, clock)
    blind = DirectLink(sequencer)
    blind.change_blocks = lambda blocks: []

    def of_genesis(answer: HeadStatement) -> HeadStatement:
        old = answer.statement.model_copy(update={"height": 0, "head_hash": genesis_digest(make_genesis())})
        return make_statement(old, ALPHA.did, None, ALPHA.sign)

    blind.change_statement = of_genesis
    follower = make_follower(tmp_path / "c", blind, clock, GAMMA, witnesses=(Witness(witness),))
    await follower.start()
    await follower.refresh()
    follower.assert_fresh()
    await _sign(sequencer)
    await witness.sync()
    await follower.refresh()
    with pytest.raises(UnavailableError, match="ledger_stale"):
        follower.assert_fresh()
    for engine in (follower, witness, sequencer):
        await engine.stop()


class Witness:
    """Another follower, asked directly."""

    did = BETA.did

    def __init__(self, engine: EmbeddedFollower) -> None:
        self.engine = engine

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        return await self.engine.head_statement(nonce)
