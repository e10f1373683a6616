"""Every route is either listed here as public, with the reason, or refuses whoever lacks the operator's token."""

from __future__ import annotations

import pytest

from lianzheng.api.internal.app import create_internal_app
from lianzheng.api.peer.app import create_peer_app
from node_kit import LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")

PUBLIC = {
    "GET /1.0/identifiers/{did}": "DID documents are public by the DID specification",
    "POST /1.0/identifiers/{did}": "the same, options in the body; changes nothing",
    "GET /api/v1/health": "a monitor must see a broken node before it has a token; says nothing but ok",
    "GET /api/v1/status": "heights and hashes, the same for everybody",
    "GET /api/v1/network": "names, times and members: a wallet needs them before anything else",
    "GET /api/v1/network/trust": "the trust file is for everybody who checks evidence",
    "GET /api/v1/network/trust/witnesses": "as above",
    "GET /api/v1/ledger/state": "the ledger holds nothing personal; wallets compare it at several nodes",
    "GET /api/v1/ledger/entries": "as above",
    "GET /api/v1/ledger/proofs/state": "a proof about the same, for whoever trusts no node",
    "GET /api/v1/ledger/proofs/log/{index}": "as above",
    "GET /api/v1/ledger/proofs/growth/{old_size}": "as above",
    "GET /api/v1/ledger/checkpoints": "notes about the same, made to be handed around",
    "GET /api/v1/ledger/checkpoints/latest": "as above",
    "GET /api/v1/ledger/checkpoints/{height}": "as above",
    **{
        f"GET /api/v1/explorer/{name}": "as above"
        for name in (
            "blocks",
            "events",
            "incidents",
            "members",
            "motions",
            "parameters",
            "settlements/{month}",
            "transactions",
            "transactions/{tx_id}",
        )
    },
    "GET /api/v1/credentials/status-lists/{name}": "bits without a person; whoever verifies a credential needs them",
    "POST /api/v1/ledger/transactions": "a transaction carries its own signature (LED-2)",
    "POST /api/v1/wallet/enrolment-challenges": "gives out a nonce; who may enrol is decided by the proof (ID-7)",
    "POST /api/v1/wallet/enrolments": "proves knowledge of v and shows the document (ID-7)",
    "POST /api/v1/wallet/access-challenges": "gives out a nonce; nothing is kept of it",
    "POST /api/v1/wallet/accesses": "signed by the consent's own key; another consent's uses cannot be named (AUTH-4)",
    "POST /api/v1/wallet/consents": "a credential signed by the investor (AUTH-3)",
    "POST /api/v1/wallet/pauses": "signed by the consent's own key (AUTH-4)",
    "POST /api/v1/wallet/revocations": "signed by the consent's own key (AUTH-4)",
}
PAGES = {"/openapi.json", "/docs", "/docs/docs.css", "/docs/docs.js"}
"""The description of the API holds no data."""


def routes(node: LocalNode) -> dict[str, str]:
    """``METHOD template`` of every described route, with a path that reaches it."""
    document = create_internal_app(node.services).openapi()
    found: dict[str, str] = {}
    for template, operations in document["paths"].items():
        path = template
        for parameter in (
            "did",
            "dataset",
            "reference",
            "consent_id",
            "case_id",
            "height",
            "task",
            "provider",
            "job",
            "upload",
            "tx_id",
            "month",
            "kind",
            "index",
            "old_size",
            "sha256",
            "leaf",
            "name",
        ):
            path = path.replace("{" + parameter + "}", "x")
        assert "{" not in path, f"{template}: add its parameter to this test"
        found |= {f"{method.upper()} {template}": path for method in operations}
    return found


async def test_nothing_is_served_that_is_not_described(node: LocalNode) -> None:
    """A route that hides from the OpenAPI document would hide from the test below."""
    app = create_internal_app(node.services)
    served: set[str] = set()

    def walk(found: object) -> None:
        for route in getattr(found, "routes", ()):
            path = getattr(route, "path", None)
            if path is not None and getattr(route, "endpoint", None) is not None:
                served.add(path.replace(":path}", "}"))  # as the OpenAPI document writes it
            walk(getattr(route, "original_router", None) or getattr(route, "app", None))

    walk(app.router)
    assert served == {route.split(" ")[1] for route in routes(node)} | PAGES


