"""The data model 2.0, property by property: what must pass passes, each defect is refused by its name."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha384
from typing import Any

import pytest

from credential_kit import EXAMPLES, signer, unsigned
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2, context_bytes
from lianzheng.identity.credentials.datamodel import check_credential, check_presentation

_BY = signer()
_TYPED = {"id": "https://example.org/x", "type": "ExampleThing"}
_V2_SRI = "sha384-" + b64encode(sha384(context_bytes(CREDENTIALS_V2)).digest()).decode()


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"id": None},
        {"type": "VerifiableCredential"},
        {"issuer": {"id": "did:example:issuer", "name": "Somebody"}},
        {"issuer": "https://example.org/发行人"},
        {"@context": [CREDENTIALS_V2, EXAMPLES, {"myWebsite": "https://vocabulary.example/myWebsite"}]},
        {"name": {"@value": "联证", "@language": "zh-Hans", "@direction": "ltr"}},
        {"description": [{"@value": "a", "@language": "en"}, {"@value": "ا", "@language": "ar", "@direction": "rtl"}]},
        {"validFrom": "2026-01-01T08:00:00.123+08:00", "validUntil": "2027-01-01T00:00:00Z"},
        {"credentialSubject": [{"id": "did:example:a"}, {"alumniOf": "x"}]},
        {"credentialStatus": {"type": "ExampleStatus"}},
        {"credentialSchema": [_TYPED, {**_TYPED, "id": "https://example.org/y"}]},
        {"refreshService": _TYPED, "termsOfUse": [_TYPED], "evidence": [{"type": ["ExampleEvidence"]}]},
        {"relatedResource": {"id": CREDENTIALS_V2, "digestSRI": _V2_SRI}},
        {
            "relatedResource": [
                {"id": "https://example.org/a.png", "digestSRI": "sha256-" + b64encode(bytes(32)).decode()}
            ]
        },
    ],
)
def test_must_pass(change: dict[str, Any]) -> None:
    check_credential(unsigned(_BY, **change))


@pytest.mark.parametrize(
    ("code", "change"),
    [
        ("credential_malformed", {"@context": None}),
        ("credential_malformed", {"@context": CREDENTIALS_V2}),
        ("credential_malformed", {"@context": [EXAMPLES, CREDENTIALS_V2]}),
        ("credential_malformed", {"@context": [{"@vocab": "urn:x:"}, CREDENTIALS_V2]}),
        ("credential_malformed", {"@context": [CREDENTIALS_V2, 5]}),
        ("credential_malformed", {"id": ["urn:x:1", "urn:x:2"]}),
        ("credential_malformed", {"id": "not a url"}),
        ("credential_malformed", {"type": None}),
        ("credential_malformed", {"type": ["AlumniCredential"]}),
        ("credential_malformed", {"type": ["VerifiableCredential", 1]}),
        ("credential_malformed", {"issuer": None}),
        ("credential_malformed", {"issuer": "issuer"}),
        ("credential_malformed", {"issuer": {"name": "nobody"}}),
        ("credential_malformed", {"issuer": ["did:example:a"]}),
        ("credential_malformed", {"name": 7}),
        ("credential_malformed", {"name": {"@value": "x", "url": "y"}}),
        ("credential_malformed", {"name": {"@value": 4}}),
        ("credential_malformed", {"description": {"@value": "x", "@direction": "up"}}),
        ("credential_malformed", {"description": {"@value": "x", "@language": "no_language"}}),
        ("credential_malformed", {"credentialSubject": None}),
        ("credential_malformed", {"credentialSubject": {}}),
        ("credential_malformed", {"credentialSubject": []}),
        ("credential_malformed", {"credentialSubject": "did:example:a"}),
        ("credential_malformed", {"credentialSubject": {"id": "a"}}),
        ("time_invalid", {"validFrom": "2026-01-01"}),
        ("time_invalid", {"validFrom": "2026-01-01T00:00:00"}),
        ("time_invalid", {"validFrom": "2026-02-29T00:00:00Z"}),
        ("time_invalid", {"validUntil": "2026-01-01T25:00:00Z"}),
        ("time_invalid", {"validUntil": 1}),
        ("credential_malformed", {"validUntil": "2025-12-31T23:59:59Z"}),
        ("credential_malformed", {"issuanceDate": "2026-01-01T00:00:00Z"}),
        ("credential_malformed", {"credentialStatus": {"id": "https://example.org/x"}}),
        ("credential_malformed", {"credentialStatus": {"id": "x", "type": "ExampleStatus"}}),
        ("credential_malformed", {"credentialStatus": "x"}),
        ("credential_malformed", {"credentialSchema": {"type": "JsonSchema"}}),
        ("credential_malformed", {"credentialSchema": {"id": "https://example.org/x"}}),
        ("credential_malformed", {"credentialSchema": []}),
        ("credential_malformed", {"refreshService": {"id": "https://example.org/x"}}),
        ("credential_malformed", {"termsOfUse": {"id": "https://example.org/x"}}),
        ("credential_malformed", {"evidence": [{"id": "https://example.org/x"}]}),
        ("credential_malformed", {"relatedResource": {"id": "https://example.org/x"}}),
        ("credential_malformed", {"relatedResource": {"digestSRI": _V2_SRI}}),
        ("credential_malformed", {"relatedResource": "https://example.org/x"}),
        ("credential_malformed", {"relatedResource": {"id": "https://example.org/x", "digestSRI": "md5-AA=="}}),
        ("credential_malformed", {"relatedResource": {"id": "https://example.org/x", "digestMultibase": "uEiA"}}),
        ("credential_malformed", {"relatedResource": [{"id": CREDENTIALS_V2, "digestSRI": _V2_SRI}] * 2}),
        ("related_resource_mismatch", {"relatedResource": {"id": EXAMPLES, "digestSRI": _V2_SRI}}),
        ("iri_relative", {"@context": [CREDENTIALS_V2], "credentialSubject": {"id": "did:example:a"}}),
        ("term_undefined", {"@context": [CREDENTIALS_V2], "type": "VerifiableCredential"}),
    ],
)
def test_must_fail(code: str, change: dict[str, Any]) -> None:
    with pytest.raises(LianzhengError) as caught:
        check_credential(unsigned(_BY, **change))
    assert caught.value.code == code


_PRESENTATION = {"@context": [CREDENTIALS_V2], "type": ["VerifiablePresentation"], "holder": "did:example:holder"}


def test_presentations_pass_with_none_one_and_several_credentials() -> None:
    one = unsigned(_BY)
    assert check_presentation(_PRESENTATION) == []
    assert check_presentation({**_PRESENTATION, "verifiableCredential": one}) == [one]
    assert check_presentation({**_PRESENTATION, "holder": {"id": "did:x:y"}, "verifiableCredential": [one, one]})


@pytest.mark.parametrize(
    "change",
    [
        {"@context": [EXAMPLES]},
        {"type": ["VerifiableCredential"]},
        {"type": []},
        {"holder": "nobody"},
        {"holder": None},
        {"id": "x"},
        {"verifiableCredential": ["eyJhbGciOiJFUzI1NiJ9.e30.AA"]},
        {"verifiableCredential": [{}]},
        {"verifiableCredential": [{"@context": [CREDENTIALS_V2]}]},
        {"verifiableCredential": [{"type": "VerifiableCredential"}]},
        {"verifiableCredential": [unsigned(_BY)] * 33},
    ],
)
def test_presentations_that_must_fail(change: dict[str, Any]) -> None:
    with pytest.raises(LianzhengError) as caught:
        check_presentation(_PRESENTATION | change)
    assert caught.value.code == "presentation_malformed"
