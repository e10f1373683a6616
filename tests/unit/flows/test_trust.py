"""By which rule an issuer is believed, over a ledger on which the alliance decides."""

from __future__ import annotations

from typing import Any

import pytest

from governance_kit import NEWCOMER, PAPER, A, B, C, Council, D, about, genesis
from lianzheng.contracts.machine import Machine
from lianzheng.errors import LianzhengError
from lianzheng.flows.trust import Trust, trust_of
from lianzheng.identity.credentials.kinds import kind_of

REGULATOR = "did:web:csrc.example"


@pytest.fixture
def council() -> Council:
    return Council(Machine(genesis(schema=2)))


def believed(council: Council, issuer: str, *types: str, named: frozenset[str] = frozenset(), **subject: Any) -> Trust:
    document = {"type": ["VerifiableCredential", *types], "credentialSubject": subject or {"id": A.did}}
    return trust_of(council.machine.state, document, kind_of(document), issuer, A.did, named)


def refused(*arguments: Any, **more: Any) -> bool:
    with pytest.raises(LianzhengError) as caught:
        believed(*arguments, **more)
    return caught.value.code == "issuer_not_trusted"


def moved(issuer: str, credential: str) -> dict[str, Any]:
    return {"issuer": issuer, "credential": credential, "document": PAPER}


def test_members_are_believed_for_what_members_issue(council: Council) -> None:
    assert believed(council, A.did, "KycCredential") == Trust("own", A.did)
    assert believed(council, B.did, "KycCredential") == Trust("member", B.did)
    assert refused(council, B.did, "MembershipCredential")
    assert refused(council, B.did, "AlumniCredential")
    assert refused(council, B.did)
    assert refused(council, NEWCOMER.did, "KycCredential"), "nobody that the alliance knows"


def test_a_party_is_believed_about_itself_alone(council: Council) -> None:
    person = NEWCOMER.did
    assert believed(council, person, "DelegationCredential", principal=person, id=B.did).rule == "party"
    assert refused(council, person, "DelegationCredential", principal=A.did, id=B.did)
    assert refused(council, person, "DelegationCredential", id=B.did)


def test_who_is_accredited_is_believed_for_that_type(council: Council) -> None:
    council.carry("issuer.accredit", moved(REGULATOR, "MembershipCredential"), (A, B, C))
    assert believed(council, REGULATOR, "MembershipCredential") == Trust("registry", REGULATOR, 0)
    assert refused(council, REGULATOR, "KycCredential")
    council.carry("issuer.withdraw", moved(REGULATOR, "MembershipCredential"), (A, B, C))
    assert refused(council, REGULATOR, "MembershipCredential")
    council.carry("issuer.accredit", {**moved(REGULATOR, "MembershipCredential"), "document": "A" * 43}, (A, B, C))
    assert believed(council, REGULATOR, "MembershipCredential").version == 2


def test_of_other_types_each_must_be_accredited(council: Council) -> None:
    council.carry("issuer.accredit", moved(REGULATOR, "LicenceCredential"), (A, B, C))
    assert believed(council, REGULATOR, "LicenceCredential").rule == "registry"
    assert refused(council, REGULATOR, "LicenceCredential", "BankCredential")


def test_what_the_alliance_took_from_a_member_membership_does_not_give_back(council: Council) -> None:
    council.carry("issuer.withdraw", moved(B.did, "KycCredential"), (A, C, D)[:2])
    assert refused(council, B.did, "KycCredential")
    assert believed(council, B.did, "SuitabilityLevelCredential").rule == "member"


def test_a_suspended_member_is_not_believed_whatever_the_registry_says(council: Council) -> None:
    council.carry("issuer.accredit", moved(B.did, "MembershipCredential"), (A, C, D))
    assert believed(council, B.did, "MembershipCredential").rule == "registry"
    council.carry("member.suspend", about(B), (A, C, D))
    assert council.phase(B) == "suspended"
    assert refused(council, B.did, "MembershipCredential")
    assert refused(council, B.did, "KycCredential")
    assert refused(council, B.did, "DelegationCredential", principal=B.did, id=A.did)


def test_whom_the_caller_names_is_the_callers_own_matter(council: Council) -> None:
    assert believed(council, "did:key:z6Mk", "AlumniCredential", named=frozenset({"did:key:z6Mk"})).rule == "named"
    assert refused(council, "did:key:z6Mo", "AlumniCredential", named=frozenset({"did:key:z6Mk"}))
