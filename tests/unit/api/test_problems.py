"""What is wrong is said by code, in one form, without a word of what was sent."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs

from lianzheng import errors, limits
from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.api.internal.auth import UnauthenticatedError
from lianzheng.api.problem import ProblemApp
from lianzheng.errors import LianzhengError
from lianzheng.identity.idnorm import make_sample_number
from node_kit import LocalNode, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECRET = make_sample_number(42, "1990-03-07", "male")
NAME = "欧阳样本"
CLASSES = [UnauthenticatedError, LianzhengError, *LianzhengError.__subclasses__()]


def check_shape(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """RFC 9457 with the member ``code``; the media type too."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert set(body) - {"next_step"} == {"type", "title", "status", "code"}
    assert body["type"] == f"urn:lianzheng:problem:{code}"
    assert (answer.status_code, body["status"], body["code"]) == (status, status, code)
    assert SECRET not in answer.text
    assert NAME not in answer.text
    return body


async def test_the_classes_of_errors_are_known() -> None:
    known = {*errors.__all__} - {"LianzhengError", "CLASSES"} | {"UnauthenticatedError"}
    assert {kind.__name__ for kind in LianzhengError.__subclasses__()} >= known


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
async def test_each_class_of_errors_has_its_status_and_hides_its_detail(kind: type[LianzhengError]) -> None:
    app = ProblemApp()

    @app.get("/fails")
    async def fails() -> None:
        raise kind("some_code", "What is wrong.", next_step="Do this.", detail=SECRET)

    async with client_of(app) as client:
        body = check_shape(await client.get("/fails"), kind.status, "some_code")
    assert (body["title"], body["next_step"]) == ("What is wrong.", "Do this.")


@pytest.mark.parametrize("error", [ValueError(SECRET), KeyError(NAME), RuntimeError(SECRET), RecursionError(SECRET)])
async def test_an_unforeseen_error_is_logged_by_type_alone(error: Exception, capfd: pytest.CaptureFixture[str]) -> None:
    """And ends here: what reached the server would be logged with its text."""
    app = ProblemApp()

    @app.get("/fails")
    async def fails() -> None:
        raise error

    with capture_logs() as logs:
        async with client_of(app) as client:
            check_shape(await client.get("/fails"), 500, "internal_error")
    assert [(line["event"], line["type"]) for line in logs] == [("unexpected_error", type(error).__name__)]
    shown = str(logs) + "".join(capfd.readouterr())
    assert SECRET not in shown and NAME not in shown


@pytest.mark.parametrize(("status", "code"), [(404, "route_unknown"), (405, "method_not_allowed"), (418, "http_error")])
async def test_what_the_framework_refuses_has_the_same_form(status: int, code: str) -> None:
    app = ProblemApp()

    @app.get("/{name}")
    async def fails(name: str) -> None:
        raise HTTPException(status, detail=SECRET)

    async with client_of(app) as client:
        check_shape(await client.get(f"/{SECRET}"), status, code)


async def test_unknown_routes_and_methods(node: LocalNode) -> None:
    check_shape(await node.internal.get(f"/api/v1/{SECRET}"), 404, "route_unknown")
    answer = await node.internal.put("/api/v1/health")
    check_shape(answer, 405, "method_not_allowed")
    assert answer.headers["allow"] == "GET"
    check_shape(await node.peer.get("/api/v1/health"), 404, "route_unknown")