async def test_the_public_routes_are_these_and_exist(node: LocalNode) -> None:
    assert set(routes(node)) >= set(PUBLIC), "a public route is gone: take it off the list"
    document = create_internal_app(node.services).openapi()
    marked = {
        f"{method.upper()} {template}"
        for template, operations in document["paths"].items()
        for method, operation in operations.items()
        if "security" not in operation
    }
    assert marked == set(PUBLIC), "a new route needs the operator's token, or a reason in PUBLIC"


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({}, "token_missing"),
        ({"authorization": "Bearer "}, "token_missing"),
        ({"authorization": "Bearer"}, "token_missing"),
        ({"authorization": "Basic b3BlcmF0b3I6"}, "token_missing"),
        ({"authorization": "Bearer wrong"}, "token_wrong"),
        ({"authorization": "Bearer \u00e9".encode("latin-1").decode("latin-1")}, "token_wrong"),
    ],
)
async def test_operator_routes_refuse(node: LocalNode, headers: dict[str, str], code: str) -> None:
    """Before the body is looked at: one that is no JSON and one that is too large change nothing."""
    raw = {b"content-type": b"application/json"} | {
        name.encode(): value.encode("latin-1") for name, value in headers.items()
    }
    for route, path in routes(node).items():
        if route in PUBLIC:
            continue
        method = route.split(" ")[0]
        for body in (b"", b"{", b"x" * 300_000) if method == "POST" else (b"",):
            answer = await node.internal.request(method, path, content=body, headers=raw)
            assert (answer.status_code, answer.json()["code"]) == (401, code), route
            assert answer.headers["www-authenticate"] == "Bearer"
            assert answer.headers["content-type"] == "application/problem+json"


async def test_a_longer_and_a_shorter_token_are_wrong(node: LocalNode) -> None:
    token = node.services.api_token
    for wrong in (token[:-1], token + "A", token.swapcase(), "x" * 100_000):
        answer = await node.internal.get("/api/v1/cases", headers={"authorization": f"Bearer {wrong}"})
        assert answer.json()["code"] == "token_wrong"


async def test_the_right_token_opens_every_operator_route(node: LocalNode) -> None:
    """With the token no route answers 401: what they answer to empty bodies is another matter."""
    for route, path in routes(node).items():
        if route in PUBLIC or route.startswith("POST /api/v1/agreement") or "issuer/keys" in route:
            continue
        answer = await node.internal.request(route.split(" ")[0], path, headers=node.operator)
        assert answer.status_code != 401, route
        assert answer.status_code < 500, (route, answer.text)


async def test_the_public_routes_need_no_token(node: LocalNode) -> None:
    found = routes(node)
    for route in PUBLIC:
        if route.endswith("/explorer/events"):  # a stream that does not end
            continue
        answer = await node.internal.request(route.split(" ")[0], found[route])
        assert answer.status_code not in (401, 500), (route, answer.text)


async def test_peer_routes_are_these(node: LocalNode) -> None:
    """Behind mutual TLS; a new one has to be thought about here, as its caller is any active member."""
    document = create_peer_app(node.services).openapi()
    found = {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}
    assert found == {
        "POST /peer/v1/gate/evaluations",
        "POST /peer/v1/gate/evaluations/batch",
        "GET /peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/table",
        "GET /peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/boundaries",
        "GET /peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/hint",
        "POST /peer/v1/views/{dataset}/{bundle}/{form}/epochs/{epoch}/answers",
        "GET /peer/v1/status-lists/{name}",
        "POST /peer/v1/ledger/transactions",
        "GET /peer/v1/ledger/blocks",
        "GET /peer/v1/ledger/head-statements/{nonce}",
        "GET /peer/v1/ledger/snapshots/latest",
        "GET /peer/v1/ledger/snapshots/{height}/{index}",
        "POST /peer/v1/ledger/checkpoints",
        "POST /peer/v1/consents/revocations",
    }
