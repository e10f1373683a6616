"""What w3c/vc-data-model-2.0-test-suite (tests/*.js) asks of an issuer and of verifiers, with documents of our own.

The suite itself is not run here. Each case names the suite's assertion and file.
"""

from __future__ import annotations

from typing import Any

import pytest

from lianzheng.identity.credentials.contexts import CREDENTIALS_V2

_PROFILE = "eddsa-rdfc-2022"
_OURS = {"Thing": "https://example.org/#Thing"}
_LEFT_OUT = object()
_EN = {"@value": "Name", "@language": "en"}
_LTR = {**_EN, "@direction": "ltr"}
_BARE_SHA256 = "uWZVc7WaX1h4D8rJVb-vlMIqxaEKEb1tYbX8fet7JJzQ"
_SHA384 = "sha384-l/HrjlBCNWyAX91hr6LFV2Y3heB5Tcr6IeE4/Tje8YyzYBM8IhqjHWiWpr8+ZbYU"


def _credential(**change: Any) -> dict[str, Any]:
    document = {
        "@context": [CREDENTIALS_V2, _OURS],
        "type": ["VerifiableCredential"],
        "credentialSubject": {"id": "did:example:subject"},
    } | {name.replace("context_", "@context"): value for name, value in change.items()}
    return {name: value for name, value in document.items() if value is not _LEFT_OUT}


def _typed(name: str, **also: Any) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """One, several and an URL as type are issued; none, and a number, are not."""
    one = {"type": "Thing", **also}
    url = {**one, "type": "https://example.org/#Thing"}
    bad = [{name_: value for name_, value in one.items() if name_ != "type"} | {"id": "did:example:1"}]
    bad += [{**one, "type": 2}]
    return [{name: one}, {name: [one, url]}], [{name: value} for value in bad]


