"""The OpenAPI page may load its own files, and nothing may load it into a frame; no other site reads the API."""

from __future__ import annotations

import pytest

from node_kit import LocalNode

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("path", ["/docs", "/docs/docs.css", "/docs/docs.js"])
async def test_the_page_is_shut_in_and_out(node: LocalNode, path: str) -> None:
    answer = await node.internal.get(path)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";"))
    assert policy == {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "connect-src": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_no_other_site_is_let_in(node: LocalNode) -> None:
    """No CORS header on any kind of answer: a page of another origin reads nothing, and may not ask with a token."""
    asks = {"origin": "https://evil.example", "access-control-request-method": "POST"}
    for method, path in (
        ("GET", "/api/v1/status"),
        ("GET", "/1.0/identifiers/did:web:x"),
        ("GET", "/api/v1/cases"),
        ("OPTIONS", "/api/v1/cases"),
        ("OPTIONS", "/api/v1/wallet/consents"),
    ):
        answer = await node.internal.request(method, path, headers=asks)
        assert not [name for name in answer.headers if name.startswith("access-control-")]
        assert method != "OPTIONS" or answer.status_code == 405
