"""GATE-4 under CometBFT: which statements count, and when a head is fresh."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from comet_kit import CHAIN, MEMBERS, Member, make_head, seed
from lianzheng.adapters.consensus.cometbft.freshness import CometFreshness, Ring
from lianzheng.adapters.consensus.cometbft.precommit import last_precommit_height
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.framing import tagged
from lianzheng.errors import UnavailableError
from lianzheng.ledger.cometbft import CometHead, CometStatement
from lianzheng.ledger.cometbft.encoding import header_hash
from lianzheng.ledger.cometbft.powers import in_order
from lianzheng.ledger.statement import Statement

ME, BETA, GAMMA, DELTA = MEMBERS
POWERS = {member.validator: 2520 for member in MEMBERS}
SET = in_order(POWERS)
RING = Ring(
    keys={member.did: member.validator for member in MEMBERS},
    powers=POWERS,
    node_keys={member.did: ed25519.public_key(seed(f"node {member.name}")) for member in MEMBERS},
)
Answer = Callable[[bytes], CometStatement]


def state(member: Member, nonce: bytes, head: CometHead | None, **changes: object) -> CometStatement:
    """A signed statement over ``head``."""
    fields: dict[str, object] = {
        "chain_id": CHAIN,
        "nonce": nonce,
        "height": 0 if head is None else head.header.height,
        "head_hash": bytes(32) if head is None else header_hash(head.header),
    }
    statement = Statement.model_validate(fields | changes)
    signature = member.sign(tagged("head-statement", statement.to_bytes()))
    return CometStatement(statement=statement, signer=member.did, signature=signature, head=head)


def head(height: int, signers: int = 3) -> CometHead:
    by_key = {member.validator: member for member in MEMBERS}
    return make_head([by_key[one.key] for one in SET[:signers]], SET, height=height)


def honest(member: Member, height: int = 7) -> Answer:
    return lambda nonce: state(member, nonce, head(height))


def absent(nonce: bytes) -> CometStatement:
    raise UnavailableError("peer_unreachable", "It does not answer.")


class Source:
    """A member's node whose answers the test chooses."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    async def comet_statement(self, nonce: bytes) -> CometStatement:
        return self._answer(nonce)


def freshness(clock: ManualClock, **answers: Answer) -> CometFreshness:
    by_did = {member.did: Source(answers.get(member.name, absent)) for member in MEMBERS}
    return CometFreshness(clock, CHAIN, ME.did, by_did.__getitem__)


async def test_more_than_two_thirds_with_itself_are_fresh_for_a_minute() -> None:
    clock = ManualClock()
    fresh = freshness(clock, beta=honest(BETA), gamma=honest(GAMMA))
    assert await fresh.ask(RING)  # 7560 of 10080
    fresh.check(7)
    clock.advance(60_000)
    fresh.check(7)
    clock.advance(1)
    with pytest.raises(UnavailableError, match="ledger_stale"):
        fresh.check(7)


async def test_exactly_two_thirds_are_not_enough() -> None:
    three = {member.did: member.validator for member in (ME, BETA, GAMMA)}
    ring = Ring(three, dict.fromkeys(three.values(), 2520), RING.node_keys)
    validators = in_order(dict(ring.powers))
    by_key = {member.validator: member for member in MEMBERS}
    whole = make_head([by_key[one.key] for one in validators], validators)
    fresh = freshness(ManualClock(), beta=lambda nonce: state(BETA, nonce, whole))
    assert not await fresh.ask(ring)  # 5040 of 7560
    with pytest.raises(UnavailableError, match="ledger_stale"):
        fresh.check(7)


