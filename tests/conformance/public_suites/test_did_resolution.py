"""What did-resolution-mocha-test-suite asks of a resolver.

Files: tests/3-did-parameters.js, tests/4-did-resolution.js, tests/10-bindings.js, tests/assertions.js. The
suite itself is not run here; DIDs and documents are our own. Where we differ stands in the guide, and below.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from did_kit import Holder, MachineLedger, Network
from ledger_kit import CHAIN
from lianzheng.api.internal import identifiers
from lianzheng.identity.did.model import DidService
from lianzheng.identity.resolution.did_key import KeyDriver
from lianzheng.identity.resolution.did_lz import LedgerDriver
from lianzheng.identity.resolution.resolver import Resolver

NS = "https://www.w3.org/ns/did#"
RESULT, DEREFERENCED = "application/did-resolution", "application/did-url-dereferencing"
NON_ASCII = ["\U0001f525\U0001f4a5", "\u041f\u0440\u0438\u0432\u0435\u0442", "\u3053\u3093", "foo\u200bbar"]
NO_TIMES = [
    "2025-10-07 12:30:45", "2025/10/07T12:30:45", "2025-13-07T12:30:45", "2025-10-32T12:30:45", "2025-10-07T25:00:00",
    "2025-10-07T12:30:60", "2025-10-07T12:30:45+24:00", "2025-10-07", "2025-10-07T12:30:45abc", "T12:30:45",
    "2025-10-07T00:00:00+02:00", "2025-10-07T00:00:00-05:00", "2025-10-07T00:00:00", "2025-10-07T00:00:00.123Z",
    "2025-10-07T00:00:00.999+01:00",
]  # fmt: skip


class World:
    """One DID of each state that the suite's configuration names."""

    def __init__(self) -> None:
        network = Network()
        home = DidService(id="#files", type="LinkedDomains", endpoint="https://example.org/home/")
        self.valid = network.created(Holder("valid", services=(home,))).did
        gone = network.created(Holder("gone"))
        assert network.deactivate(gone) == "ok"
        self.gone, self.missing = gone.did, Holder("missing").did
        resolver = Resolver({"lz": LedgerDriver(MachineLedger(network), CHAIN), "key": KeyDriver()})
        app = FastAPI()
        services: Any = SimpleNamespace(resolver=resolver)
        app.include_router(identifiers.create_router(services))
        self.client = TestClient(app, follow_redirects=False)

    def get(self, identifier: str, media: str | None = RESULT, **parameters: str) -> Any:
        """As the suite's ``addQueryParametersToUrl`` and ``fetch``: without a header where it sets none."""
        query = f"?{urlencode(parameters)}" if parameters else ""
        return self.client.get(f"/1.0/identifiers/{identifier}{query}", headers={"accept": media or "*/*"})


@pytest.fixture(scope="module")
def world() -> World:
    return World()


def _refused(answer: Any, status: int, error: str) -> None:
    body = answer.json()
    assert (answer.status_code, body["didResolutionMetadata"]["error"]["type"]) == (status, NS + error)
    assert (body["didDocument"], body["didDocumentMetadata"]) == (None, {})


@pytest.mark.parametrize("accept", [RESULT, None])
@pytest.mark.parametrize("encoded", [False, True])
def test_a_valid_did_gives_a_result(world: World, accept: str | None, encoded: bool) -> None:
    answer = world.get(quote(world.valid, safe="") if encoded else world.valid, accept)
    body = answer.json()
    assert answer.status_code == 200 and RESULT in answer.headers["content-type"]
    assert body["didDocument"]["id"] == world.valid
    assert isinstance(body["didDocumentMetadata"], dict)
    assert body["didResolutionMetadata"]["contentType"] == "application/did"
    assert body["didResolutionMetadata"]["contentType"] in answer.headers["content-type"], "as the suite compares them"


@pytest.mark.parametrize("accept", ["application/did+json", "application/did+ld+json"])
def test_a_document_alone_where_its_media_type_is_asked_for(world: World, accept: str) -> None:
    body = world.get(world.valid, accept).json()
    assert body["id"] == world.valid and "didResolutionMetadata" not in body


@pytest.mark.parametrize("identifier", ["not-a-did", "did:example"])
def test_what_is_no_did(world: World, identifier: str) -> None:
    _refused(world.get(identifier, None), 400, "INVALID_DID")


def test_each_error_has_its_status(world: World) -> None:
    assert world.get("", None).status_code == 400
    _refused(world.get("did:unsupported:123456789abcdefghi"), 501, "METHOD_NOT_SUPPORTED")
    _refused(world.get(world.missing), 404, "NOT_FOUND")
    assert world.get(world.valid, "application/x-unsupported-did-representation-99999").status_code == 406
    assert world.get(world.gone).status_code == 410


@pytest.mark.parametrize(
    "parameter", ["accept", "service", "serviceType", "relativeRef", "versionId", "versionTime", "hl"]
)
def test_parameters_are_ascii(world: World, parameter: str) -> None:
    for value in NON_ASCII:
        assert world.get(world.valid, None, **{parameter: value}).status_code == 400, value


@pytest.mark.parametrize("value", NO_TIMES)
def test_a_time_is_of_utc_in_whole_seconds(world: World, value: str) -> None:
    assert world.get(world.valid, None, versionTime=value).status_code == 400


def test_a_time_that_is_one_gives_the_version_of_then(world: World) -> None:
    """The suite asks for 2025-10-07T14:30:00Z. A DID that was made later has no version of then."""
    assert world.get(world.valid, None, versionTime="2026-12-31T00:00:00Z").status_code == 200
    _refused(world.get(world.valid, None, versionTime="2025-10-07T14:30:00Z"), 404, "NOT_FOUND")


def test_a_part_of_a_document(world: World) -> None:
    for form in (f"{world.valid}%23key-1", quote(f"{world.valid}#key-1", safe="")):
        answer = world.get(form, DEREFERENCED)
        body = answer.json()
        assert answer.status_code == 200
        assert body["contentStream"]["id"] == f"{world.valid}#key-1"
        assert isinstance(body["contentMetadata"], dict)
        assert body["dereferencingMetadata"]["contentType"] in answer.headers["content-type"]
        assert "dereferencingMetadata" not in world.get(form, "application/json").json()


def test_a_service_is_a_redirect(world: World) -> None:
    answer = world.get(quote(f"{world.valid}?service=files", safe=""), DEREFERENCED)
    assert (answer.status_code, answer.content) == (303, b"")
    assert answer.headers["location"] == "https://example.org/home/"


def test_a_relative_reference_without_a_service_is_refused(world: World) -> None:
    """The suite wants 200 for one that is well encoded; it has nothing that it could be relative to."""
    for value in ("my path/file", "file#section", "dir/with?query=value", "my%20path/file"):
        assert world.get(world.valid, None, relativeRef=value).status_code == 400
