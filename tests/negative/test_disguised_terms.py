"""RDF suites sign statements, not names: who holds a credential cannot hide its end or its status under another name.

Every disguise here leaves the signed statements as they are, which ``_statements`` shows with PyLD alone; before
there was ``names.py`` each of them turned an expired or revoked credential into one that counts.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from pyld import jsonld  # type: ignore[import-untyped]

from credential_kit import CREATED, issuer_name, policy, signed, signer, unsigned
from lianzheng.encoding.multikey import P256_PUB
from lianzheng.errors import LianzhengError, VerificationError
from lianzheng.identity.credentials.contexts import load_context
from lianzheng.identity.credentials.ecdsa_sd import derive
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import CONTEXT
from lianzheng.identity.credentials.verifier import verify_vc

CRED = "https://www.w3.org/2018/credentials#"
STATUS = "https://www.w3.org/ns/credentials/status#"
DATE_TIME = "http://www.w3.org/2001/XMLSchema#dateTime"
PAST = "2026-02-01T00:00:00Z"
LIST = "https://issuer.example/status/revocation-0"
ENTRY = {
    "id": f"{LIST}#3",
    "type": "BitstringStatusListEntry",
    "statusPurpose": "revocation",
    "statusListIndex": "3",
    "statusListCredential": LIST,
}
TYPED = {"@value": PAST, "@type": DATE_TIME}
SELF = {"id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33"}
RDF_SUITES = ("eddsa-rdfc-2022", "ecdsa-rdfc-2019")


def _revoked(_document: dict[str, Any]) -> None:
    raise VerificationError("credential_revoked", "The list says so.")


def _code(document: dict[str, Any], **change: Any) -> str:
    with pytest.raises(LianzhengError) as caught:
        verify_vc(document, policy(check_status=_revoked, **change))
    return caught.value.code


def _statements(document: dict[str, Any]) -> str:
    """The canonical statements of what a proof covers, by PyLD without anything of ours but the stored contexts."""
    covered = {name: value for name, value in document.items() if name != "proof"}

    def load(url: str, _options: Any) -> Any:
        return {
            "contentType": "application/ld+json",
            "contextUrl": None,
            "documentUrl": url,
            "document": load_context(url),
        }

    options = {"algorithm": "URDNA2015", "format": "application/n-quads", "documentLoader": load}
    return str(jsonld.normalize(covered, options))


def _moved(document: dict[str, Any], name: str, to: dict[str, Any], *context: dict[str, Any]) -> dict[str, Any]:
    changed = {key: value for key, value in deepcopy(document).items() if key != name}
    return {**changed, **to, "@context": [*document["@context"], *context]}


Way = tuple[dict[str, Any], tuple[dict[str, Any], ...]]
UNTIL: dict[str, Way] = {
    "as an IRI": ({CRED + "validUntil": TYPED}, ()),
    "under a prefix": ({"c:validUntil": TYPED}, ({"c": CRED},)),
    "as a term of an inline context": ({"bis": PAST}, ({"bis": {"@id": CRED + "validUntil", "@type": DATE_TIME}},)),
    "under a term that is @nest": ({"nest": {"validUntil": PAST}}, ({"nest": "@nest"},)),
    "of an included object with the same id": (
        {"more": {**SELF, "type": "VerifiableCredential", "validUntil": PAST}},
        ({"more": "@included"},),
    ),
    "in the claims, of an object with the same id": (
        {
            "credentialSubject": {
                "id": "did:example:abcdefgh",
                "alumniOf": {**SELF, "type": "VerifiableCredential", "validUntil": PAST},
            }
        },
        (),
    ),
}


@pytest.mark.parametrize("suite", RDF_SUITES)
@pytest.mark.parametrize("way", UNTIL)
def test_the_end_cannot_be_hidden(suite: str, way: str) -> None:
    subject = {
        "id": "did:example:abcdefgh",
        "alumniOf": SELF if way.startswith("in the") else "A school",
    }
    document = signed(suite, validUntil=PAST, credentialSubject=subject)
    assert _code(document) == "credential_expired"
    to, context = UNTIL[way]
    disguised = _moved(document, "validUntil", to, *context)
    assert _statements(disguised) == _statements(document)
    assert _code(disguised) == "term_disguised"


STATUS_WAYS: dict[str, Way] = {
    "as an IRI": ({CRED + "credentialStatus": ENTRY}, ()),
    "under a prefix": ({"c:credentialStatus": ENTRY}, ({"c": CRED},)),
    "as a term": ({"state": ENTRY}, ({"state": {"@id": CRED + "credentialStatus", "@type": "@id"}},)),
    "backwards": (
        {"more": {**ENTRY, "of": SELF}},
        ({"more": "@included", "of": {"@reverse": CRED + "credentialStatus"}},),
    ),
}


@pytest.mark.parametrize("suite", RDF_SUITES)
@pytest.mark.parametrize("way", STATUS_WAYS)
def test_the_status_cannot_be_hidden(suite: str, way: str) -> None:
    document = signed(suite, credentialStatus=ENTRY)
    assert _code(document) == "credential_revoked"
    to, context = STATUS_WAYS[way]
    disguised = _moved(document, "credentialStatus", to, *context)
    assert _statements(disguised) == _statements(document)
    assert _code(disguised) == "term_disguised"


@pytest.mark.parametrize("suite", RDF_SUITES)
def test_no_term_points_backwards(suite: str) -> None:
    """The claims mention the entry; what belongs to the document is said there, from the other end."""
    mention = {"id": "did:example:abcdefgh", "alumniOf": {"id": ENTRY["id"]}}
    document = signed(suite, credentialStatus=ENTRY, credentialSubject=mention)
    assert _code(document) == "credential_revoked"
    turned = {"credentialSubject": {**mention, "alumniOf": {**ENTRY, "of": SELF}}}
    inline = {"of": {"@reverse": CRED + "credentialStatus"}}
    disguised = _moved(document, "credentialStatus", turned, inline)
    assert _statements(disguised) == _statements(document)
    assert _code(disguised) == "term_disguised"


@pytest.mark.parametrize("suite", RDF_SUITES)
def test_one_of_two_status_entries_cannot_be_hidden(suite: str) -> None:
    """The harmless one stays where a verifier looks."""
    other = {**ENTRY, "id": f"{LIST}#4", "statusListIndex": "4"}
    document = signed(suite, credentialStatus=[ENTRY, other])
    disguised = {**document, "credentialStatus": other, CRED + "credentialStatus": ENTRY}
    assert _statements(disguised) == _statements(document)
    assert _code(disguised) == "term_disguised"
    mention = {"id": "did:example:abcdefgh", "alumniOf": SELF}
    document = signed(suite, credentialStatus=[ENTRY, other], credentialSubject=mention)
    said = {**SELF, "type": "VerifiableCredential", "credentialStatus": ENTRY}
    disguised = {**document, "credentialStatus": other, "credentialSubject": {**mention, "alumniOf": said}}
    assert _statements(disguised) == _statements(document)
    assert _code(disguised) == "term_disguised"


@pytest.mark.parametrize("way", ["as an IRI", "in a second object"])
def test_the_width_of_a_status_cannot_be_hidden(way: str) -> None:
    """Without it the verifier reads bit 3, not bits 6 and 7."""
    document = signed(credentialStatus={**ENTRY, "statusPurpose": "message", "statusSize": 2})
    entry = {**ENTRY, "statusPurpose": "message"}
    if way == "as an IRI":
        size = {"@value": "2", "@type": "https://www.w3.org/2001/XMLSchema#integer"}  # as the base context has it
        disguised = {**document, "credentialStatus": {**entry, STATUS + "statusSize": size}}
    else:
        second = {"id": ENTRY["id"], "statusSize": 2, "type": ENTRY["type"]}
        disguised = {**document, "credentialStatus": [entry, second]}
    assert _statements(disguised) == _statements(document)
    assert _code(disguised) == "term_disguised"


@pytest.mark.parametrize(
    "change",
    [
        {"@id": SELF["id"], "id": None},
        {"name of it": SELF["id"], "id": None},
        {"type": ["VerifiableCredential", "AlumniCredential", "Extra"]},
    ],
)
def test_id_and_type_go_by_their_names(change: dict[str, Any]) -> None:
    document = signed(type=["VerifiableCredential", "AlumniCredential"])
    inline = {"name of it": "@id", "Extra": STATUS + "BitstringStatusListEntry"}
    disguised = {**document, "@context": [*document["@context"], inline], **change}
    disguised = {name: value for name, value in disguised.items() if value is not None}
    assert _code(disguised) == "term_disguised"


def test_types_are_read_as_json_ld_reads_them() -> None:
    """Of one object all types are expanded before any of them brings a context of its own (JSON-LD 1.1 API, 5.1)."""
    harmless, entry = "urn:x:harmless", STATUS + "BitstringStatusListEntry"
    for outside, inside, code in ((entry, harmless, "term_disguised"), (harmless, entry, "proof_invalid")):
        inline = {"T": {"@id": "urn:x:T", "@context": {"Alias": inside}}, "Alias": outside}
        document = signed()
        changed = {
            **document,
            "@context": [*document["@context"], inline],
            "type": ["VerifiableCredential", "T", "Alias"],
        }
        assert _code(changed) == code


@pytest.mark.parametrize("linked", [True, False])
def test_a_kind_of_ours_under_our_very_context(linked: bool) -> None:
    """``check_kind`` fixes the context and asks for validUntil, but an IRI needs no context: the status was the gap."""
    by = signer()
    level: dict[str, Any] = {
        "@context": list(CONTEXT),
        "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
        "credentialStatus": ENTRY,
        "credentialSubject": {"id": "did:example:abcdefgh", "level": "C3"},
    }
    document = unsigned(by, **level)
    document = create_proof(document, by, ProofOptions("eddsa-rdfc-2022", created=CREATED))
    disguised = _moved(document, "credentialStatus", {CRED + "credentialStatus": ENTRY})
    assert _statements(disguised) == _statements(document)
    assert _code(disguised, linked=linked) == "term_disguised"
    kind = {**document, "type": ["VerifiableCredential", "urn:lianzheng:v1#SuitabilityLevelCredential"]}
    assert _statements(kind) == _statements(document)
    assert _code(kind, linked=linked) == "term_disguised"


def test_a_derived_credential() -> None:
    by = signer(P256_PUB)
    pointers = ("/issuer", "/validFrom", "/credentialStatus", "/type", "/id")
    document = unsigned(by, credentialStatus=ENTRY)
    options = ProofOptions("ecdsa-sd-2023", created=CREATED, mandatory_pointers=pointers)
    base = create_proof(document, by, options)
    derived = derive(base, base["proof"], ("/credentialSubject",))
    assert _code(derived) == "credential_revoked"
    disguised = _moved(derived, "credentialStatus", {CRED + "credentialStatus": derived["credentialStatus"]})
    assert _statements(disguised) == _statements(derived)
    assert _code(disguised) == "term_disguised"


def test_terms_of_others_are_free() -> None:
    """*Must pass*: IRIs, prefixes and terms for words that decide nothing, and ids that come twice."""
    by = signer()
    free: dict[str, Any] = {
        "@context": [
            "https://www.w3.org/ns/credentials/v2",
            {"school": "https://schema.org/alumniOf", "s": "https://schema.org/"},
        ],
        "type": ["VerifiableCredential", "https://schema.org/Thing"],
        "issuer": {"id": issuer_name(by), "name": "Oneself"},
        "credentialSubject": {
            "id": issuer_name(by),
            "school": "A school",
            "s:award": "A prize",
            "https://schema.org/jobTitle": "Teacher",
            "s:knows": {"id": "did:example:b", "s:knows": {"id": issuer_name(by)}},
        },
    }
    document = signed(**free)
    assert verify_vc(document, policy()).document == document
