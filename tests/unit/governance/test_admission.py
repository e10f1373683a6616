"""Admission and exit: every phase, every vote by control group (CON-7, B35)."""

from __future__ import annotations

from typing import Any

import pytest

from governance_kit import (
    NEWCOMER,
    PAPER,
    SISTER,
    A,
    B,
    C,
    Council,
    D,
    about,
    admit,
    application,
    assessment,
    genesis,
)
from ledger_kit import Party, agreement_payload, anchor_payload, make_genesis
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.governance.admission.model import Application, application_bytes
from lianzheng.governance.groups import group_of, voice_of
from lianzheng.identity.did.model import DidContent, DidDeactivate, DidUpdate, MethodKey, did_record_hash
from lianzheng.identity.resolver import read_did


def admit_content() -> dict[str, str]:
    return {"member": NEWCOMER.did}


def test_an_applicant_becomes_active_by_assessments_vote_and_signature() -> None:
    council = Council()
    council.ok(A, "member.apply", application())
    assert council.phase(NEWCOMER) == "applied"
    council.ok(B, "member.assess", assessment(council, NEWCOMER, "institution"))
    assert council.phase(NEWCOMER) == "applied"
    council.ok(C, "member.assess", assessment(council, NEWCOMER, "technology"))
    assert council.phase(NEWCOMER) == "assessed"
    # Four groups vote: two are no more than two thirds, three are.
    for voter in (A, B):
        council.ok(voter, "member.vote", council.ballot("member.admit", admit_content()))
        assert council.phase(NEWCOMER) == "assessed"
    council.ok(D, "member.vote", council.ballot("member.admit", admit_content()))
    assert council.phase(NEWCOMER) == "admitted"
    assert council.send(NEWCOMER, "evidence.anchor", anchor_payload(None)).code == "member_not_active"
    council.ok(NEWCOMER, "agreement.sign", agreement_payload())
    assert council.phase(NEWCOMER) == "active"
    council.ok(NEWCOMER, "evidence.anchor", anchor_payload(None))
    # The fifth group gets the fifth index; founders have theirs from genesis.
    assert group_of(council.machine.state, NEWCOMER.name).index == 5
    assert [group_of(council.machine.state, name).index for name in ("alpha", "beta", "gamma", "epsilon")] == [
        1,
        2,
        3,
        4,
    ]


def test_a_rejected_applicant_stays_where_it_is_and_may_be_voted_on_again_later() -> None:
    council = Council()
    council.ok(A, "member.apply", application())
    for kind, who in (("institution", B), ("technology", C)):
        council.ok(who, "member.assess", assessment(council, NEWCOMER, kind))
    for voter in (A, B):  # two of four against: more than two thirds cannot be reached
        council.ok(voter, "member.vote", council.ballot("member.admit", admit_content(), "no"))
    assert council.motion("member.admit", admit_content()).status == "rejected"
    assert council.send(C, "member.vote", council.ballot("member.admit", admit_content())).code == "motion_over"
    assert council.phase(NEWCOMER) == "assessed"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"network": "other-net"}, "did_network_wrong"),
        ({"agreement": b"x" * 32}, "agreement_unknown"),
        ({"certificate": b"certificate of beta"}, "certificate_in_use"),
        ({"did_operation": B.operation.to_json()}, "signature_invalid"),
    ],
)
def test_applications_that_are_refused(change: dict[str, Any], code: str) -> None:
    assert Council().send(A, "member.apply", application(**change)).code == code


def test_an_application_in_anothers_name_is_refused() -> None:
    payload = application()
    assert isinstance(payload["application"], dict)
    payload["application"]["name"] = "Another broker"
    council = Council()
    assert council.send(A, "member.apply", payload).code == "signature_invalid"
    council.ok(A, "member.apply", application())
    assert council.send(B, "member.apply", application()).code == "member_exists"
    assert council.send(B, "member.apply", application(A, certificate=b"new")).code == "member_exists"


def test_assessments_come_from_another_group_and_have_a_day() -> None:
    council = Council()
    sister = SISTER
    assert council.send(A, "member.assess", assessment(council, sister, "technology")).code == "assessor_own_group"
    ahead = assessment(council, B, "technology", assessed_on="2099-01-01")
    assert council.send(A, "member.assess", ahead).code == "assessment_day"
    old = assessment(council, B, "technology", assessed_on="2020-01-01")
    assert council.send(A, "member.assess", old).code == "assessment_day"
    council.ok(A, "member.assess", assessment(council, B, "technology"))


