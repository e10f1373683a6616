"""The HTTP binding of DID Resolution, row by row (§12.1), over a machine with DIDs in every condition."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from did_kit import Holder, MachineLedger, Network
from ledger_kit import CHAIN
from lianzheng.api.internal import identifiers
from lianzheng.clock import ManualClock
from lianzheng.encoding.jcs import encode_w3c
from lianzheng.errors import NotFoundError, VerificationError
from lianzheng.identity.did.model import DidService, commitment
from lianzheng.identity.resolution.did_key import KeyDriver
from lianzheng.identity.resolution.did_lz import LedgerDriver
from lianzheng.identity.resolution.did_web import WebDriver
from lianzheng.identity.resolution.model import date_time
from lianzheng.identity.resolution.resolver import Resolver
from lianzheng.ledger.answers import StateAnswer
from lianzheng.limits import DID_OPTIONS_BYTES_MAX

NS = "https://www.w3.org/ns/did#"
FILES = DidService(id="#files", type="LinkedDomains", endpoint="https://example.org/home/")
ED25519 = "did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp"
RESULT_LD = 'application/ld+json;profile="https://w3id.org/did-resolution"'
DOCUMENT_LD = 'application/ld+json;profile="https://www.w3.org/ns/did/v1"'


class Site:
    """A web with one document."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def fetch(self, url: str) -> bytes:
        self.asked.append(url)
        if url == "https://example.org:8443/people/ann/did.json":
            return b'{"id": "did:web:example.org%3A8443:people:ann", "verificationMethod": [{"id": "#k", "x": 1.5}]}'
        raise NotFoundError("did_unknown", "The site publishes no such document.")


class World:
    def __init__(self) -> None:
        self.network, self.site = Network(), Site()
        self.holder = self.network.created(Holder("holder", services=(FILES,)))
        self.first_ms = self.network.time_ms
        self.network.time_ms += 60_000
        keys = (self.holder.key(0), self.holder.key(3, "#more").model_copy(update={"purposes": ("assertionMethod",)}))
        assert self.network.update(self.holder, keys=keys) == "ok"
        self.second_ms = self.network.time_ms
        self.dead = self.network.created(Holder("dead"))
        assert self.network.deactivate(self.dead) == "ok"
        self.ledger = MachineLedger(self.network)
        web = WebDriver(self.site, ManualClock())
        resolver = Resolver({"lz": LedgerDriver(self.ledger, CHAIN), "key": KeyDriver(), "web": web})
        app = FastAPI()
        services: Any = SimpleNamespace(resolver=resolver)
        app.include_router(identifiers.create_router(services))
        self.client = TestClient(app, follow_redirects=False)

    def get(self, identifier: str, accept: str | None = None) -> Any:
        headers = {"accept": accept} if accept is not None else {}
        return self.client.get(f"/1.0/identifiers/{identifier}", headers=headers)

    def post(self, identifier: str, options: Any = None, accept: str | None = None) -> Any:
        """Without a content type, as the draft's examples 28 and 29."""
        headers = {"accept": accept} if accept is not None else {}
        content = options if isinstance(options, bytes) else b"" if options is None else encode_w3c(options)
        return self.client.post(f"/1.0/identifiers/{identifier}", content=content, headers=headers)


@pytest.fixture(scope="module")
def world() -> World:
    return World()


@pytest.mark.parametrize(
    ("accept", "content_type", "whole"),
    [
        (None, "application/did-resolution", True),
        ("*/*", "application/did-resolution", True),
        ("application/*", "application/did-resolution", True),
        ("application/did-resolution", "application/did-resolution", True),
        (RESULT_LD, RESULT_LD, True),
        ("application/did", "application/did", False),
        ("application/did+json", "application/did+json", False),
        ("application/did+ld+json", "application/did+ld+json", False),
        ("application/json", "application/json", False),
        ("application/ld+json", "application/ld+json", False),
        (DOCUMENT_LD, DOCUMENT_LD, False),
        ("application/did;q=0.2, application/did-resolution;q=0.1", "application/did", False),
        ("application/did;q=0, */*", "application/did-resolution", True),
        ("text/html, application/did+json;q=0.9", "application/did+json", False),
    ],
)
def test_each_media_type(world: World, accept: str | None, content_type: str, whole: bool) -> None:
    answer = world.get(world.holder.did, accept)
    assert (answer.status_code, answer.headers["content-type"]) == (200, content_type)
    document = answer.json()["didDocument"] if whole else answer.json()
    assert document["id"] == world.holder.did
    assert ("didResolutionMetadata" in answer.json()) is whole
    if whole:
        assert answer.json()["didResolutionMetadata"]["contentType"] == "application/did"


