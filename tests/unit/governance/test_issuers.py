"""The registry of issuers: by motion, never by the issuer's own group, and never about nothing."""

from __future__ import annotations

import pytest

from governance_kit import NEWCOMER, PAPER, SISTER, A, B, C, Council, D, genesis
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import JsonObject
from lianzheng.governance.issuers.model import AccreditationRecord, accreditation_of

KIND = "MembershipCredential"
REGULATOR = "did:web:csrc.example"


def council() -> Council:
    return Council(Machine(genesis(schema=2)))


def about(issuer: str, credential: str = KIND) -> JsonObject:
    return {"issuer": issuer, "credential": credential, "document": PAPER}


def entry(found: Council, issuer: str, credential: str = KIND) -> AccreditationRecord | None:
    return accreditation_of(found.machine.state, credential, issuer)


def test_more_than_two_thirds_accredit_and_more_than_half_withdraw() -> None:
    found = council()
    # Four groups: three of four are more than 2/3 (2.67), two are not.
    found.ok(A, "issuer.accredit", about(REGULATOR))
    found.ok(B, "member.vote", found.ballot("issuer.accredit", about(REGULATOR)))
    assert entry(found, REGULATOR) is None
    result = found.ok(C, "member.vote", found.ballot("issuer.accredit", about(REGULATOR)))
    record = entry(found, REGULATOR)
    assert record is not None
    assert (record.version, record.status, record.since_ms) == (0, "accredited", found.now_ms)
    assert {"type": "issuer.accredit", "credential": KIND, "issuer": REGULATOR} in result.events
    # Two of four are not more than 1/2, three are.
    found.carry("issuer.withdraw", about(REGULATOR), (A, B))
    assert found.motion("issuer.withdraw", about(REGULATOR)).status == "open"
    found.ok(D, "member.vote", found.ballot("issuer.withdraw", about(REGULATOR)))
    after = entry(found, REGULATOR)
    assert after is not None
    assert (after.version, after.status) == (1, "withdrawn")
    assert entry(found, REGULATOR, "KycCredential") is None


def test_the_issuers_own_group_has_no_vote() -> None:
    found = council()
    assert found.send(A, "issuer.accredit", about(SISTER.did)).code == "group_has_no_vote"
    found.ok(B, "issuer.accredit", about(SISTER.did))
    vote = found.ballot("issuer.accredit", about(SISTER.did))
    assert found.send(A, "member.vote", vote).code == "group_has_no_vote"
    found.ok(C, "member.vote", vote)
    found.ok(D, "member.vote", vote)
    record = entry(found, SISTER.did)
    assert record is not None
    assert record.status == "accredited"


@pytest.mark.parametrize(
    ("kind", "content", "code"),
    [
        ("issuer.accredit", about(NEWCOMER.did), "issuer_unknown"),
        ("issuer.accredit", about("urn:uuid:1"), "field_invalid"),
        ("issuer.accredit", about("did:web:a b"), "field_invalid"),
        ("issuer.accredit", about(REGULATOR, "membership"), "field_invalid"),
        ("issuer.accredit", {**about(REGULATOR), "document": "AAAA"}, "field_invalid"),
    ],
)
def test_what_cannot_be_moved_for(kind: str, content: JsonObject, code: str) -> None:
    assert council().send(A, kind, content).code == code


def test_what_stands_already_cannot_be_moved_for_nor_carried_twice() -> None:
    found = council()
    other = {**about(REGULATOR), "document": "b3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3RoZXIgb3Q"}
    found.ok(A, "issuer.accredit", other)
    found.ok(B, "member.vote", found.ballot("issuer.accredit", other))
    found.carry("issuer.accredit", about(REGULATOR), (A, B, C))
    assert found.send(A, "issuer.accredit", {**about(REGULATOR), "document": PAPER}).code == "accreditation_unchanged"
    # The other motion's deciding ballot meets a world that has changed.
    assert found.send(C, "member.vote", found.ballot("issuer.accredit", other)).code == "accreditation_unchanged"
    assert found.motion("issuer.accredit", other).status == "open"


def test_it_came_with_schema_2() -> None:
    found = Council(Machine(genesis(schema=1)))
    assert found.send(A, "issuer.accredit", about(REGULATOR)).code == "kind_unknown"


def test_withdrawing_what_never_was_closes_the_way_of_a_member() -> None:
    """A member issues some kinds without an entry; the alliance can take that away."""
    found = council()
    found.carry("issuer.withdraw", about(B.did, "KycCredential"), (A, C))
    record = entry(found, B.did, "KycCredential")
    assert record is not None
    assert (record.version, record.status) == (0, "withdrawn")
