"""Power by control group, read off the state; what may not happen to the set (CON-7)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comet_kit import CHAIN, MEMBERS, Member, comet_genesis
from governance_kit import Council, about, application
from ledger_kit import Party
from lianzheng.contracts.machine import Machine
from lianzheng.governance.members import member_of
from lianzheng.governance.model import MemberPhase, member_key
from lianzheng.governance.validators import validator_powers, validators_by_member
from lianzheng.identity.model import CreationOperation
from lianzheng.ledger.cometbft.powers import Claim, genesis_validators, in_order, powers

ALPHA, BETA, GAMMA, DELTA = MEMBERS


def test_a_group_shares_its_power_and_genesis_says_the_same_as_the_state() -> None:
    """Alpha and delta are one group: 2520 = 1260 + 1260; beta and gamma have 2520 each."""
    genesis = comet_genesis()
    found = validator_powers(Machine(genesis).state)
    expected = {ALPHA.validator: 1260, DELTA.validator: 1260, BETA.validator: 2520, GAMMA.validator: 2520}
    assert found == expected
    assert genesis_validators(genesis) == in_order(expected)


def test_members_without_a_validator_have_no_power() -> None:
    assert validator_powers(Council().machine.state) == {}


@given(st.integers(min_value=1, max_value=30))
def test_a_groups_power_is_2520_whoever_shares_it_and_the_lowest_did_has_the_rest(count: int) -> None:
    claims = [Claim(0, f"did:{number:02}", bytes([number]) * 32, "g") for number in range(count)]
    found = powers(claims)
    assert sum(found.values()) == 2520
    assert found[bytes(32)] == 2520 // count + 2520 % count
    assert {found[bytes([number]) * 32] for number in range(1, count)} <= {2520 // count}


def test_a_key_stands_for_the_member_whose_did_had_it_first() -> None:
    first, thief = Claim(1, "did:z", b"k" * 32, "honest"), Claim(2, "did:a", b"k" * 32, "thief")
    assert powers([thief, first]) == {b"k" * 32: 2520}
    other = Claim(3, "did:b", b"o" * 32, "thief")
    assert powers([thief, first, other]) == {b"k" * 32: 2520, b"o" * 32: 2520}


def council(*members: Member) -> Council:
    return Council(machine=Machine(comet_genesis(members)))


def test_an_application_with_a_members_validator_key_is_refused() -> None:
    state = council(ALPHA, BETA, GAMMA)
    copied = Member("thief")
    keys = (copied.operation.keys[0], ALPHA.operation.keys[1])
    stolen = CreationOperation(network=CHAIN, keys=keys, salt=copied.operation.salt)

    class Thief(Member):
        @property
        def operation(self) -> CreationOperation:
            return stolen

    transaction = ALPHA.transaction("member.apply", application(Thief("thief")), 1, state.now_ms)  # type: ignore[arg-type]
    (result,) = state.machine.execute_block(1, state.now_ms + 1, [transaction.to_bytes()])
    assert result.code == "validator_key_in_use"


def test_the_last_validator_cannot_be_expelled() -> None:
    """Members without nodes may vote; nobody would order after the one that has one."""
    machine = Machine(comet_genesis((ALPHA, Party("beta"), Party("gamma"))))
    assert list(validators_by_member(machine.state)) == [ALPHA.did]
    voter = Party("beta")
    motion = {"member": ALPHA.did, "reason": about(voter)["reason"]}
    transaction = voter.transaction("member.expel", motion, 1, now_ms=1_790_000_000_000)
    (result,) = machine.execute_block(1, 1_790_000_001_000, [transaction.to_bytes()])
    assert result.code == "quorum_lost"


@pytest.mark.parametrize("phase", ["applied", "assessed", "admitted", "suspended", "leaving", "left", "expelled"])
def test_only_an_active_members_validator_has_power(phase: MemberPhase) -> None:
    machine = Machine(comet_genesis((ALPHA, BETA, GAMMA)))
    record = member_of(machine.state, BETA.did)
    assert record is not None
    machine._state.apply([(member_key(BETA.did), record.model_copy(update={"phase": phase}).to_json())])
    assert validator_powers(machine.state) == {ALPHA.validator: 2520, GAMMA.validator: 2520}
