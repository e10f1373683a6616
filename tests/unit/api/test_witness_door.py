"""A witness reaches what it follows by, and nothing by any spelling of a request (EV-6)."""

from __future__ import annotations

from typing import Any

import pytest

from lianzheng.api.peer.app import PEER_SCOPE_KEY, create_peer_app
from node_kit import LocalNode, client_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_only_following_and_checkpoints(node: LocalNode) -> None:
    peer = create_peer_app(node.services)

    async def as_witness(scope: Any, receive: Any, send: Any) -> None:
        await peer({**scope, "state": {PEER_SCOPE_KEY: "regulator.example/w1"}}, receive, send)

    routes = peer.openapi()["paths"]
    async with client_of(as_witness) as witness:
        for template, methods in routes.items():
            path = template.replace("{nonce}", "A" * 43).replace("{epoch}", "1").replace("{", "").replace("}", "")
            for method in methods:
                for headers in ({}, {"host": "x/peer/v1/ledger/blocks?"}, {"host": "x/peer/v1/ledger/blocks#"}):
                    answer = await witness.request(method.upper(), path, headers=headers, content=b"{}")
                    follows = template.startswith(
                        ("/peer/v1/ledger/blocks", "/peer/v1/ledger/head-statements", "/peer/v1/ledger/checkpoints")
                    )
                    assert (answer.json().get("code") == "peer_is_witness") is not follows, (path, headers)