async def test_a_node_behind_what_counts_is_stale() -> None:
    fresh = freshness(ManualClock(), beta=honest(BETA, 9), gamma=honest(GAMMA))
    assert await fresh.ask(RING)
    with pytest.raises(UnavailableError, match="ledger_stale"):
        fresh.check(8)
    fresh.check(9)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda nonce: state(BETA, nonce, None, height=2**53 - 1), "statement_head_mismatch"),
        (lambda nonce: state(BETA, nonce, head(7), height=2**53 - 1), "statement_head_mismatch"),
        (lambda nonce: state(BETA, b"o" * 32, head(7)), "statement_nonce_mismatch"),
        (lambda nonce: state(BETA, nonce, head(7), chain_id="other"), "statement_chain_mismatch"),
        (lambda nonce: state(GAMMA, nonce, head(7)), "statement_signer_mismatch"),
        (
            lambda nonce: state(BETA, nonce, head(7)).model_copy(update={"signature": bytes(64)}),
            "statement_signature_invalid",
        ),
        (lambda nonce: state(BETA, nonce, head(7, signers=2)), "commit_power_insufficient"),
        (absent, "peer_unreachable"),
    ],
    ids=["no-commit", "other-height", "old-nonce", "other-chain", "other-signer", "forged", "two-of-four", "absent"],
)
async def test_a_statement_that_does_not_count_is_ignored_and_reported_by_name(answer: Answer, code: str) -> None:
    """*Must pass*: one member claims height 2^53−1 and the others go on without it."""
    fresh = freshness(ManualClock(), beta=answer, gamma=honest(GAMMA), delta=honest(DELTA))
    assert await fresh.ask(RING)
    assert fresh.trouble == {BETA.did: code}
    assert fresh.required_height == 7
    fresh.check(7)
    alone = freshness(ManualClock(), beta=answer, gamma=honest(GAMMA))
    assert not await alone.ask(RING)  # it does not count towards the 2/3 either


async def test_a_commit_by_validators_that_nobody_knows_does_not_count() -> None:
    strangers = tuple(Member(name) for name in ("x", "y", "z"))
    own = in_order({member.validator: 2520 for member in strangers})
    by_key = {member.validator: member for member in strangers}
    forged = make_head([by_key[one.key] for one in own], own, height=5000)
    fresh = freshness(ManualClock(), beta=lambda nonce: state(BETA, nonce, forged), gamma=honest(GAMMA),
                      delta=honest(DELTA))  # fmt: skip
    assert await fresh.ask(RING)
    assert fresh.trouble == {BETA.did: "commit_power_insufficient"}
    fresh.check(7)


async def test_a_commit_by_exactly_two_thirds_of_the_power_that_is_known_does_not_count() -> None:
    """Two of the three that this node knows signed all of a set that names nobody else."""
    three = {member.did: member.validator for member in (ME, BETA, GAMMA)}
    ring = Ring(three, dict.fromkeys(three.values(), 2520), RING.node_keys)
    own = in_order({member.validator: 2520 for member in (ME, BETA)})
    by_key = {member.validator: member for member in MEMBERS}
    narrow = make_head([by_key[one.key] for one in own], own)
    fresh = freshness(ManualClock(), beta=lambda nonce: state(BETA, nonce, narrow), gamma=absent)
    assert not await fresh.ask(ring)
    assert fresh.trouble == {BETA.did: "commit_power_insufficient", GAMMA.did: "peer_unreachable"}


@pytest.mark.parametrize(
    ("height", "round_", "step", "bound"),
    [("0", 0, 0, -1), ("9", 0, 1, 8), ("9", 0, 2, 8), ("9", 0, 3, 9), ("9", 1, 1, 9)],
    ids=["new", "proposed", "prevoted", "precommitted", "next-round"],
)
def test_what_the_validator_has_bound_itself_to(
    tmp_path: Path, height: str, round_: int, step: int, bound: int
) -> None:
    """A member that has precommitted h must not answer h−1."""
    file = tmp_path / "priv_validator_state.json"
    file.write_bytes(encode({"height": height, "round": round_, "step": step}))
    assert last_precommit_height(file) == bound


def test_a_lost_validator_state_stops_the_answers(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="validator_state_unreadable"):
        last_precommit_height(tmp_path / "absent.json")
