"""Where decisions turn: the last millisecond of a motion, a ballot that no longer counts, the last one that may go."""

from __future__ import annotations

import pytest

from comet_kit import MEMBERS, comet_genesis
from governance_kit import FOUNDERS, PAPER, SISTER, A, B, C, Council, D, about
from ledger_kit import CHAIN, START_MS, Party, make_genesis
from lianzheng.clock import DAY_MS, day_of
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.groups import voice_of
from lianzheng.governance.motions.model import MotionVote, motion_id, motion_of
from lianzheng.governance.validators import validators_by_member
from lianzheng.identity.model import did_state_key

NOTICE: JsonObject = {"step": "notice", "plan": PAPER}
FINISH: JsonObject = {"step": "finish", "plan": PAPER}


def plan(council: Council, not_before_ms: int = 0) -> JsonObject:
    """Content of a motion that all four groups may vote on: more than two thirds are three."""
    return {"document": PAPER, "not_before_ms": not_before_ms}


@pytest.mark.parametrize(("late_ms", "code"), [(0, "ok"), (1, "motion_over")])
def test_a_ballot_counts_up_to_the_motions_last_millisecond(late_ms: int, code: str) -> None:
    council, kind = Council(), "network.winddown.plan"
    content = plan(council)
    council.ok(A, kind, content)
    council.now_ms = council.motion(kind, content).closes_ms + late_ms - 1000  # a block comes a second later
    assert council.send(B, "member.vote", council.ballot(kind, content)).code == code


def test_the_ballot_of_a_group_without_an_active_member_counts_no_more() -> None:
    """Three are left, so three yeses are needed; the fourth, who left, does not make up for one."""
    council, kind = Council(), "network.winddown.plan"
    content = plan(council)
    council.ok(D, kind, content)
    council.ok(D, "member.leave", NOTICE)
    council.ok(A, "member.vote", council.ballot(kind, content))
    council.ok(B, "member.vote", council.ballot(kind, content))
    assert council.motion(kind, content).status == "open"
    council.ok(C, "member.vote", council.ballot(kind, content))
    assert council.motion(kind, content).status == "carried"


def test_one_group_alone_never_decides_about_another_even_where_a_third_has_left_since() -> None:
    council = Council(Machine(make_genesis((A, B, C))))
    council.ok(C, "member.expel", about(B))
    council.ok(C, "member.leave", NOTICE)
    council.ok(A, "member.vote", council.ballot("member.expel", about(B)))
    assert council.motion("member.expel", about(B)).status == "open" and council.phase(B) == "active"


def test_a_member_that_comes_back_in_a_new_group_has_a_vote() -> None:
    council = Council()
    council.carry("member.suspend", about(D), (A, B, C))
    regroup = {"member": D.did, "control_group": "omega", "reason": PAPER}
    council.carry("member.regroup", regroup, (A, B, C))
    council.carry("member.reinstate", about(D), (A, B, C))
    assert voice_of(council.machine.state, "omega") == D.did
    content = plan(council)
    council.ok(A, "network.winddown.plan", content)
    council.ok(D, "member.vote", council.ballot("network.winddown.plan", content))
    assert council.motion("network.winddown.plan", content).yes == ("alpha", "omega")


@pytest.mark.parametrize(("early_ms", "code"), [(1, "winddown_early"), (0, "ok")])
def test_a_step_of_the_wind_down_may_come_at_its_time(early_ms: int, code: str) -> None:
    council, kind = Council(), "network.winddown.plan"
    content = plan(council, council.now_ms + 10_000)
    council.ok(A, kind, content)
    council.ok(B, "member.vote", council.ballot(kind, content))
    council.now_ms = content["not_before_ms"] - early_ms - 1000
    assert council.send(C, "member.vote", council.ballot(kind, content)).code == code


