"""The light client's own conditions, one by one: each of these heads is well signed and still proves nothing (EV-4)."""

from __future__ import annotations

import pytest

from comet_kit import CHAIN, MEMBERS, Member, make_head
from lianzheng.crypto import ed25519
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import VerificationError
from lianzheng.ledger.block import Head, SignedHead, head_signing_bytes
from lianzheng.ledger.cometbft import (
    CometHead,
    CommitSignature,
    CommitVotes,
    Time,
    Validator,
    verify_comet_head,
)
from lianzheng.ledger.cometbft.encoding import header_hash, vote_bytes
from lianzheng.ledger.cometbft.powers import in_order
from lianzheng.verify.light_client import verify_final_head, verify_heads, verify_signer_changes

EPSILON = Member("epsilon")
FIRST = in_order({member.validator: 2520 for member in MEMBERS})
SECOND = in_order({member.validator: 2520 for member in (*MEMBERS[:3], EPSILON)})
THIRD = in_order({member.validator: 2520 for member in (*MEMBERS[:2], EPSILON)})
BY_KEY = {member.validator: member for member in (*MEMBERS, EPSILON)}


def head(validators: tuple[Validator, ...], height: int, following: tuple[Validator, ...], s: int = 0) -> CometHead:
    """Signed by the first of the set that exceed 2/3, at ``s`` seconds after its usual time."""
    signers = [BY_KEY[one.key] for one in validators[:3]]
    return retimed(make_head(signers, validators, height=height, following=following), s)


def retimed(made: CometHead, s: int) -> CometHead:
    """The same head of another time, signed anew."""
    header = made.header.model_copy(update={"time": Time(seconds=made.header.time.seconds + s, nanos=0)})
    block_id = made.commit.block_id.model_copy(update={"hash": header_hash(header)})
    votes = made.commit.model_copy(update={"block_id": block_id})
    signed = tuple(vote(made, votes, one, header.height) for one in made.commit.signatures)
    return CometHead(header=header, commit=votes.model_copy(update={"signatures": signed}), validators=made.validators)


def vote(made: CometHead, votes: CommitVotes, one: CommitSignature, height: int) -> CommitSignature:
    member = BY_KEY[made.validators[one.validator].key]
    signature = ed25519.sign(member.validator_seed, vote_bytes(CHAIN, height, votes, one))
    return one.model_copy(update={"signature": signature})


def refused(made: CometHead) -> str:
    with pytest.raises(VerificationError) as found:
        verify_comet_head(made, CHAIN)
    return found.value.code


def test_the_kit_makes_heads_that_hold() -> None:
    verify_comet_head(head(FIRST, 5, FIRST), CHAIN)
    first, second = head(FIRST, 5, SECOND), head(SECOND, 6, THIRD)
    assert verify_signer_changes(CHAIN, FIRST, [first, second]) == second.header.next_validators_hash


def test_one_validator_counts_once_however_often_it_signs() -> None:
    """One of four, three times over, is a quarter of the power and no more."""
    one = make_head([BY_KEY[FIRST[0].key]], FIRST)
    (signature,) = one.commit.signatures
    thrice = one.commit.model_copy(update={"signatures": (signature,) * 3})
    assert refused(one.model_copy(update={"commit": thrice})) == "commit_order_invalid"


def test_signatures_stand_in_the_order_of_the_validators() -> None:
    made = head(FIRST, 5, FIRST)
    turned = made.commit.model_copy(update={"signatures": made.commit.signatures[::-1]})
    assert refused(made.model_copy(update={"commit": turned})) == "commit_order_invalid"


def test_a_set_that_names_a_key_twice_is_refused_though_its_header_names_it() -> None:
    """Twice in the set, a key would vote with twice its power."""
    twice = tuple(sorted((*FIRST, FIRST[0]), key=FIRST.index))
    signers = [BY_KEY[one.key] for one in FIRST]
    assert refused(make_head(signers, twice)) == "validators_order_invalid"
    with pytest.raises(VerificationError, match="validators_order_invalid"):
        verify_signer_changes(CHAIN, twice, [])


def test_a_set_in_another_order_is_refused_though_its_header_names_it() -> None:
    turned = FIRST[::-1]
    assert refused(make_head([BY_KEY[one.key] for one in turned[:3]], turned)) == "validators_order_invalid"
    with pytest.raises(VerificationError, match="validators_order_invalid"):
        verify_signer_changes(CHAIN, turned, [])


@pytest.mark.parametrize(("height", "s"), [(5, 1), (4, 2), (6, -1), (6, -2)], ids=["same", "lower", "same-ms", "older"])
def test_the_next_change_is_later_by_height_and_by_time(height: int, s: int) -> None:
    """The time of the kit's heads follows their height, one second a block."""
    first, second = head(FIRST, 5, SECOND), head(SECOND, height, THIRD, s)
    with pytest.raises(VerificationError, match="head_chain_order"):
        verify_signer_changes(CHAIN, FIRST, [retimed(first, 0), second])


@pytest.mark.parametrize(("height", "s"), [(5, 1), (4, 9), (6, -2)], ids=["same", "lower", "older"])
def test_the_head_is_later_than_the_last_change(height: int, s: int) -> None:
    change = head(FIRST, 5, SECOND)
    verify_final_head(CHAIN, FIRST, [change], head(SECOND, 6, SECOND))
    with pytest.raises(VerificationError, match="head_chain_order"):
        verify_final_head(CHAIN, FIRST, [change], head(SECOND, height, SECOND, s))


A_SEED, B_SEED = b"a" * 32, b"b" * 32
A_KEY, B_KEY = (encode_multikey(ED25519_PUB, ed25519.public_key(one)) for one in (A_SEED, B_SEED))


def plain(seed: bytes, height: int, time_ms: int, next_signer: str) -> SignedHead:
    made = Head(
        chain_id=CHAIN,
        height=height,
        time_ms=time_ms,
        previous=bytes(32),
        txs_root=bytes(32),
        results_root=bytes(32),
        app_hash=bytes(32),
        next_signer=next_signer,
    )
    return SignedHead(head=made, signature=ed25519.sign(seed, head_signing_bytes(made)))


@pytest.mark.parametrize(("height", "time_ms"), [(5, 101), (4, 101), (6, 100), (6, 99)])
def test_a_sequencers_head_is_later_than_the_change_before_it(height: int, time_ms: int) -> None:
    change = plain(A_SEED, 5, 100, B_KEY)
    assert verify_heads(CHAIN, A_KEY, [change], plain(B_SEED, 6, 101, B_KEY)) == B_KEY
    with pytest.raises(VerificationError, match="head_chain_order"):
        verify_heads(CHAIN, A_KEY, [change], plain(B_SEED, height, time_ms, B_KEY))
    with pytest.raises(VerificationError, match="head_chain_order"):
        verify_heads(CHAIN, A_KEY, [change, plain(B_SEED, height, time_ms, A_KEY)], plain(A_SEED, 9, 999, A_KEY))