@pytest.mark.parametrize(
    "accept", ["text/html", "image/*", "application/did;q=0", "application/did+cbor", "text/uri-list"]
)
def test_what_is_not_written_is_406(world: World, accept: str) -> None:
    answer = world.get(world.holder.did, accept)
    assert answer.status_code == 406
    assert answer.json()["didResolutionMetadata"]["error"]["type"] == NS + "REPRESENTATION_NOT_SUPPORTED"


UNKNOWN = f"did:lz:{CHAIN}:z4ZJeTTMgm4zDUdrTvdBJXB3akSkqRmrsckF5W7PTWd11"


@pytest.mark.parametrize(
    ("identifier", "status", "error"),
    [
        ("", 400, "INVALID_DID"),
        ("not-a-did", 400, "INVALID_DID"),
        ("did:example", 400, "INVALID_DID"),
        ("did:Example:x", 400, "INVALID_DID"),
        (f"did:lz:{CHAIN}:short", 400, "INVALID_DID"),
        ("did:key:zzzz", 400, "INVALID_DID"),
        ("did:web:127.0.0.1", 400, "INVALID_DID"),
        (UNKNOWN, 404, "NOT_FOUND"),
        ("did:lz:elsewhere:z4ZJeTTMgm4zDUdrTvdBJXB3akSkqRmrsckF5W7PTWdsN", 404, "NOT_FOUND"),
        ("did:web:example.org:nobody", 404, "NOT_FOUND"),
        ("did:unsupported:123456789abcdefghi", 501, "METHOD_NOT_SUPPORTED"),
        (f"{ED25519}?versionId=1", 501, "FEATURE_NOT_SUPPORTED"),
        (f"{ED25519}?hl=zQm", 501, "FEATURE_NOT_SUPPORTED"),
        (f"{UNKNOWN}?versionId=one", 404, "NOT_FOUND"),
        (f"{ED25519}?accept=%E2%82%AC", 400, "INVALID_OPTIONS"),
        (f"{ED25519}?versionTime=yesterday", 400, "INVALID_OPTIONS"),
        (f"{ED25519}?proof=yes", 400, "INVALID_OPTIONS"),
        (f"{ED25519}?noCache=true&noCache=true", 400, "INVALID_OPTIONS"),
        (f"{ED25519}?relativeRef=/x", 400, "INVALID_OPTIONS"),
        ("did:unsupported:123?versionTime=yesterday", 501, "METHOD_NOT_SUPPORTED"),
        (f"{ED25519}?hl=zQm&proof=yes", 501, "FEATURE_NOT_SUPPORTED"),
        (f"{ED25519}?hl=%D0%BF", 400, "INVALID_OPTIONS"),
        (f"{ED25519}?versionId=%F0%9F%94%A5", 400, "INVALID_OPTIONS"),
    ],
)
def test_each_error_of_resolution(world: World, identifier: str, status: int, error: str) -> None:
    answer = world.get(identifier, "application/did-resolution")
    body = answer.json()
    assert (answer.status_code, body["didResolutionMetadata"]["error"]["type"]) == (status, NS + error)
    assert answer.headers["content-type"] == "application/did-resolution"
    assert (body["didDocument"], body["didDocumentMetadata"]) == (None, {})


@pytest.mark.parametrize(
    ("suffix", "status", "error"),
    [
        ("%23nothing", 404, NS + "NOT_FOUND"),
        ("/path", 404, NS + "NOT_FOUND"),
        ("?service=nothing", 404, NS + "NOT_FOUND"),
        ("?service=files&relativeRef=%2F%2Fevil.example%2F", 400, NS + "INVALID_DID_URL"),
        ("?service=files&relativeRef=https%3A%2F%2Fevil.example", 400, NS + "INVALID_DID_URL"),
        ("%23more?verificationRelationship=authentication", 500,
         "https://w3id.org/security#INVALID_RELATIONSHIP_FOR_VERIFICATION_METHOD"),
        ("%23files?verificationRelationship=authentication", 500,
         "https://w3id.org/security#INVALID_VERIFICATION_METHOD"),
    ],
)  # fmt: skip
def test_each_error_of_dereferencing(world: World, suffix: str, status: int, error: str) -> None:
    answer = world.get(world.holder.did + suffix, "application/did-url-dereferencing")
    assert (answer.status_code, answer.json()["dereferencingMetadata"]["error"]["type"]) == (status, error)
    assert answer.json()["content"] is None