def _texts(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    good = ["text", _EN, _LTR, [_EN, {"@value": "Nom", "@language": "fr"}]]
    bad = {**_EN, "url": "did:example:1"}
    return [{name: value} for value in good], [{name: bad}]


def _of_issuer(name: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    good, bad = _texts(name)
    return [{"issuer": one} for one in good], [{"issuer": one} for one in bad]


_EARLY, _LATE = "2023-02-27T05:03:28Z", "2033-02-27T05:03:28Z"
_TIMES = [_LATE, "2033-02-27T05:03:28.123Z", "2033-02-27T05:03:28-05:00"]
_BAD_TIMES = [{"validFrom": "February 2023"}, {"validUntil": "2033-02-27"}]
_IDS = ["urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33", "did:example:1", "https://example.org/1"]
_BAD_IDS: list[Any] = [None, "no url", ["did:example:1", "did:example:2"]]
_SCHEMA = {"type": "https://example.org/#Schema", "id": "did:example:schemas/1"}
_RESOURCE = {"id": CREDENTIALS_V2, "digestSRI": _SHA384, "digestMultibase": _BARE_SHA256}

_ISSUED: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
    "4.03 Verifiable credentials MUST include a @context property.": ([{}], [{"context_": _LEFT_OUT}]),
    "4.03 The first item is a URL with the value https://www.w3.org/ns/credentials/v2.": (
        [{"context_": [CREDENTIALS_V2, "https://www.w3.org/ns/credentials/examples/v2"]}],
        [{"context_": ["https://www.w3.org/ns/credentials/examples/v2"]}],
    ),
    "4.03 Subsequent items MUST be composed of any combination of URLs and/or objects.": (
        [{"type": ["VerifiableCredential", "Thing"]}],
        [{"context_": [CREDENTIALS_V2, item]} for item in ("https ://not-a-url/v1", 123192875)],
    ),
    "4.04 If present, the value of the id property MUST be a single URL.": (
        [{"id": value} for value in _IDS] + [{"credentialSubject": {"id": value}} for value in _IDS],
        [{"id": value} for value in _BAD_IDS] + [{"credentialSubject": {"id": value}} for value in _BAD_IDS],
    ),
    "4.05 MUST contain a type property with an associated value.": ([{}], [{"type": _LEFT_OUT}]),
    "4.05 The value of the type property MUST be one or more terms and/or absolute URL strings.": (
        [{"type": ["VerifiableCredential", "https://example.org/#Thing"]}],
        [
            {"type": ["VerifiableCredential", "Nowhere"]},
            {"type": ["VerifiableCredential", "Bad"], "context_": [CREDENTIALS_V2, {"Bad": "https ://not-a-url#Bad"}]},
        ],
    ),
    "4.05 If more than one (type) value is provided, the order does not matter.": (
        [{"type": ["https://example.org/#a", "VerifiableCredential", "https://example.org/#b"]}],
        [],
    ),
    "4.05 Verifiable Credential objects MUST have a type specified.": ([{}], [{"type": ["Thing"]}]),
    "4.05 termsOfUse objects MUST have a type specified.": _typed("termsOfUse"),
    "4.05 evidence objects MUST have a type specified.": _typed("evidence"),
    "4.05 credentialStatus objects MUST have a type specified.": _typed("credentialStatus"),
    "5.4 Each refreshService value MUST specify its type.": _typed("refreshService", id="did:example:refresh/1"),
    "4.06 Credential: name MUST be a string or a language value object.": _texts("name"),
    "4.06 Credential: description MUST be a string or a language value object.": _texts("description"),
    "4.06 Issuer: name MUST be a string or a language value object.": _of_issuer("name"),
    "4.06 Issuer: description MUST be a string or a language value object.": _of_issuer("description"),
    "4.07 issuer MUST be either a URL, or an object containing an id property whose value is a URL.": (
        [{"issuer": {"id": "did:example:issuer"}}],
        [{"issuer": value} for value in ("no url", {"id": None}, {"id": "no url"})],
    ),
    "4.08 A verifiable credential MUST contain a credentialSubject property.": (
        [{}],
        [{"credentialSubject": _LEFT_OUT}],
    ),
    "4.08 Each object MUST be the subject of one or more claims.": (
        [{"credentialSubject": [{"id": "did:example:a"}, {"id": "did:example:b"}]}],
        [{"credentialSubject": {}}, {"credentialSubject": [{"id": "did:example:a"}, {}]}],
    ),
    "4.09 validFrom and validUntil MUST be a dateTimeStamp string value.": (
        [{name: value} for name in ("validFrom", "validUntil") for value in _TIMES],
        _BAD_TIMES,
    ),
    "4.09 validFrom MUST be the same or earlier than validUntil.": (
        [{"validFrom": _EARLY, "validUntil": _LATE}, {"validFrom": _EARLY, "validUntil": _EARLY}],
        [{"validFrom": _LATE, "validUntil": _EARLY}],
    ),
    "4.10 credentialStatus.id: the normative guidance in Section 4.4 Identifiers MUST be followed.": (
        [{"credentialStatus": {"type": "Thing"}}, {"credentialStatus": {"type": "Thing", "id": "did:example:s"}}],
        [{"credentialStatus": {"type": "Thing", "id": value}} for value in _BAD_IDS],
    ),
    "4.11 credentialSchema MUST specify its type, and an id property that MUST be a URL.": (
        [{"credentialSchema": _SCHEMA}, {"credentialSchema": [_SCHEMA, {**_SCHEMA, "id": "did:example:schemas/2"}]}],
        [{"credentialSchema": value} for value in ({"id": "did:example:1"}, {"type": "Thing"}, {**_SCHEMA, "id": 5})],
    ),
    "5.2 MUST produce an error when a JSON-LD context redefines any term in the active context.": (
        [{}],
        [{"context_": [CREDENTIALS_V2, {"VerifiableCredential": "https://example.org/#Other"}]}],
    ),
    "5.3 relatedResource MUST contain at least a digestSRI or a digestMultibase value.": (
        [{"relatedResource": [_RESOURCE]}, {"relatedResource": {"id": CREDENTIALS_V2, "digestSRI": _SHA384}}],
        [
            {"relatedResource": [{"id": CREDENTIALS_V2}]},
            {"relatedResource": [{**_RESOURCE, "digestMultibase": "u" + "A" * 43}]},
            {"relatedResource": [_RESOURCE, _RESOURCE]},
            {"relatedResource": ["https://example.org/1"]},
        ],
    ),
}


@pytest.mark.parametrize("assertion", _ISSUED)
async def test_issuing(suite: Any, assertion: str) -> None:
    """tests/4.*-*.js, tests/5-*.js: the issuer accepts each of the first and answers 400 to each of the second."""
    good, bad = _ISSUED[assertion]
    for change in good:
        status, issued = await suite.issue(_PROFILE, _credential(**change))
        assert status == 201, (change, issued)
        assert issued["@context"][0] == CREDENTIALS_V2
    for change in bad:
        assert (await suite.issue(_PROFILE, _credential(**change)))[0] == 400, change


async def test_conforming_documents_are_secured_and_all_others_refused(suite: Any) -> None:
    """tests/1-03-conformance.js and tests/7-algorithms.js."""
    _, issued = await suite.issue(_PROFILE, _credential())
    assert {"@context", "type", "issuer", "credentialSubject", "proof"} <= set(issued)
    assert await suite.verify(_PROFILE, issued) == 200
    unsecured = {name: value for name, value in issued.items() if name != "proof"}
    for document in (unsecured, {"type": ["NonconformingDocument"]}):
        assert await suite.verify(_PROFILE, document) == 400
        assert await suite.verify_presented(_PROFILE, document) == 400


async def test_verifiable_presentations(suite: Any, present: Any) -> None:
    """tests/4-13-verifiable-presentations.js: contexts, types, ids, holders, and a proof that was replaced."""
    extra = [CREDENTIALS_V2, _OURS]
    good: list[dict[str, Any]] = [{}, {"id": "urn:uuid:9c9a36f8-518f-4976-a934-6649502d0008"}, {"@context": extra}]
    good += [{"@context": extra, "type": ["VerifiablePresentation", "Thing"]}]
    for change in good:
        assert await suite.verify_presented(_PROFILE, present(**change)) == 200, change
    signed = present()  # an RDF proof does not cover an empty list: the suite signs with it, which changes nothing
    assert await suite.verify_presented(_PROFILE, {**signed, "verifiableCredential": []}) == 200
    signed = present(1, holder=present.did)
    bad: list[dict[str, Any]] = [{"@context": None}, {"@context": []}, {"type": None}, {"type": ["Thing"]}]
    bad += [{"@context": [CREDENTIALS_V2, "https ://no"]}, {"@context": [CREDENTIALS_V2, 5]}, {"holder": {"id": "z6M"}}]
    bad += [{"verifiableCredential": ["a text"]}, {"verifiableCredential": [_credential()]}]
    bad += [{"proof": {**signed["proof"], "proofValue": "z5nmMBw2u9TGKd9NxxHJtyZKgjN2Eh"}}]
    for change in bad:
        altered = {name: value for name, value in {**signed, **change}.items() if value is not None}
        assert await suite.verify_presented(_PROFILE, altered) == 400, change


async def test_a_self_asserted_credential_needs_its_holder(suite: Any, present: Any) -> None:
    """tests/4.13-verifiable-presentations.js: Presentations Including Holder Claims."""
    for holder in (present.did, {"id": present.did}):
        assert await suite.verify_presented(_PROFILE, present(2, holder=holder)) == 200
    assert await suite.verify_presented(_PROFILE, present(1)) == 400
    assert await suite.verify_presented(_PROFILE, present(1, holder="did:example:acme")) == 400


async def test_enveloped_credentials(suite: Any) -> None:
    """tests/4.13.2-envelopes.js: context, id and type of the object around the envelope."""
    profile = "vc-jose-cose"
    _, issued = await suite.issue(profile, _credential())
    assert issued["type"] == "EnvelopedVerifiableCredential"
    assert await suite.verify(profile, issued) == 200
    changes: list[dict[str, Any]] = [
        {"@context": []},
        {"@context": "https://www.w3.org/ns/credentials/examples/v2"},
        {"type": None},
    ]
    changes += [{"id": issued["id"].split(",")[1]}, {"type": "VerifiableCredential"}]
    for change in changes:
        altered = {name: value for name, value in {**issued, **change}.items() if value is not None}
        assert await suite.verify(profile, altered) == 400, change
