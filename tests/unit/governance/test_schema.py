"""Other rules and another tree by vote, from a height on (LED-7)."""

from __future__ import annotations

import pytest

from governance_kit import SISTER, A, B, C, Council, D
from ledger_kit import CHAIN
from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.governance.motions.model import MotionVote, motion_id, motion_of
from lianzheng.governance.schema import NEXT_SCHEMA_KEY, SchemaUpgrade
from lianzheng.ledger.proofs import verify_state
from lianzheng.ledger.state import MemoryState


def _upgrade(height: int, schema: int = 2) -> JsonObject:
    return SchemaUpgrade(schema=schema, height=height).to_json()


def _vote(council: Council, content: JsonObject, ballot: str = "yes") -> JsonObject:
    name = motion_id(CHAIN, "schema.upgrade", content)
    opened = motion_of(council.machine.state, name).opened_height
    return MotionVote(motion=name, opened_height=opened, ballot=ballot).to_json()  # type: ignore[arg-type]


def _decide(council: Council, height: int) -> None:
    content = _upgrade(height)
    assert council.send(A, "schema.upgrade", content).ok
    for party in (B, C):
        assert council.machine.state.get(NEXT_SCHEMA_KEY) is None, "two of four groups are not two thirds"
        assert council.send(party, "member.vote", _vote(council, content)).ok
    assert council.machine.state.get(NEXT_SCHEMA_KEY) == content | {"version": 0}


def test_more_than_two_thirds_of_the_groups_carry_it_and_it_comes_at_its_height() -> None:
    council = Council()
    _decide(council, 6)
    machine = council.machine
    assert council.send(D, "member.update", _update(4)).ok
    assert (machine.height, machine.schema) == (4, 1)
    assert council.send(D, "member.update", _update(5)).ok
    assert (machine.height, machine.schema) == (5, 1), "the last block under the old rules"
    before = dict(machine.state.scan(""))
    assert council.send(D, "member.update", _update(6)).ok
    assert (machine.height, machine.schema) == (6, 2)
    network = machine.state.get(NETWORK_KEY)
    assert network == before[NETWORK_KEY] | {"schema": 2, "version": before[NETWORK_KEY]["version"] + 1}
    assert machine.state.get(NEXT_SCHEMA_KEY) is None
    fresh = MemoryState(2)
    fresh.apply(list(machine.state.scan("")))
    assert machine.roots().state_root == fresh.root()
    for key in (NETWORK_KEY, NEXT_SCHEMA_KEY):
        value, path = machine.state_path(key)
        assert value == machine.state.get(key)
        verify_state(key, value, path, machine.roots().state_root)


def test_a_sister_company_adds_no_vote() -> None:
    council = Council()
    content = _upgrade(9)
    assert council.send(A, "schema.upgrade", content).ok
    assert council.send(B, "member.vote", _vote(council, content)).ok
    assert council.send(SISTER, "member.vote", _vote(council, content)).code == "not_group_voice"
    assert council.machine.state.get(NEXT_SCHEMA_KEY) is None


@pytest.mark.parametrize(
    ("schema", "height", "code"),
    [(4, 9, "schema_unknown"), (1, 9, "schema_order"), (2, 1, "height_passed"), (2, 0, "height_passed")],
)
def test_what_cannot_come_is_not_moved_for(schema: int, height: int, code: str) -> None:
    assert Council().send(A, "schema.upgrade", _upgrade(height, schema)).code == code


def test_a_decision_that_comes_too_late_is_none() -> None:
    council = Council()
    content = _upgrade(3)
    assert council.send(A, "schema.upgrade", content).ok
    assert council.send(B, "member.vote", _vote(council, content)).ok
    assert council.send(C, "member.vote", _vote(council, content)).code == "height_passed"
    assert council.send(D, "member.update", _update(4)).ok
    assert council.machine.schema == 1


def test_one_upgrade_at_a_time() -> None:
    council = Council()
    _decide(council, 20)
    assert council.send(A, "schema.upgrade", _upgrade(30)).code == "upgrade_decided"


def test_under_schema_1_nothing_can_be_proven_and_it_says_so() -> None:
    from lianzheng.errors import NotFoundError, RefusedError

    machine = Council().machine
    with pytest.raises(RefusedError, match="schema_without_proofs"):
        machine.state_path(NETWORK_KEY)
    with pytest.raises(NotFoundError, match="height_not_provable"):
        machine.state_path(NETWORK_KEY, 7)


def _update(number: int) -> JsonObject:
    from ledger_kit import update_payload

    return update_payload(number, "epsilon")