def test_a_malformed_did_url_is_told_from_a_malformed_did(world: World) -> None:
    answer = world.get("did:lz%23x", "application/did-url-dereferencing")
    kind = answer.json()["dereferencingMetadata"]["error"]["type"]
    assert (answer.status_code, kind) == (400, NS + "INVALID_DID_URL")
    assert answer.headers["content-type"] == "application/did-url-dereferencing"  # §5.4.1, step 1


@pytest.mark.parametrize("accept", [None, "application/did", "application/did-resolution"])
def test_a_deactivated_did_is_gone(world: World, accept: str | None) -> None:
    answer = world.get(world.dead.did, accept)
    assert answer.status_code == 410
    if accept == "application/did":
        assert answer.json() is None
    else:
        body = answer.json()
        assert body["didDocument"] is None
        assert body["didDocumentMetadata"]["deactivated"] is True
        assert "error" not in body["didResolutionMetadata"]
    assert world.get(f"{world.dead.did}%23key-1").status_code == 410
    assert world.get(f"{world.dead.did}?versionId=1").status_code == 200


def test_versions_by_id_and_time(world: World) -> None:
    did = world.holder.did
    old, new = world.get(f"{did}?versionId=1").json(), world.get(did).json()
    assert [len(one["didDocument"]["verificationMethod"]) for one in (old, new)] == [1, 2]
    created, updated = date_time(world.first_ms), date_time(world.second_ms)
    assert new["didDocumentMetadata"] == {"created": created, "updated": updated, "versionId": "2"}
    assert old["didDocumentMetadata"] == {
        "created": created, "versionId": "1", "nextUpdate": updated, "nextVersionId": "2",
    }  # fmt: skip
    for time, version in ((created, "1"), (date_time(world.second_ms - 1000), "1"), (updated, "2")):
        assert world.get(f"{did}?versionTime={time}").json()["didDocumentMetadata"]["versionId"] == version
    assert world.get(f"{did}?versionTime={date_time(world.first_ms - 1000)}").status_code == 404
    assert world.get(f"{did}?versionId=3").status_code == 404
    assert world.get(f"{did}?versionId=01").status_code == 400
    assert world.get(f"{did}?versionId=1&versionTime={created}").status_code == 400


def _proofs(answer: Any) -> list[StateAnswer]:
    proofs = answer.json()["didResolutionMetadata"]["proof"]
    assert {one["type"] for one in proofs} == {"LianzhengStateProof"}
    return [StateAnswer.from_json(one["stateAnswer"]) for one in proofs]


def test_an_answer_is_proven_to_whoever_asks(world: World) -> None:
    (proof,) = _proofs(world.get(f"{world.holder.did}?proof=true"))
    proof.check()
    assert proof.app_hash() == world.network.machine.roots().app_hash
    assert proof.key == f"did/{world.holder.did}" and proof.value is not None and proof.value["version"] == 2
    with pytest.raises(VerificationError, match="state_path_invalid"):
        proof.model_copy(update={"value": {**proof.value, "version": 1}}).check()


def test_an_old_version_is_proven_with_the_one_that_followed(world: World) -> None:
    now, then = _proofs(world.get(f"{world.holder.did}?versionId=1&proof=true"))
    for proof in (now, then):
        proof.check()
    assert then.value is not None and now.value is not None
    assert (then.value["version"], now.value["version"]) == (1, 2)


def test_that_there_is_no_such_did_is_proven_too(world: World) -> None:
    answer = world.get(f"{UNKNOWN}?proof=true")
    assert answer.status_code == 404
    (proof,) = _proofs(answer)
    proof.check()
    assert (proof.key, proof.value) == (f"did/{UNKNOWN}", None)