@pytest.mark.parametrize(("late_ms", "code"), [(0, "leave_notice_running"), (1, "ok")])
def test_a_member_has_left_when_its_notice_is_over_and_not_with_its_last_millisecond(late_ms: int, code: str) -> None:
    council = Council()
    council.ok(D, "member.leave", NOTICE)
    notice = council.machine.state.get(f"leave/{D.did}")
    assert notice is not None
    council.now_ms = notice["until_ms"] + late_ms - 1000
    assert council.send(D, "member.leave", FINISH).code == code


def test_schemas_follow_one_another_without_a_gap() -> None:
    council = Council()
    assert council.machine.schema == 1
    assert council.send(A, "schema.upgrade", {"schema": 3, "height": 100}).code == "schema_order"
    assert council.send(A, "schema.upgrade", {"schema": 1, "height": 100}).code == "schema_order"


@pytest.mark.parametrize(("ahead", "code"), [(0, "height_passed"), (1, "ok")])
def test_an_upgrade_is_for_a_later_block_than_its_motions(ahead: int, code: str) -> None:
    council = Council()
    height = council.machine.height + 1 + ahead
    assert council.send(A, "schema.upgrade", {"schema": 2, "height": height}).code == code


def test_the_last_active_member_does_not_leave() -> None:
    """Without a sequencer and without validators nothing else would hold it back."""
    council = Council(machine=Machine(make_genesis(FOUNDERS, sequencer=None)))
    for party in (B, C, D, SISTER):
        council.ok(party, "member.leave", NOTICE)
    assert council.send(A, "member.leave", NOTICE).code == "quorum_lost"
    assert council.phase(A) == "active"


def test_who_has_become_the_last_validator_meanwhile_is_not_expelled_by_the_deciding_ballot() -> None:
    alpha, beta = MEMBERS[:2]
    voters = (Party("gamma"), Party("epsilon"))
    machine = Machine(comet_genesis((alpha, beta, *voters)))
    content: JsonObject = {"member": alpha.did, "reason": PAPER}
    opened = beta.transaction("member.expel", content, 1, START_MS)
    assert machine.execute_block(1, START_MS + 1000, [opened.to_bytes()])[0].ok
    record = machine.state.get(did_state_key(beta.did))
    assert record is not None
    without = record | {"keys": [key for key in record["keys"] if key["id"] != "#validator"]}
    machine._state.apply([(did_state_key(beta.did), without)])  # as did.update, which schema 1 has not
    assert list(validators_by_member(machine.state)) == [alpha.did]
    name = motion_id(CHAIN, "member.expel", content)
    ballot = MotionVote(motion=name, opened_height=1, ballot="yes").to_json()
    votes = [party.transaction("member.vote", ballot, 1).to_bytes() for party in voters]
    first, second = machine.execute_block(2, START_MS + 2000, votes)
    assert (first.code, second.code) == ("ok", "quorum_lost")
    assert motion_of(machine.state, name).yes == ("beta", "gamma"), "a refused ballot is none"


def test_a_decision_about_a_group_needs_two_others_when_it_is_opened() -> None:
    """Of three groups one is suspended: of the two that are left neither moves against the other."""
    council = Council()
    council.carry("member.suspend", about(B), (A, C, D))
    council.ok(D, "member.leave", NOTICE)
    assert council.send(A, "member.suspend", about(C)).code == "electorate_small"


@pytest.mark.parametrize(("late_ms", "code"), [(0, "ok"), (1, "appeal_late")])
def test_an_appeal_is_heard_up_to_the_last_millisecond_of_its_days(late_ms: int, code: str) -> None:
    council = Council()
    council.pass_days(30)
    month = day_of(council.now_ms - 30 * DAY_MS)[:7]
    council.ok(A, "points.settle", {"month": month})
    settled_ms = council.now_ms
    council.now_ms = settled_ms + 30 * DAY_MS + late_ms - 1000  # the parameter appeal_days stands at 30
    assert council.send(B, "points.appeal", {"month": month, "change": 1, "reason": PAPER}).code == code
