"""A delegate's authority for one act, offline: what is delegated, and everything that must not pass for it."""

from __future__ import annotations

from typing import Any

import pytest

from credential_kit import CREATED, issuer_name, policy, signer
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.delegation import Authority, check_authority, require_authority
from lianzheng.identity.credentials.kinds import KINDS, schema_entry
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.identity.credentials.verifiable import CONTEXT
from lianzheng.identity.status.bitstring import new_list, set_status
from lianzheng.identity.status.lists import StatusEntry, build_entry, build_list, check_status

PRINCIPAL, GUARDIAN, OTHER = (signer(ED25519_PUB, number) for number in (1, 2, 3))
UNTIL = "2026-12-31T00:00:00Z"
LIST = "https://example.org/status-lists/revocation-0"


def delegation(by: Any = PRINCIPAL, *, principal: Any = PRINCIPAL, to: Any = GUARDIAN, **change: Any) -> dict[str, Any]:
    subject = {
        "id": issuer_name(to),
        "principal": issuer_name(principal),
        "acts": ["consent.sign", "consent.withdraw"],
        "furtherDelegation": False,
    } | change.pop("subject", {})
    document = {
        "@context": [CONTEXT[0], dict(CONTEXT[1])],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", "DelegationCredential"],
        "issuer": issuer_name(by),
        "validFrom": "2026-01-01T00:00:00Z",
        "validUntil": UNTIL,
        "credentialSchema": schema_entry(KINDS["DelegationCredential"]),
        "credentialSubject": subject,
    } | change
    return create_proof(document, by, ProofOptions("eddsa-jcs-2022", created=CREATED))


def check(document: dict[str, Any], *, act: str = "consent.sign", delegate: Any = GUARDIAN, **change: Any) -> Authority:
    return check_authority(
        document,
        principal=issuer_name(PRINCIPAL),
        delegate=issuer_name(delegate),
        act=act,
        policy=policy(**change),
    )


def refused(document: dict[str, Any], **change: Any) -> str:
    with pytest.raises(LianzhengError) as caught:
        check(document, **change)
    return caught.value.code


def test_what_was_delegated_may_be_done_until_it_ends() -> None:
    found = check(delegation())
    assert found == Authority(issuer_name(PRINCIPAL), issuer_name(GUARDIAN), "consent.sign", xsd_time_ms(UNTIL))
    assert check(delegation(), act="consent.withdraw").act == "consent.withdraw"


def test_another_act_or_delegate_is_refused() -> None:
    assert refused(delegation(), act="order.place") == "delegation_act_refused"
    assert refused(delegation(), act="consent") == "delegation_act_refused"
    assert refused(delegation(), delegate=OTHER) == "delegation_delegate_mismatch"


def test_before_and_after_its_time_it_is_nothing() -> None:
    assert refused(delegation(), now_ms=xsd_time_ms(UNTIL) + 3_600_000) == "credential_expired"
    assert refused(delegation(validFrom="2026-11-01T00:00:00Z")) == "credential_not_yet_valid"
    assert refused(delegation(validUntil=None)) == "time_invalid"


def test_a_chain_of_two_is_refused() -> None:
    """The guardian, who has authority, cannot give it to somebody else: neither under its own name …"""
    passed_on = delegation(by=GUARDIAN, principal=PRINCIPAL, to=OTHER)
    assert refused(passed_on, delegate=OTHER) == "delegation_chained"
    # … nor as a principal of its own, nor under the principal's name with its own key.
    own = delegation(by=GUARDIAN, principal=GUARDIAN, to=OTHER)
    assert refused(own, delegate=OTHER) == "delegation_principal_mismatch"
    forged = create_proof(
        {name: value for name, value in delegation(to=OTHER).items() if name != "proof"},
        GUARDIAN,
        ProofOptions("eddsa-jcs-2022", created=CREATED),
    )
    assert refused(forged, delegate=OTHER) == "credential_issuer_mismatch"
    assert refused(delegation(subject={"furtherDelegation": True})) == "credential_schema_invalid"


def test_an_altered_one_does_not_hold() -> None:
    document = delegation()
    wider = {**document["credentialSubject"], "acts": ["consent.sign", "order.place"]}
    assert refused({**document, "credentialSubject": wider}, act="order.place") == "proof_invalid"


def test_a_revoked_one_is_refused_and_nobody_may_forget_to_look() -> None:
    bits = new_list()
    document = delegation(credentialStatus=build_entry(StatusEntry("revocation", LIST, 7)))

    def look(credential: dict[str, Any]) -> None:
        found = build_list(issuer_name(PRINCIPAL), LIST, "revocation", bits, CREATED)
        check_status(credential, lambda _: found)

    assert check(document, check_status=look).act == "consent.sign"
    set_status(bits, 7, 1)
    assert refused(document, check_status=look) == "credential_revoked"
    assert refused(document) == "delegation_status_unchecked"


def test_another_kind_is_no_delegation() -> None:
    document = delegation(type=["VerifiableCredential", "KycCredential"])
    assert refused(document) == "delegation_malformed"
    with pytest.raises(LianzhengError) as caught:
        require_authority({**document, "type": ["VerifiableCredential"]}, principal="a", delegate="b", act="c")
    assert caught.value.code == "delegation_malformed"
