"""Credential kinds: schemas pinned by digest, shapes that hold and shapes that must not, words for people."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import Any

import pytest
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials import kinds
from lianzheng.identity.credentials.datamodel import check_credential
from lianzheng.identity.credentials.kinds import KINDS, check_kind, kind_of, require_kind, schema_bytes, schema_entry
from lianzheng.identity.credentials.rendering import render_credential
from lianzheng.identity.credentials.verifiable import CONTEXT

HOLDER = "did:lz:test-ledger:z1111111111111111111111111111111111111111111"
ISSUER = "did:lz:test-ledger:z2222222222222222222222222222222222222222222"
SUBJECTS: dict[str, dict[str, Any]] = {
    "KycCredential": {
        "id": HOLDER,
        "documentType": "RESIDENT_ID",
        "country": "CN",
        "checkedOn": "2026-09-01",
        "checkMethod": "document-against-customer-record",
        "credentialKey": f"{ISSUER}#cred-0",
    },
    "SuitabilityLevelCredential": {
        "id": HOLDER,
        "level": "C3",
        "lowestClass": False,
        "productLine": "securities",
        "policy": "securities-2026",
        "assessedOn": "2026-09-01",
        "expiresOn": "2027-08-31",
    },
    "ProfessionalInvestorCredential": {
        "id": HOLDER,
        "investorClass": "B",
        "grounds": ["financial-assets", "experience"],
        "productLine": "securities",
        "recognisedOn": "2026-09-01",
        "expiresOn": "2027-08-31",
    },
    "AssetStatementCredential": {
        "id": HOLDER,
        "indicator": "I01",
        "indicatorVersion": 1,
        "band": 4,
        "currency": "CNY",
        "asOf": "2026-08-31",
    },
    "SuitabilityConsentCredential": {
        "id": HOLDER,
        "consentId": "A" * 22,
        "requester": ISSUER,
        "providers": [HOLDER, ISSUER],
        "purpose": "suitability-assessment",
        "notBefore": "2026-09-01",
        "notAfter": "2026-12-31",
        "namedConsent": "A" * 43,
    },
    "MembershipCredential": {
        "id": HOLDER,
        "alliance": "test-ledger",
        "name": "样本证券",
        "uscc": "91990000MA00000000",
        "roles": ["provider", "requester"],
        "admittedOn": "2026-09-01",
    },
    "DelegationCredential": {
        "id": HOLDER,
        "principal": ISSUER,
        "acts": ["consent.sign", "consent.withdraw"],
        "capacity": "guardian",
        "furtherDelegation": False,
    },
}


def credential(name: str, subject: dict[str, Any] | None = None, **change: Any) -> dict[str, Any]:
    """A credential of kind ``name`` without proof; ``None`` takes a member away."""
    document = {
        "@context": [CONTEXT[0], dict(CONTEXT[1])],
        "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
        "type": ["VerifiableCredential", name],
        "issuer": ISSUER,
        "validFrom": "2026-09-01T00:00:00Z",
        "validUntil": "2027-08-31T00:00:00Z",
        "credentialSchema": schema_entry(KINDS[name]),
        "credentialSubject": {
            key: value for key, value in (SUBJECTS[name] | (subject or {})).items() if value is not None
        },
    } | change
    return {key: value for key, value in document.items() if value is not None}


def test_there_are_these_kinds_and_a_file_for_each() -> None:
    assert set(KINDS) == set(SUBJECTS)
    files = {one.name for one in resources.files(kinds).iterdir() if one.name.endswith(".json")}
    assert files == {f"{name}.json" for name in KINDS}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_schema_is_a_schema_and_its_reference_holds_its_digest(name: str) -> None:
    data = schema_bytes(KINDS[name])
    schema = parse_w3c(data)
    Draft202012Validator.check_schema(schema)
    entry = schema_entry(KINDS[name])
    assert entry["id"] == schema["$id"] == f"urn:lianzheng:schema:{name}:1"
    assert entry["digestSRI"] == "sha256-" + base64.b64encode(hashlib.sha256(data).digest()).decode()
    subject = schema["properties"]["credentialSubject"]
    assert subject["additionalProperties"] is False, "a claim that the schema does not know is not said"
    assert set(subject["required"]) <= set(subject["properties"])


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_good_one_holds_under_data_model_and_schema(name: str) -> None:
    document = credential(name)
    check_credential(document)
    assert kind_of(document) is KINDS[name]
    check_kind(document, KINDS[name])


@pytest.mark.parametrize("name", sorted(KINDS))
def test_no_required_claim_may_be_missing_and_none_may_be_added(name: str) -> None:
    schema = parse_w3c(schema_bytes(KINDS[name]))
    for claim in schema["properties"]["credentialSubject"]["required"]:
        broken = credential(name, {claim: None})
        with pytest.raises(LianzhengError) as caught:
            check_kind(broken, KINDS[name])
        assert caught.value.code == "credential_schema_invalid"
        check_kind(broken, KINDS[name], disclosed=True)  # the holder left it out
    for disclosed in (False, True):
        with pytest.raises(LianzhengError) as caught:
            check_kind(credential(name, {"idNumber": "x"}), KINDS[name], disclosed=disclosed)
        assert caught.value.code == "credential_schema_invalid"


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("KycCredential", {"country": "cn"}),
        ("KycCredential", {"country": "CN\n"}),
        ("KycCredential", {"checkedOn": "2026-13-01"}),
        ("KycCredential", {"checkedOn": "2026-09-01\n"}),
        ("KycCredential", {"credentialKey": ISSUER}),
        ("SuitabilityLevelCredential", {"level": "C6"}),
        ("SuitabilityLevelCredential", {"level": "R3"}),
        ("SuitabilityLevelCredential", {"lowestClass": "no"}),
        ("SuitabilityLevelCredential", {"lowestClass": 0}),
        ("ProfessionalInvestorCredential", {"investorClass": "D"}),
        ("ProfessionalInvestorCredential", {"grounds": []}),
        ("ProfessionalInvestorCredential", {"grounds": ["conversion", "conversion"]}),
        ("AssetStatementCredential", {"band": 7}),
        ("AssetStatementCredential", {"band": -1}),
        ("AssetStatementCredential", {"band": True}),
        ("AssetStatementCredential", {"amount": 3_200_000}),
        ("AssetStatementCredential", {"indicator": "I10"}),
        ("SuitabilityConsentCredential", {"providers": ["somebody"]}),
        ("SuitabilityConsentCredential", {"namedConsent": "A" * 44}),
        ("MembershipCredential", {"roles": ["Provider"]}),
        ("DelegationCredential", {"furtherDelegation": True}),
        ("DelegationCredential", {"acts": []}),
        ("DelegationCredential", {"acts": ["*"]}),
        ("DelegationCredential", {"acts": [f"act.{number}" for number in range(17)]}),
    ],
)
def test_claims_of_the_wrong_form_are_refused(name: str, subject: dict[str, Any]) -> None:
    with pytest.raises(LianzhengError) as caught:
        check_kind(credential(name, subject), KINDS[name])
    assert caught.value.code == "credential_schema_invalid"
    assert not any(str(value) in caught.value.text for value in subject.values() if len(str(value)) > 3)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"validUntil": None}, "credential_schema_invalid"),
        ({"@context": [CONTEXT[0]]}, "credential_context_refused"),
        ({"@context": [CONTEXT[0], {"@vocab": "urn:other#"}]}, "credential_context_refused"),
        ({"@context": [CONTEXT[0], dict(CONTEXT[1]), {"level": "urn:other#level"}]}, "credential_context_refused"),
        ({"type": ["VerifiableCredential", "KycCredential", "Extra"]}, "credential_schema_invalid"),
        ({"credentialSubject": [SUBJECTS["KycCredential"]]}, "credential_schema_invalid"),
        ({"credentialSchema": {**schema_entry(KINDS["KycCredential"]), "digestSRI": "sha256-AAAA"}},
         "credential_schema_mismatch"),
        ({"credentialSchema": schema_entry(KINDS["MembershipCredential"])}, "credential_schema_mismatch"),
        ({"credentialSchema": [schema_entry(KINDS["KycCredential"]), {"id": "urn:x:y", "type": "JsonSchema"}]},
         "credential_schema_mismatch"),
    ],
)  # fmt: skip
def test_the_document_around_the_claims_is_checked_too(change: dict[str, Any], code: str) -> None:
    with pytest.raises(LianzhengError) as caught:
        check_kind(credential("KycCredential", **change), KINDS["KycCredential"])
    assert caught.value.code == code


def test_a_long_list_is_refused_by_its_length() -> None:
    """Comparing each of 20,000 objects with each other would take minutes: the bound stands first in every schema."""
    many = [{"a": number} for number in range(20_000)]
    for name, claim in (("DelegationCredential", "acts"), ("ProfessionalInvestorCredential", "grounds")):
        with pytest.raises(LianzhengError) as caught:
            check_kind(credential(name, {claim: many}), KINDS[name])
        assert (caught.value.code, caught.value.detail) == ("credential_schema_invalid", "maxItems")


def test_a_credential_is_of_one_kind_or_of_none() -> None:
    both = credential("KycCredential", type=["VerifiableCredential", "KycCredential", "MembershipCredential"])
    with pytest.raises(LianzhengError) as caught:
        kind_of(both)
    assert caught.value.code == "credential_kind_ambiguous"
    foreign = credential("KycCredential", type=["VerifiableCredential", "AlumniCredential"])
    assert kind_of(foreign) is None
    with pytest.raises(LianzhengError) as caught:
        require_kind(foreign)
    assert caught.value.code == "credential_kind_unknown"


def test_an_altered_schema_file_is_not_used() -> None:
    altered = type(KINDS["KycCredential"])("KycCredential", "00" * 32, "", "")
    with pytest.raises(LianzhengError) as caught:
        schema_bytes(altered)
    assert caught.value.code == "credential_schema_altered"


@pytest.mark.parametrize("name", sorted(KINDS))
def test_every_claim_has_a_title_in_both_languages(name: str) -> None:
    chinese, english = render_credential(credential(name), "zh"), render_credential(credential(name), "en")
    assert [row.name for row in chinese.rows] == [row.name for row in english.rows]
    assert {row.name for row in chinese.rows} >= set(SUBJECTS[name]) | {"issuer", "validFrom", "validUntil"}
    assert all(row.title != row.name for row in chinese.rows), "a claim without words"
    assert all(row.title.isascii() for row in english.rows)
    assert (chinese.title, english.title) == (KINDS[name].title_zh, KINDS[name].title_en)


def test_codes_are_shown_in_words_and_unknown_ones_as_they_stand() -> None:
    rows = {row.name: row.value for row in render_credential(credential("AssetStatementCredential"), "zh").rows}
    assert (rows["band"], rows["indicator"], rows["currency"]) == ("300–500万元", "I01 金融资产", "人民币")
    rows = {row.name: row.value for row in render_credential(credential("DelegationCredential"), "en").rows}
    assert (rows["furtherDelegation"], rows["capacity"]) == ("no", "guardian")
    assert rows["acts"] == "consent.sign, consent.withdraw"
    odd = credential("AssetStatementCredential", {"band": 99, "surprise": "<b>"})
    rows = {row.name: row.value for row in render_credential(odd, "en").rows}
    assert (rows["band"], rows["surprise"]) == ("99", "<b>")
    status = [{"statusPurpose": "revocation"}, {"statusPurpose": "suspension"}]
    shown = render_credential(credential("KycCredential", credentialStatus=status), "en").rows
    assert shown[-1].value == "revocation, suspension"
