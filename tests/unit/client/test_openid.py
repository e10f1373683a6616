"""The holder's code towards issuers and verifiers that lie: nothing is kept, and no secret goes where it may not."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from credential_kit import NOW_MS, signer, unsigned
from lianzheng.client.openid import OpenIdHolder
from lianzheng.clock import ManualClock
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.enveloped import envelop
from lianzheng.identity.credentials.keys import ProofKey, did_key
from lianzheng.identity.openid.formats import packed
from lianzheng.identity.openid.issuer import PRE_AUTHORIZED
from lianzheng.limits import OPENID_BODY_BYTES_MAX

ISSUER = "https://issuer.example/tenant"
CONFIGURATION = "Alumni.jwt_vc_json"
TYPES = ["VerifiableCredential", "AlumniCredential"]
BY, ME, OTHER = (signer(ED25519_PUB, number) for number in (1, 2, 3))
DID = ME.verification_method.partition("#")[0]
OFFER = {
    "credential_issuer": ISSUER,
    "credential_configuration_ids": [CONFIGURATION],
    "grants": {PRE_AUTHORIZED: {"pre-authorized_code": "code"}},
}
Answers = dict[str, Any]


async def find_key(method: str, purpose: str) -> ProofKey:
    return did_key(method, purpose)


def credential(subject: str = DID, **change: Any) -> str:
    """A compact JWS by the issuer."""
    document = unsigned(BY, credentialSubject={"id": subject, "alumniOf": "x"}, **change)
    return str(packed(envelop(document, BY)))


def answers(**change: Any) -> Answers:
    """What an honest issuer answers, by the last part of the path."""
    configuration = {"format": "jwt_vc_json", "credential_definition": {"type": TYPES}}
    honest = {
        "openid-credential-issuer": {
            "credential_issuer": ISSUER,
            "credential_endpoint": f"{ISSUER}/credential",
            "nonce_endpoint": f"{ISSUER}/nonce",
            "credential_configurations_supported": {CONFIGURATION: configuration},
        },
        "oauth-authorization-server": {"issuer": ISSUER, "token_endpoint": f"{ISSUER}/token"},
        "token": {"access_token": "bearer", "token_type": "bearer"},
        "nonce": {"c_nonce": "n"},
        "credential": {"credentials": [{"credential": credential()}]},
    }
    return honest | change


def holder(given: Answers, seen: list[httpx.Request] | None = None) -> OpenIdHolder:
    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        part = next(one for one in reversed(request.url.path.split("/")) if one in given)
        body = given[part]
        if isinstance(body, httpx.Response):
            return body
        return httpx.Response(200, content=body if isinstance(body, bytes) else json.dumps(body).encode())

    http = httpx.AsyncClient(transport=httpx.MockTransport(answer))
    return OpenIdHolder(http, ME, find_key, ManualClock(NOW_MS))


async def code_of(given: Answers, offer: dict[str, Any] | None = None, seen: list[httpx.Request] | None = None) -> str:
    try:
        held = await holder(given, seen).receive(offer or OFFER)
    except LianzhengError as error:
        return error.code
    assert [one.format for one in held] == ["jwt_vc_json"]
    return "ok"


async def test_an_honest_issuer_and_where_each_request_went() -> None:
    seen: list[httpx.Request] = []
    assert await code_of(answers(), seen=seen) == "ok"
    assert [(one.method, str(one.url)) for one in seen] == [
        ("GET", "https://issuer.example/.well-known/openid-credential-issuer/tenant"),
        ("GET", "https://issuer.example/.well-known/oauth-authorization-server/tenant"),
        ("POST", f"{ISSUER}/token"),
        ("POST", f"{ISSUER}/nonce"),
        ("POST", f"{ISSUER}/credential"),
    ]
    assert [one.headers.get("authorization") for one in seen] == [None] * 4 + ["Bearer bearer"]


def metadata(**change: Any) -> Answers:
    honest = answers()
    return {**honest, "openid-credential-issuer": honest["openid-credential-issuer"] | change}


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (metadata(credential_issuer="https://issuer.example"), "openid_metadata_mismatch"),
        (metadata(credential_issuer=None), "openid_metadata_mismatch"),
        (metadata(authorization_servers=[]), "openid_offer_malformed"),
        (metadata(authorization_servers=["https://other.example"]), "openid_metadata_mismatch"),
        (metadata(nonce_endpoint="http://issuer.example/nonce"), "openid_url_refused"),
        (metadata(credential_endpoint=None), "openid_url_refused"),
        (metadata(credential_endpoint="file:///etc/passwd"), "openid_url_refused"),
        (metadata(credential_configurations_supported={}), "openid_format_unsupported"),
        (metadata(credential_configurations_supported=[]), "openid_format_unsupported"),
        (
            metadata(credential_configurations_supported={CONFIGURATION: {"format": "mso_mdoc"}}),
            "openid_format_unsupported",
        ),
        (answers(token={"access_token": "x"}), "openid_answer_invalid"),
        (answers(token={"access_token": 7, "token_type": "Bearer"}), "openid_answer_invalid"),
        (answers(token=httpx.Response(400, json={"error": "invalid_grant"})), "openid_refused"),
        (answers(token=httpx.Response(302, headers={"location": "https://evil.example"})), "openid_refused"),
        (answers(nonce={}), "openid_answer_invalid"),
        (answers(nonce=b"["), "openid_answer_invalid"),
        (answers(nonce=b'{"a":1,"a":2}'), "openid_answer_invalid"),
        (answers(nonce=b" " * (OPENID_BODY_BYTES_MAX + 1)), "openid_answer_invalid"),
        (answers(credential={}), "openid_answer_invalid"),
        (answers(credential={"credentials": [{}, {}]}), "openid_answer_invalid"),
        (answers(credential={"credentials": [{"credential": {}}]}), "openid_format_mismatch"),
        (
            answers(
                credential={"credentials": [{"credential": credential(OTHER.verification_method.partition("#")[0])}]}
            ),
            "openid_credential_foreign",
        ),
        (
            answers(credential={"credentials": [{"credential": credential(type=["VerifiableCredential"])}]}),
            "openid_credential_foreign",
        ),
        (
            answers(credential={"credentials": [{"credential": credential(validUntil="2026-01-02T00:00:00Z")}]}),
            "credential_expired",
        ),
        (
            answers(credential={"credentials": [{"credential": credential(issuer="https://other.example")}]}),
            "credential_issuer_mismatch",
        ),
        (
            answers(credential={"credentials": [{"credential": credential()[:-8] + "AAAAAAAA"}]}),
            "envelope_invalid",
        ),
    ],
)
async def test_issuers_that_are_not_what_they_say(given: Answers, code: str) -> None:
    assert await code_of(given) == code


@pytest.mark.parametrize(
    "offer",
    [
        {**OFFER, "grants": None},
        {**OFFER, "grants": {"authorization_code": {}}},
        {**OFFER, "grants": {PRE_AUTHORIZED: {}}},
        {**OFFER, "grants": {PRE_AUTHORIZED: {"pre-authorized_code": 7}}},
    ],
)
async def test_offers_without_a_code(offer: dict[str, Any]) -> None:
    seen: list[httpx.Request] = []
    assert await code_of(answers(), offer, seen) == "openid_offer_malformed"
    assert seen == []


@pytest.mark.parametrize(
    "issuer",
    [
        "http://issuer.example",
        "https:",
        "https://",
        "issuer.example",
        "ftp://issuer.example",
        "https://[",
        "https://[::1",
    ],
)
async def test_issuers_that_are_not_reached_safely(issuer: str) -> None:
    seen: list[httpx.Request] = []
    assert await code_of(answers(), {**OFFER, "credential_issuer": issuer}, seen) == "openid_url_refused"
    assert seen == []


def link(**parameters: str) -> str:
    return "openid-credential-offer://?" + "&".join(f"{name}={quote(text)}" for name, text in parameters.items())


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "openid-credential-offer://",
        link(other="x"),
        link(credential_offer=json.dumps(OFFER), credential_offer_uri="https://issuer.example/offer"),
        link(credential_offer=json.dumps(OFFER)) + "&credential_offer=x",
        link(credential_offer="{}"),
        link(credential_offer=json.dumps({**OFFER, "credential_configuration_ids": []})),
        link(credential_offer=json.dumps({**OFFER, "credential_issuer": 7})),
        "openid-credential-offer://?" + "&".join(f"p{n}=x" for n in range(100)),
        "openid-credential-offer://?credential_offer=%ff",
    ],
)
async def test_links_that_hold_no_offer(uri: str) -> None:
    with pytest.raises(LianzhengError) as caught:
        await holder(answers()).offer(uri)
    assert caught.value.code == "openid_offer_malformed"


@pytest.mark.parametrize("uri", ["", "openid4vp://", "openid4vp://?nonce=a&nonce=b"])
async def test_links_that_hold_no_request(uri: str) -> None:
    with pytest.raises(LianzhengError) as caught:
        await holder(answers()).request(uri)
    assert caught.value.code == "openid_request_malformed"


async def test_an_offer_by_reference_is_fetched_over_https_only() -> None:
    fetch: Callable[[str], Any] = holder({"offer": OFFER}).offer
    assert await fetch(link(credential_offer_uri="https://issuer.example/offer")) == OFFER
    with pytest.raises(LianzhengError) as caught:
        await fetch(link(credential_offer_uri="http://issuer.example/offer"))
    assert caught.value.code == "openid_url_refused"


async def test_request_objects_that_are_no_text() -> None:
    """What is fetched is read as bytes of a stranger: no JWT, then, and no fault."""
    for body in (b"\xff\xfe", b"", b"{}", b"A" * 70_000):
        with pytest.raises(LianzhengError) as caught:
            await holder({"request": body}).request(
                "openid4vp://?client_id=x&request_uri=https%3A%2F%2Fv.example%2Frequest"
            )
        assert caught.value.code == "jwt_malformed"
