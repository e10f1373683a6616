"""Values of the wrong type in every place that a wallet fills: always a refusal in OAuth's form, never a fault."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.identity.openid.jwt import sign_jwt
from lianzheng.identity.openid.wallet import make_presentation
from lianzheng.limits import OPENID_ATTEMPTS_MAX
from openid_kit import JWT_LEVEL, LDP_LEVEL, OpenIdNode, openid_node, query, wallet_signer

pytestmark = pytest.mark.asyncio(loop_scope="module")
ODD: list[Any] = [None, True, 0, -1, 1.5, "", "\u0000", "x" * 2000, [], [[]], [None], {}, {"a": {}}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenIdNode]:
    async with openid_node(tmp_path_factory.mktemp("openid") / "home") as running:
        yield running


def altered(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """``value`` with one member after the other replaced by each odd value, lists by their first item."""
    for odd in ODD:
        yield path, odd
    if isinstance(value, dict):
        for name, item in value.items():
            for at, other in altered(item, (*path, name)):
                yield at, {**value, name: other}
    elif isinstance(value, list) and value:
        for at, other in altered(value[0], (*path, 0)):
            yield at, [other, *value[1:]]


def assert_refused(answer: httpx.Response, what: object) -> None:
    assert answer.status_code in (400, 401), (what, answer.status_code, answer.text)
    assert set(answer.json()) == {"error", "error_description"}, what


async def test_presentations(net: OpenIdNode) -> None:
    """The whole vp_token of both formats, every member in turn; no altered one is accepted."""
    holder, by = net.holder(), wallet_signer()
    for configuration in (JWT_LEVEL, LDP_LEVEL):
        made = await net.offer(configuration)
        (held,) = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
        request, used = await holder.request((await net.ask(query(held.format)))["uri"]), 0
        for path, token in altered({"level": [make_presentation(held, by, "c", "n", net.clock.now_ms())]}):
            if used == OPENID_ATTEMPTS_MAX:
                request, used = await holder.request((await net.ask(query(held.format)))["uri"]), 0
            form = {"vp_token": json.dumps(token), "state": request.state or ""}
            assert_refused(await net.http.post(request.response_uri, data=form), path)
            used += 1


async def test_enveloped_presentations(net: OpenIdNode) -> None:
    """Header and payload of a presentation as JWS, signed anew each time, so that the signature always holds."""
    holder, by = net.holder(), wallet_signer()
    made = await net.offer()
    (held,) = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    request, used = await holder.request((await net.ask())["uri"]), OPENID_ATTEMPTS_MAX
    now_ms = net.clock.now_ms()
    good = str(make_presentation(held, by, request.client_id, request.nonce, now_ms)).split(".")
    header, payload = (json.loads(b64u_decode(part)) for part in good[:2])
    shapes = [(path, other, payload) for path, other in altered(header)]
    shapes += [(path, header, other) for path, other in altered(payload)]
    accepted = []
    for path, head, body in shapes:
        if used == OPENID_ATTEMPTS_MAX:
            request, used = await holder.request((await net.ask())["uri"]), 0
        if isinstance(body, dict) and path[:1] != ("nonce",):
            body = {**body, "nonce": request.nonce}
        first = ".".join(b64u_encode(json.dumps(part).encode()) for part in (head, body))
        token = f"{first}.{b64u_encode(by.sign(first.encode()))}"
        form = {"vp_token": json.dumps({"level": [token]}), "state": request.state or ""}
        answer = await net.http.post(request.response_uri, data=form)
        used += 1
        if answer.status_code == 200:
            accepted.append(path)
            used = OPENID_ATTEMPTS_MAX
        else:
            assert_refused(answer, path)
    # The text asks for no times here: one in the past leaves a presentation as good as it was.
    assert set(accepted) == {("iat",)}, accepted


async def test_credential_requests(net: OpenIdNode) -> None:
    """The request body and the proof's claims, every member in turn; one token is enough, since none is served."""
    by = wallet_signer()
    bearer = await net.bearer(await net.offer())
    claims = {"aud": net.base, "iat": net.clock.now_ms() // 1000, "nonce": await net.nonce()}
    proof = sign_jwt(claims, by, "openid4vci-proof+jwt")
    body = {"credential_configuration_id": JWT_LEVEL, "proofs": {"jwt": [proof]}}
    for path, request in altered(body):
        assert_refused(await net.http.post(f"{net.base}/credential", json=request, headers=bearer), path)
    for path, odd in altered(claims):
        if not isinstance(odd, dict):
            continue
        request = {**body, "proofs": {"jwt": [sign_jwt(odd, by, "openid4vci-proof+jwt")]}}
        assert_refused(await net.http.post(f"{net.base}/credential", json=request, headers=bearer), path)
    assert (await net.http.post(f"{net.base}/credential", json=body, headers=bearer)).status_code == 200


async def test_authorization_details(net: OpenIdNode) -> None:
    made = await net.offer()
    details = [{"type": "openid_credential", "credential_configuration_id": JWT_LEVEL}]
    for path, odd in altered(details):
        answer = await net.token(made, authorization_details=json.dumps(odd))
        assert_refused(answer, path)
    assert (await net.token(made, authorization_details=json.dumps(details))).status_code == 200


async def test_requests_of_the_operator(net: OpenIdNode) -> None:
    """Queries that the operator's systems got wrong: 4xx with a reason code."""
    body = {"dcql_query": query(), "purpose": "suitability-assessment"}
    for path, odd in altered(body):
        answer = await net.operator.post("/api/v1/openid/presentations", json=odd)
        assert answer.status_code in (201, 400, 403, 422), (path, answer.text)
        if answer.status_code == 201:
            assert path[:1] == ("dcql_query",), path