BAD_JSON = [
    ("POST", "/api/v1/epochs", {"view": SECRET, "until_ms": 1}, "field_invalid", "body.view"),
    ("POST", "/api/v1/epochs", {"view": "a/b/c"}, "field_invalid", "body.until_ms"),
    ("POST", "/api/v1/epochs", {"view": "a/b/c", "until_ms": 1, "extra": NAME}, "field_invalid", "body.extra"),
    ("POST", "/api/v1/epochs", {"view": "a/b/c", "until_ms": 1, SECRET: NAME}, "field_invalid", "body.?"),
    ("POST", "/api/v1/epochs", [SECRET], "field_invalid", "object"),
    ("POST", "/api/v1/wallet/enrolment-challenges", {"did": SECRET}, "field_invalid", "body.did"),
    ("POST", "/api/v1/clients/lookup", {"type": SECRET, "country": "CN", "number": NAME}, None, ""),
    ("POST", "/api/v1/clients/lookup", {"type": "RESIDENT_ID", "country": "CN", "number": SECRET}, None, ""),
    ("POST", "/api/v1/clients/lookup", {"type": "RESIDENT_ID", "country": NAME, "number": SECRET}, None, ""),
    (
        "POST",
        "/api/v1/clients/lookup",
        {"type": "RESIDENT_ID", "country": "CN", "number": {SECRET: NAME}},
        "field_invalid",
        "number",
    ),
    ("POST", "/api/v1/assessments", {"case_id": SECRET, "client": NAME, "answers": {SECRET: NAME}}, None, ""),
    ("POST", "/api/v1/assessments", {"case_id": 1, "client": NAME, "answers": {}}, "field_invalid", "body.case_id"),
    ("POST", "/api/v1/assessments", {"case_id": "c", "client": "d", "answers": {SECRET: 5}}, "field_invalid", "?"),
    ("POST", "/api/v1/matches", {"case_id": SECRET}, "field_invalid", "body.client"),
    ("POST", f"/api/v1/mismatches/{SECRET}/steps", {"event": SECRET, "operator": NAME}, "field_invalid", "body.event"),
    ("POST", "/api/v1/datasets", {"dataset": SECRET, SECRET: NAME}, "field_invalid", "DatasetPublish"),
    ("POST", "/api/v1/tasks", {"v": True, "purpose": NAME}, "field_invalid", "TaskContract"),
    ("GET", f"/api/v1/tasks/{SECRET}", None, None, ""),
    ("GET", f"/api/v1/cases/{SECRET}/bundle", None, None, ""),
    ("GET", f"/api/v1/ledger/state?key={SECRET}", None, "state_unknown", ""),
    ("GET", "/api/v1/ledger/state", None, "field_invalid", "query.key"),
    ("GET", f"/1.0/identifiers/{SECRET}", None, None, ""),
    ("POST", f"/1.0/identifiers/{SECRET}", {SECRET: NAME}, None, ""),
    (
        "POST",
        "/1.0/identifiers/did:key:z6MkiTBz1ymuepAQ4HEHYSF1H8quG5GLVVQR3djdX3mDooWp",
        {"versionTime": NAME},
        None,
        "",
    ),
]


@pytest.mark.parametrize(("method", "path", "body", "code", "names"), BAD_JSON, ids=lambda one: None)
async def test_validation_names_the_member_and_never_the_value(
    node: LocalNode, method: str, path: str, body: Any, code: str | None, names: str
) -> None:
    with capture_logs() as logs:
        answer = await node.internal.request(method, path, json=body, headers=node.operator)
    assert 400 <= answer.status_code < 500, answer.text
    assert SECRET not in answer.text and NAME not in answer.text
    assert SECRET not in str(logs) and NAME not in str(logs)
    if code is not None:
        assert answer.json()["code"] == code
        assert names in answer.json()["title"]


@pytest.mark.parametrize("body", [b"{", b'{"view": ' + SECRET.encode(), b"\xff\xfe", b"[" * 100_000, b'{"view":NaN}'])
async def test_what_is_no_json_is_said_to_be_so(node: LocalNode, body: bytes) -> None:
    headers = node.operator | {"content-type": "application/json"}
    check_shape(await node.internal.post("/api/v1/epochs", content=body, headers=headers), 400, "json_malformed")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"view":' * 20 + b"1" + b"}" * 20, "json_depth"),
        (b'{"view":"a/b/c","until_ms":1.0}', "json_type"),
        (b'{"view":"a/b/c","until_ms":9007199254740992}', "json_integer_range"),
        ('{"期限":1}'.encode(), "json_key"),
    ],
)
async def test_forms_stay_inside_the_profile(node: LocalNode, body: bytes, code: str) -> None:
    headers = node.operator | {"content-type": "application/json"}
    check_shape(await node.internal.post("/api/v1/epochs", content=body, headers=headers), 400, code)