def test_an_assessment_that_ends_before_the_vote_does_not_admit() -> None:
    council = Council()
    council.ok(A, "member.apply", application())
    early = council.today
    council.ok(B, "member.assess", assessment(council, NEWCOMER, "institution", assessed_on=early))
    council.pass_days(360)
    council.ok(C, "member.assess", assessment(council, NEWCOMER, "technology"))
    council.pass_days(10)
    for voter in (A, B):
        council.ok(voter, "member.vote", council.ballot("member.admit", admit_content()))
    last = council.send(C, "member.vote", council.ballot("member.admit", admit_content()))
    assert last.code == "assessment_missing"
    assert council.motion("member.admit", admit_content()).yes == ("alpha", "beta")


def test_a_failed_assessment_opens_no_vote() -> None:
    council = Council()
    council.ok(A, "member.apply", application())
    council.ok(B, "member.assess", assessment(council, NEWCOMER, "institution", passed=False))
    council.ok(C, "member.assess", assessment(council, NEWCOMER, "technology"))
    assert council.phase(NEWCOMER) == "applied"


def test_votes_count_once_a_group_and_only_from_its_voice() -> None:
    council = Council()
    content = about(D)
    council.ok(A, "member.suspend", content)
    assert voice_of(council.machine.state, "alpha") == A.did  # the first founder of its group in genesis
    silent = SISTER
    assert council.send(silent, "member.vote", council.ballot("member.suspend", content)).code == "not_group_voice"
    assert council.send(A, "member.vote", council.ballot("member.suspend", content)).code == "group_has_voted"
    council.ok(A, "group.voice", {"voice": silent.did})
    again = council.send(silent, "member.vote", council.ballot("member.suspend", content))
    assert again.code == "group_has_voted"
    assert council.send(A, "group.voice", {"voice": A.did}).code == "not_group_voice"
    assert council.send(silent, "group.voice", {"voice": B.did}).code == "voice_not_sister"
    # The group that the motion is about has no vote.
    assert council.send(D, "member.vote", council.ballot("member.suspend", content)).code == "group_has_no_vote"


def test_suspension_needs_more_than_two_thirds_of_the_other_groups_and_is_undone_the_same_way() -> None:
    council = Council()
    council.ok(A, "member.suspend", about(D))
    council.ok(B, "member.vote", council.ballot("member.suspend", about(D)))
    assert council.phase(D) == "active"  # two of three others
    council.ok(C, "member.vote", council.ballot("member.suspend", about(D)))
    assert council.phase(D) == "suspended"
    assert council.send(D, "parameter.propose", {}, ordered=True).code != "ok"
    council.ok(D, "evidence.anchor", anchor_payload(None))  # what it did is still put on record
    council.carry("member.reinstate", about(D), (A, B, C))
    assert council.phase(D) == "active"


def test_expulsion_is_for_good_and_a_new_application_starts_anew() -> None:
    council = Council()
    admit(council)
    council.ok(NEWCOMER, "agreement.sign", agreement_payload())
    council.carry("member.expel", about(NEWCOMER), (A, B, C))
    assert council.phase(NEWCOMER) == "expelled"
    assert council.send(NEWCOMER, "evidence.anchor", anchor_payload(None)).code == "member_not_active"
    council.ok(A, "member.apply", application())
    assert council.phase(NEWCOMER) == "applied"
    council.ok(B, "member.assess", assessment(council, NEWCOMER, "institution"))
    assert council.phase(NEWCOMER) == "applied"  # the assessment before its expulsion counts no more


def _change(council: Council, party: Party, kind: Any, **content: Any) -> JsonObject:
    """Payload that makes the next version of the party's DID."""
    record = read_did(council.machine.state, party.did)
    fields: dict[str, Any] = {"did": party.did, "version": record.version + 1, "prev": did_record_hash(record)}
    if content:
        fields["content"] = DidContent(services=(), control=record.controls, **content)
    return dict(kind(**fields).to_json())


def _node_key(name: str) -> MethodKey:
    public = ed25519.public_key(sha256_raw(f"seed {name}".encode()))
    text = encode_multikey(ED25519_PUB, public)
    return MethodKey(id="#node", multikey=text, purposes=("assertionMethod", "authentication"))