def test_a_ledger_without_proofs_says_so() -> None:
    network = Network(schema=1)
    resolver = Resolver({"lz": LedgerDriver(MachineLedger(network), CHAIN)})
    app = FastAPI()
    services: Any = SimpleNamespace(resolver=resolver)
    app.include_router(identifiers.create_router(services))
    answer = TestClient(app).get(f"/1.0/identifiers/{Holder.named('alpha').did}?proof=true")
    assert answer.status_code == 501


@pytest.mark.parametrize("accept", [None, "text/uri-list", "application/did-url-dereferencing"])
def test_a_service_is_a_redirect_with_nothing_in_it(world: World, accept: str | None) -> None:
    answer = world.get(quote(f"{world.holder.did}?service=files&relativeRef=a/b?c=d#e", safe=""), accept)
    assert (answer.status_code, answer.content) == (303, b"")
    assert answer.headers["location"] == "https://example.org/home/a/b?c=d#e"
    plain = world.get(f"{world.holder.did}?serviceType=LinkedDomains", accept)
    assert plain.headers["location"] == "https://example.org/home/"


def test_a_document_may_be_asked_for_with_selected_services(world: World) -> None:
    answer = world.get(f"{world.holder.did}?service=%23files", "application/did")
    assert answer.status_code == 200
    assert [one["id"] for one in answer.json()["service"]] == [f"{world.holder.did}#files"]


def test_a_fragment_names_a_method_or_a_service(world: World) -> None:
    for form in (f"{world.holder.did}%23key-1", quote(f"{world.holder.did}#key-1", safe="")):
        body = world.get(form, "application/did-url-dereferencing").json()
        assert body["content"] == body["contentStream"]
        assert body["content"]["id"] == f"{world.holder.did}#key-1"
        assert body["dereferencingMetadata"] == {"contentType": "application/did"}
    assert world.get(f"{world.holder.did}%23files", "application/did").json()["type"] == "LinkedDomains"
    allowed = world.get(f"{world.holder.did}%23more?verificationRelationship=assertionMethod")
    assert (allowed.status_code, allowed.headers["content-type"]) == (200, "application/did-url-dereferencing")


@pytest.mark.parametrize(
    ("suffix", "options", "accept"),
    [
        ("", {}, None),
        ("", {}, RESULT_LD),
        ("", {}, "application/did"),
        ("", {}, "text/html"),
        ("", {"versionId": "1"}, "application/did-resolution"),
        ("", {"versionId": "01"}, "application/did-resolution"),
        ("", {"versionId": "9"}, "application/did-resolution"),
        ("", {"versionId": "1", "proof": "true", "noCache": "false"}, "application/did-resolution"),
        ("", {"hl": "zQm"}, "application/did-resolution"),
        ("", {"versionTime": "yesterday"}, None),
        ("", {"versionTime": "\u043f"}, None),
        ("", {"accept": "application/did+json"}, "text/html"),
        ("", {"service": "files", "relativeRef": "/a b?c=d"}, "application/did-url-dereferencing"),
        ("", {"service": "files", "relativeRef": "a/b?c=d"}, None),
        ("", {"serviceType": "LinkedDomains"}, "text/uri-list"),
        ("", {"service": "nothing"}, "application/did-url-dereferencing"),
        ("%23more", {"verificationRelationship": "assertionMethod"}, "application/did-url-dereferencing"),
        ("%23more", {"verificationRelationship": "authentication"}, "application/did-url-dereferencing"),
        ("%23nothing", {}, None),
    ],
)
def test_post_answers_as_get_does(world: World, suffix: str, options: dict[str, str], accept: str | None) -> None:
    """§12.1: GET has the options in the query behind an encoded identifier, POST in the body."""
    query = "&".join(f"{name}={quote(value, safe='')}" for name, value in options.items())
    got = world.get(f"{world.holder.did}{suffix}" + (f"?{query}" if query else ""), accept)
    posted = world.post(f"{world.holder.did}{suffix}", options, accept)
    assert (posted.status_code, posted.content) == (got.status_code, got.content)
    kept = ("content-type", "location", "vary")
    assert [posted.headers.get(name) for name in kept] == [got.headers.get(name) for name in kept]