async def test_json_must_be_declared(node: LocalNode) -> None:
    """A form that a web page can post across origins is not read as JSON."""
    headers = node.operator | {"content-type": "text/plain"}
    answer = await node.internal.post("/api/v1/epochs", content=b'{"view":"a/b/c","until_ms":1}', headers=headers)
    assert "application/json" in check_shape(answer, 400, "field_invalid")["title"]


async def pieces(size: int) -> AsyncIterator[bytes]:
    """A body that does not say how long it is."""
    for start in range(0, size, 65536):
        yield b"x" * min(65536, size - start)


BOUNDS = [
    ("internal", "/api/v1/ledger/transactions", limits.TRANSACTION_BYTES_MAX, "json_malformed"),
    ("internal", "/api/v1/wallet/enrolments", limits.MESSAGE_BYTES_MAX, "json_malformed"),
    ("internal", "/api/v1/wallet/consents", limits.MESSAGE_BYTES_MAX, "json_malformed"),
    ("internal", "/api/v1/wallet/revocations", limits.TRANSACTION_BYTES_MAX, "json_malformed"),
    ("internal", "/api/v1/wallet/enrolment-challenges", limits.FORM_BYTES_MAX, "json_malformed"),
    ("internal", "/api/v1/tasks", limits.FORM_BYTES_MAX, "json_malformed"),
    ("peer", "/peer/v1/gate/evaluations", limits.MESSAGE_BYTES_MAX, "json_malformed"),
    ("peer", "/peer/v1/gate/evaluations/batch", limits.GATE_BATCH_BYTES_MAX, "json_malformed"),
    ("peer", "/peer/v1/consents/revocations", limits.TRANSACTION_BYTES_MAX, "json_malformed"),
]


@pytest.mark.parametrize(("side", "path", "most", "otherwise"), BOUNDS, ids=lambda one: str(one))
async def test_bodies_are_read_up_to_their_bound(
    node: LocalNode, side: str, path: str, most: int, otherwise: str
) -> None:
    client = node.internal if side == "internal" else node.peer
    headers = node.operator | {"content-type": "application/json"}
    within = await client.post(path, content=pieces(most), headers=headers)
    check_shape(within, 400, otherwise)
    check_shape(await client.post(path, content=pieces(most + 1), headers=headers), 400, "too_large")
    check_shape(await client.post(path, content=b"x" * (most + 1), headers=headers), 400, "too_large")


async def test_a_declared_length_is_refused_before_it_is_sent(node: LocalNode) -> None:
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 65536
            yield b"x" * 65536

    headers = node.operator | {"content-length": str(limits.SOURCE_BYTES_MAX + 1)}
    answer = await node.internal.post("/api/v1/datasets/a/source", content=body(), headers=headers)
    check_shape(answer, 400, "too_large")
    assert sent <= 65536 * 2


async def test_a_bad_source_is_reported_without_its_values(node: LocalNode) -> None:
    number = make_sample_number(7, "1980-02-29", "female")
    wrong = SECRET[:-1] + ("1" if SECRET[-1] == "0" else "0")
    lines = [
        ",".join(COLUMNS),
        f"RESIDENT_ID,CN,{number},{NAME},1980-02-29,2015-01-05,12345678.90,0,shares,0,0,0,0,0",
        f"RESIDENT_ID,CN,{wrong},{NAME},1990-03-07,2015-01-05,1,0,shares,0,0,0,0,0",
    ]
    with capture_logs() as logs:
        answer = await node.internal.post(
            "/api/v1/datasets/a/source", content="\n".join(lines).encode(), headers=node.operator
        )
    title = check_shape(answer, 400, "source_refused")["title"]
    assert "row 2, column financial_assets_yuan: amount_invalid" in title
    assert "row 3, column number: identity_number_invalid" in title
    assert number not in answer.text and wrong not in answer.text and "12345678" not in answer.text
    assert number not in str(logs)