def _expelled_after(change: Any) -> Council:
    council = Council(Machine(genesis(schema=2)))
    admit(council)
    council.ok(NEWCOMER, "agreement.sign", agreement_payload())
    change(council)
    council.carry("member.expel", about(NEWCOMER), (A, B, C))
    return council


def test_a_returning_member_applies_with_its_present_key_and_no_other() -> None:
    """Whoever found the key that was rotated away cannot apply in the member's name."""
    rotated = Party("rotated")

    def rotate(council: Council) -> None:
        council.ok(
            NEWCOMER, "did.update", _change(council, NEWCOMER, DidUpdate, keys=(_node_key("rotated"),)), ordered=True
        )

    council = _expelled_after(rotate)
    old = application()
    for payload in (
        old,  # the very application that admitted it: signed by the key of the creation operation
        application(materials=b"n" * 32),
        {**old, "signature": application(materials=b"n" * 32)["signature"]},
        application(rotated) | {"application": old["application"]},  # the right key over other bytes
    ):
        assert council.send(A, "member.apply", payload).code == "signature_invalid"
        assert council.phase(NEWCOMER) == "expelled"
    record = Application.from_json(old["application"])
    signature = b64u_encode(rotated.sign(application_bytes(record)))
    council.ok(A, "member.apply", {"application": record.to_json(), "signature": signature})
    assert council.phase(NEWCOMER) == "applied"
    assert read_did(council.machine.state, NEWCOMER.did).keys == (_node_key("rotated"),)


def test_a_deactivated_did_applies_no_more() -> None:
    council = _expelled_after(lambda _: None)
    council.ok(NEWCOMER, "did.deactivate", _change(council, NEWCOMER, DidDeactivate), ordered=True)
    assert council.send(A, "member.apply", application()).code == "did_deactivated"
    assert council.phase(NEWCOMER) == "expelled"


def test_leaving_has_a_notice_and_an_end() -> None:
    council = Council()
    assert council.send(D, "member.leave", {"step": "finish", "plan": PAPER}).code == "member_phase"
    council.ok(D, "member.leave", {"step": "notice", "plan": PAPER})
    assert council.phase(D) == "leaving"
    assert council.send(D, "member.leave", {"step": "finish", "plan": PAPER}).code == "leave_notice_running"
    council.pass_days(31)
    council.ok(D, "member.leave", {"step": "finish", "plan": PAPER})
    assert council.phase(D) == "left"


def test_nobody_can_take_the_orderer_or_the_last_member_away() -> None:
    council = Council()
    for kind in ("member.suspend", "member.expel"):
        assert council.send(B, kind, about(A)).code == "quorum_lost"
    assert council.send(A, "member.leave", {"step": "notice", "plan": PAPER}).code == "quorum_lost"


def test_of_two_groups_neither_decides_alone_about_the_other() -> None:
    council = Council(Machine(make_genesis((A, B))))
    assert council.send(A, "member.suspend", about(B)).code == "electorate_small"


def test_a_member_changes_its_control_group_by_vote_only() -> None:
    council = Council()
    content = {"member": D.did, "control_group": "gamma", "reason": PAPER}
    council.ok(A, "member.regroup", content)
    council.ok(B, "member.vote", council.ballot("member.regroup", content))
    council.ok(C, "member.vote", council.ballot("member.regroup", content))
    assert council.machine.state.get(f"member/{D.did}")["control_group"] == "gamma"  # type: ignore[index]
    # Three groups are left: gamma has two members and one vote.
    late = {"member": B.did, "reason": PAPER}
    council.ok(A, "member.suspend", late)
    voice = C if voice_of(council.machine.state, "gamma") == C.did else D
    council.ok(voice, "member.vote", council.ballot("member.suspend", late))
    assert council.phase(B) == "suspended"


def test_motions_end_and_a_late_ballot_never_counts_for_the_next_one() -> None:
    council = Council()
    council.ok(A, "member.suspend", about(D))
    ballot = council.ballot("member.suspend", about(D))
    assert council.send(B, "member.suspend", about(D)).code == "motion_open"
    council.pass_days(15)
    assert council.send(B, "member.vote", ballot).code == "motion_over"
    council.ok(C, "member.suspend", about(D))
    assert council.motion("member.suspend", about(D)).yes == ("gamma",)
    assert council.send(B, "member.vote", ballot).code == "motion_over"


def test_the_genesis_of_the_kit_is_what_the_tests_say() -> None:
    assert [member.control_group for member in genesis().members] == ["alpha", "beta", "gamma", "epsilon", "alpha"]