def test_post_of_the_drafts_examples(world: World) -> None:
    """Examples 28 and 29: the query behind an identifier that is not encoded is the DID URL's own."""
    answer = world.post(world.holder.did, {"versionId": "1", "noCache": "true"}, "application/did-resolution")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/did-resolution")
    assert answer.json()["didDocumentMetadata"]["versionId"] == "1"
    url = f"{world.holder.did}?service=files&relativeRef=/resume.pdf"
    answer = world.post(url, {"noCache": True}, "application/did-url-dereferencing")
    assert (answer.status_code, answer.content) == (303, b"")
    assert answer.headers["location"] == "https://example.org/resume.pdf"
    assert world.post(world.dead.did).status_code == 410
    assert world.post("did:example", {}).json()["didResolutionMetadata"]["error"]["type"] == NS + "INVALID_DID"


def test_post_takes_true_and_false_as_such(world: World) -> None:
    as_text, as_word = (world.post(world.holder.did, {"proof": value}) for value in ("true", True))
    assert as_text.status_code == as_word.status_code == 200
    assert as_text.content == as_word.content and b"LianzhengStateProof" in as_word.content


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b"null",
        b"\xff",
        b'{"versionId": 1}',
        b'{"versionId": null}',
        b'{"versionId": ["1"]}',
        b'{"proof": "yes"}',
        b'{"versionId": "1", "versionId": "1"}',
        b'{"noCache": {"noCache": true}}',
        b'{"a":' * 40 + b"1" + b"}" * 40,
        b'{"versionId": "1"' + b" " * (DID_OPTIONS_BYTES_MAX - 17) + b"}",
    ],
)
def test_a_body_that_is_no_object_of_options(world: World, body: bytes) -> None:
    answer = world.post(world.holder.did, body)
    error = answer.json()["didResolutionMetadata"]["error"]
    assert (answer.status_code, error["type"]) == (400, NS + "INVALID_OPTIONS")
    assert answer.headers["content-type"] == "application/did-resolution"


def test_a_body_may_have_as_many_bytes_as_the_bound_says(world: World) -> None:
    body = b'{"versionId": "1"' + b" " * (DID_OPTIONS_BYTES_MAX - 18) + b"}"
    assert len(body) == DID_OPTIONS_BYTES_MAX
    assert world.post(world.holder.did, body).status_code == 200


def test_url_query_and_body_name_one_value_each(world: World) -> None:
    same = world.post(f"{world.holder.did}?versionId=1", {"versionId": "1"})
    assert same.json()["didDocumentMetadata"]["versionId"] == "1"
    conflict = world.post(f"{world.holder.did}?versionId=1", {"versionId": "2"})
    assert conflict.json()["didResolutionMetadata"]["error"]["type"] == NS + "INVALID_OPTIONS"


def test_an_identifier_may_be_percent_encoded_whole(world: World) -> None:
    encoded = quote(world.holder.did, safe="")
    assert world.get(f"{encoded}?versionId=1").json()["didDocument"]["id"] == world.holder.did
    conflict = world.get(quote(f"{world.holder.did}?versionId=1", safe="") + "?versionId=2")
    assert conflict.json()["didResolutionMetadata"]["error"]["type"] == NS + "INVALID_OPTIONS"


def test_the_port_of_a_did_web_survives_either_form(world: World) -> None:
    did = "did:web:example.org%3A8443:people:ann"
    for form in (did, quote(did, safe="")):
        answer = world.get(form, "application/did")
        assert answer.json()["id"] == did, answer.text
    assert world.site.asked.count("https://example.org:8443/people/ann/did.json") == 1  # the second is remembered
    expanded = world.get(f"{did}?expandRelativeUrls=true&noCache=true", "application/did").json()
    assert expanded["verificationMethod"][0]["id"] == f"{did}#k"
    assert world.site.asked.count("https://example.org:8443/people/ann/did.json") == 2


def test_controllers_and_names_stand_in_the_document() -> None:
    network = Network()
    boss = network.created(Holder("boss"))
    control = {"controllers": (boss.did,), "also_known_as": ("https://example.org/",)}
    holder = network.created(Holder(control={**control, "recovery": commitment("recovery", boss.multikey("r"))}))
    app = FastAPI()
    services: Any = SimpleNamespace(resolver=Resolver({"lz": LedgerDriver(MachineLedger(network), CHAIN)}))
    app.include_router(identifiers.create_router(services))
    document = TestClient(app).get(f"/1.0/identifiers/{holder.did}").json()["didDocument"]
    assert document["controller"] == [holder.did, boss.did]
    assert document["alsoKnownAs"] == ["https://example.org/"]
    assert not {"next", "recovery", "threshold"} & {*document}
