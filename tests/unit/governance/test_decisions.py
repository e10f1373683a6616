"""Parameters, incidents, points and wind-down, each through the machine."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance_kit import PAPER, A, B, C, Council, D, about
from ledger_kit import CHAIN, anchor_payload
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.governance.decisions import CARRIES
from lianzheng.governance.motions.model import SHARES
from lianzheng.governance.parameters.model import PARAMETERS, parameter, parameter_hash, parameter_record
from lianzheng.governance.points.model import balance_of, quota_limit
from lianzheng.governance.points.rules import _pay, _Sum  # the arithmetic by itself, for the property test
from lianzheng.ledger.context import MemberActivity
from lianzheng.ledger.state import MemoryState


def change(council: Council, name: str, value: int) -> dict[str, Any]:
    record = parameter_record(council.machine.state, name)
    return {"name": name, "value": value, "prev": b64u_encode(parameter_hash(name, record))}


def test_every_motion_has_a_share_and_an_effect() -> None:
    assert set(SHARES) == set(CARRIES)


def test_parameters_change_by_vote_within_bounds_and_over_what_stands() -> None:
    council = Council()
    wish = change(council, "token_version_min", 2)
    council.carry("parameter.propose", wish, (A, B, C), "parameter.vote")
    assert parameter(council.machine.state, "token_version_min") == 2
    assert council.send(A, "parameter.propose", wish, ordered=True).code == "prev_mismatch"
    for name, value, code in (
        ("token_version_min", 3, "parameter_out_of_bounds"),
        ("token_version_min", 0, "parameter_out_of_bounds"),
        ("points_use", 2, "parameter_unknown"),
    ):
        assert council.send(A, "parameter.propose", change(council, name, value), ordered=True).code == code
    unknown = {"name": "no_such", "value": 1, "prev": PAPER}
    assert council.send(A, "parameter.propose", unknown, ordered=True).code == "parameter_unknown"


def test_an_old_prev_is_refused_after_the_value_went_there_and_back() -> None:
    """LED-3: 5 to 6 to 5 is not where it was."""
    council = Council()
    first = change(council, "motion_days", 15)
    council.carry("parameter.propose", first, (A, B, C), "parameter.vote")
    council.carry("parameter.propose", change(council, "motion_days", 14), (A, B, C), "parameter.vote")
    assert parameter(council.machine.state, "motion_days") == 14
    assert council.send(A, "parameter.propose", first, ordered=True).code == "prev_mismatch"


def test_two_wishes_for_one_parameter_cannot_both_be_carried() -> None:
    council = Council()
    one, other = change(council, "motion_days", 20), change(council, "motion_days", 30)
    council.ok(A, "parameter.propose", one, ordered=True)
    council.ok(B, "parameter.propose", other, ordered=True)
    council.ok(B, "parameter.vote", council.ballot("parameter.propose", one))
    council.ok(C, "parameter.vote", council.ballot("parameter.propose", one))
    council.ok(C, "parameter.vote", council.ballot("parameter.propose", other))
    last = council.send(A, "parameter.vote", council.ballot("parameter.propose", other))
    assert last.code == "prev_mismatch"
    assert parameter(council.machine.state, "motion_days") == 20


def test_votes_of_the_wrong_kind_are_refused() -> None:
    council = Council()
    wish = change(council, "motion_days", 20)
    council.ok(A, "parameter.propose", wish, ordered=True)
    assert council.send(B, "member.vote", council.ballot("parameter.propose", wish)).code == "vote_kind"
    council.ok(A, "member.suspend", about(D))
    assert council.send(B, "parameter.vote", council.ballot("member.suspend", about(D))).code == "vote_kind"
    stray = {"motion": PAPER, "opened_height": 1, "ballot": "yes"}
    assert council.send(B, "member.vote", stray).code == "motion_unknown"


def test_defaults_lie_within_their_bounds() -> None:
    for name, spec in PARAMETERS.items():
        assert spec.least <= spec.default <= spec.most, name


# --- incidents -------------------------------------------------------------------------------------------------------


def incident(council: Council, who: Any = A) -> str:
    payload = {"grade": 2, "category": "leak", "report": PAPER}
    data = council.ok(who, "incident.open", payload).data
    assert isinstance(data, dict)
    return str(data["incident"])


def test_the_network_is_contained_by_more_than_a_third_and_freed_by_more_than_half() -> None:
    council = Council()
    name = incident(council)
    stop = {"incident": name, "scope": "network", "target": CHAIN}
    council.ok(A, "incident.contain", stop)
    assert council.machine.state.get("network")["phase"] == "running"  # type: ignore[index]
    council.ok(B, "member.vote", council.ballot("incident.contain", stop))
    assert council.machine.state.get("network")["phase"] == "contained"  # type: ignore[index]
    council.ok(A, "evidence.anchor", anchor_payload(None))
    assert council.send(A, "member.apply", {}).code != "ok"
    close = {"incident": name, "review": PAPER, "fined": None, "fine": 0}
    council.carry("incident.close", close, (A, B, C))
    assert council.machine.state.get("network")["phase"] == "running"  # type: ignore[index]
    assert list(council.machine.state.scan("contained/")) == []
    assert council.send(A, "incident.close", close).code == "incident_closed"


def test_a_member_stops_itself_at_once_and_another_only_by_motion() -> None:
    council = Council()
    name = incident(council)
    council.ok(B, "incident.contain", {"incident": name, "scope": "member", "target": B.did})
    assert council.machine._members.get(B.did).active is False  # type: ignore[union-attr]
    other = {"incident": name, "scope": "member", "target": C.did}
    council.ok(B, "incident.contain", other)
    assert council.motion("incident.contain", other).status == "open"
    assert council.machine._members.get(C.did).active is True  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("scope", "target"), [("member", A.did[:-1] + "z"), ("dataset", "none"), ("function", "no"), ("network", "other")]
)
def test_what_is_not_there_cannot_be_contained(scope: str, target: str) -> None:
    council = Council()
    payload = {"incident": incident(council), "scope": scope, "target": target}
    assert council.send(A, "incident.contain", payload).code == "target_unknown"


def test_a_fine_takes_points_when_the_incident_is_closed() -> None:
    council = Council()
    close = {"incident": incident(council), "review": PAPER, "fined": D.did, "fine": 70}
    council.carry("incident.close", close, (A, B, C))
    assert balance_of(council.machine.state, D.did) == -70
    again = {"incident": incident(council), "review": PAPER, "fined": None, "fine": 5}
    assert council.send(A, "incident.close", again).code == "fine_invalid"


# --- wind-down -------------------------------------------------------------------------------------------------------


def test_the_network_winds_down_step_by_step_and_each_step_is_signed_off() -> None:
    council = Council()
    phases = []
    steps = ("plan", "start", "freeze", "disconnect", "close")
    for step in steps:
        later = steps[steps.index(step) + 1] if step != "close" else "plan"
        payload = {"document": PAPER, "not_before_ms": council.now_ms + 5_000}
        assert council.send(A, f"network.winddown.{later}", payload).code == "winddown_step"
        kind = f"network.winddown.{step}"
        council.ok(A, kind, payload)
        council.ok(B, "member.vote", council.ballot(kind, payload))
        early = council.send(C, "member.vote", council.ballot(kind, payload))
        assert early.code == "winddown_early"
        council.now_ms += 10_000
        council.ok(C, "member.vote", council.ballot(kind, payload))
        phases.append(council.machine.state.get("network")["phase"])  # type: ignore[index]
    assert phases == [
        "winding_down_planned",
        "winding_down_started",
        "winding_down_frozen",
        "winding_down_disconnected",
        "winding_down_closed",
    ]
    assert council.send(A, "evidence.anchor", anchor_payload(None)).code == "phase_not_permitted"
    assert sorted(key for key, _ in council.machine.state.scan("winddown/")) == sorted(f"winddown/{s}" for s in steps)


# --- points ----------------------------------------------------------------------------------------------------------


def test_a_month_is_settled_once_after_its_end_and_everybody_has_the_base() -> None:
    council = Council()
    month = council.today[:7]
    assert council.send(A, "points.settle", {"month": month}).code == "month_not_over"
    council.pass_days(40)
    council.ok(A, "points.settle", {"month": month})
    assert [balance_of(council.machine.state, party.did) for party in (A, B, C, D)] == [100] * 4
    assert council.send(B, "points.settle", {"month": month}).code == "month_settled"


def test_months_are_settled_in_order_and_none_before_the_network() -> None:
    """Otherwise one member could settle a decade before genesis, and everybody would be paid for being there."""
    council = Council()
    first = council.today[:7]
    council.pass_days(100)
    year, month = int(first[:4]), int(first[5:])
    after, before = (year * 12 + month - 1 + step for step in (1, -1))
    for wrong in (f"{before // 12:04d}-{before % 12 + 1:02d}", f"{after // 12:04d}-{after % 12 + 1:02d}", "1990-01"):
        assert council.send(A, "points.settle", {"month": wrong}).code == "month_out_of_order"
    council.ok(A, "points.settle", {"month": first})
    council.ok(B, "points.settle", {"month": f"{after // 12:04d}-{after % 12 + 1:02d}"})
    assert [balance_of(council.machine.state, party.did) for party in (A, B, C, D)] == [200] * 4


def test_an_appeal_is_voted_on_by_the_other_groups() -> None:
    council = Council()
    month = council.today[:7]
    council.pass_days(40)
    appeal = {"month": month, "change": 25, "reason": PAPER}
    assert council.send(D, "points.appeal", appeal).code == "month_not_settled"
    council.ok(A, "points.settle", {"month": month})
    council.ok(D, "points.appeal", appeal)
    content = {**appeal, "member": D.did}
    assert council.send(D, "member.vote", council.ballot("points.appeal", content)).code == "group_has_no_vote"
    council.ok(A, "member.vote", council.ballot("points.appeal", content))
    assert balance_of(council.machine.state, D.did) == 100
    council.ok(B, "member.vote", council.ballot("points.appeal", content))
    assert balance_of(council.machine.state, D.did) == 125
    assert council.send(D, "points.appeal", appeal | {"change": 30}).code == "appeal_made"
    council.pass_days(31)
    assert council.send(C, "points.appeal", appeal).code == "appeal_late"


def test_few_points_limit_the_quota_of_new_tasks() -> None:
    council = Council()
    assert quota_limit(council.machine.state, A.did) is None
    council.carry("points.rule", change(council, "points_query_min", 10), (A, B, C), "parameter.vote")
    assert quota_limit(council.machine.state, A.did) == 100
    month = council.today[:7]
    council.pass_days(40)
    council.ok(A, "points.settle", {"month": month})
    assert quota_limit(council.machine.state, A.did) is None


_NAMES = ("did:a", "did:b", "did:c")


@settings(max_examples=200, deadline=None)
@given(
    before=st.lists(st.integers(-50, 200), min_size=3, max_size=3),
    uses=st.lists(st.integers(0, 300), min_size=9, max_size=9),
)
def test_transfers_create_no_points_and_take_nobody_below_zero(before: list[int], uses: list[int]) -> None:
    state = MemoryState()
    sums = {name: _Sum(before=points) for name, points in zip(_NAMES, before, strict=True)}
    activities = tuple(
        MemberActivity(provider, True, (), 0, tuple(zip(_NAMES, uses[3 * index : 3 * index + 3], strict=True)), 0)
        for index, provider in enumerate(_NAMES)
    )
    writes = _pay(state, activities, sums)
    assert sum(one.balance for one in sums.values()) == sum(before)
    for name, points in zip(_NAMES, before, strict=True):
        assert sums[name].balance >= min(0, points)
    state.apply(writes)
    again = {name: _Sum(before=1000) for name in _NAMES}
    assert _pay(state, activities, again) == []  # each use is paid for once


def test_the_ids_of_incidents_are_those_of_their_transactions() -> None:
    council = Council()
    assert len(b64u_decode(incident(council), 32)) == 32
