"""The verifier's routes: requests that may not be made, and every answer that does not count."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from lianzheng.client.openid import OpenIdHolder, resolved_keys
from lianzheng.encoding.multikey import P256_PUB
from lianzheng.errors import LianzhengError
from lianzheng.identity.credentials.enveloped import ENVELOPED_PRESENTATION, envelop
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.credentials.proofs import ProofOptions, create_proof
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.openid.formats import packed, unpacked_credential
from lianzheng.identity.openid.jwe import encrypt_response
from lianzheng.identity.openid.jwt import read_jwt, sign_jwt
from lianzheng.identity.openid.request import PresentationRequest, read_request_object
from lianzheng.identity.openid.verifier import REQUEST_TYP
from lianzheng.identity.openid.wallet import HeldVc, content_of, make_presentation
from lianzheng.limits import OPENID_ATTEMPTS_MAX, OPENID_REQUEST_MS
from openid_kit import JWT_LEVEL, LDP_LEVEL, PURPOSE, OpenIdNode, level, openid_node, query, wallet_signer

pytestmark = pytest.mark.asyncio(loop_scope="module")
V2 = "https://www.w3.org/ns/credentials/v2"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenIdNode]:
    async with openid_node(tmp_path_factory.mktemp("openid") / "home", "") as running:
        yield running


async def received(net: OpenIdNode, holder: OpenIdHolder, configuration: str = JWT_LEVEL) -> HeldVc:
    made = await net.offer(configuration)
    (held,) = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    return held


async def send(net: OpenIdNode, request: PresentationRequest, token: Any, **change: Any) -> httpx.Response:
    """Any answer to a request; ``None`` takes a parameter away."""
    form = {"vp_token": json.dumps(token), "state": request.state} | change
    kept = {name: value for name, value in form.items() if value is not None}
    return await net.http.post(f"{net.base}/response", data=kept)


def reason(answer: httpx.Response) -> str:
    """The reason code in the description of a refusal."""
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == "invalid_request"
    return str(answer.json()["error_description"]).rpartition("[")[2].removesuffix("]")


def presented(held: HeldVc, request: PresentationRequest, net: OpenIdNode, **change: Any) -> Any:
    """A presentation for ``request`` in which something else stands."""
    by = change.pop("by", wallet_signer())
    asked = replace(request, **change)
    return make_presentation(held, by, asked.client_id, asked.nonce, net.clock.now_ms())


async def test_an_answer_counts_once(net: OpenIdNode) -> None:
    holder = net.holder()
    held = await received(net, holder)
    asked = await net.ask()
    request = await holder.request(asked["uri"])
    token = {"level": [presented(held, request, net)]}
    answers = await asyncio.gather(*(send(net, request, token) for _ in range(3)))
    assert sorted(one.status_code for one in answers) == [200, 400, 400]
    assert {reason(one) for one in answers if one.status_code == 400} == {"openid_response_replayed"}
    good = next(one for one in answers if one.status_code == 200)
    assert (good.headers["content-type"], good.json()) == ("application/json", {})
    assert reason(await send(net, request, token)) == "openid_response_replayed"
    assert (await net.result(asked))["state"] == "presented"
    with pytest.raises(LianzhengError) as caught:
        await holder.request(asked["uri"])
    assert caught.value.code == "openid_refused"  # the request object is gone with the answer


@pytest.mark.parametrize("configuration", [JWT_LEVEL, LDP_LEVEL])
async def test_presentations_made_for_something_else(net: OpenIdNode, configuration: str) -> None:
    """14.1: another request's nonce, another verifier, another holder's credential, another holder's key."""
    holder, thief = net.holder(), wallet_signer(2)
    held = await received(net, holder, configuration)
    asked, other = await net.ask(query(held.format)), await net.ask(query(held.format))
    request, earlier = await holder.request(asked["uri"]), await holder.request(other["uri"])
    posing = ProofSigner(wallet_signer().verification_method, thief.codec, thief.sign)
    broken = "envelope_invalid" if held.format == "jwt_vc_json" else "signature_invalid"
    for change, code in (
        ({"nonce": earlier.nonce}, "proof_challenge_mismatch"),
        ({"client_id": "decentralized_identifier:did:lz:test-node:zOther"}, "proof_domain_mismatch"),
        ({"client_id": request.client_id.removeprefix("decentralized_identifier:")}, "proof_domain_mismatch"),
        ({"by": thief}, "presentation_subject_mismatch"),
    ):
        value = presented(held, request, net, **change)
        assert reason(await send(net, request, {"level": [value]})) == code
    assert (await net.result(asked))["error"] == "presentation_subject_mismatch"
    assert reason(await send(net, request, {"level": [presented(held, request, net, by=posing)]})) in {
        broken,
        "proof_invalid",
    }
    assert (await net.result(asked))["state"] == "dead"


async def test_a_credential_without_the_holders_proof(net: OpenIdNode) -> None:
    """B.1: with holder binding a presentation is demanded; a bare credential has none."""
    holder = net.holder()
    for configuration in (JWT_LEVEL, LDP_LEVEL):
        held = await received(net, holder, configuration)
        request = await holder.request((await net.ask(query(held.format)))["uri"])
        answer = await send(net, request, {"level": [held.value]})
        assert reason(answer) in {"envelope_header_refused", "presentation_malformed"}
        bare = {"@context": [V2], "type": ["VerifiablePresentation"], "verifiableCredential": [held.value]}
        if held.format == "ldp_vc":
            assert reason(await send(net, request, {"level": [bare]})) == "proof_missing"


async def test_tokens_in_another_form(net: OpenIdNode) -> None:
    holder = net.holder()
    held, other = await received(net, holder), await received(net, holder, LDP_LEVEL)

    async def code(token: Any, **change: Any) -> str:
        request = await holder.request((await net.ask())["uri"])
        given = token(request) if callable(token) else token
        return reason(await send(net, request, given, **change))

    assert await code([]) == "openid_response_invalid"
    assert await code({}) == "openid_response_invalid"
    assert await code("x") == "openid_response_invalid"
    assert await code({"level": "x"}) == "openid_response_invalid"
    assert await code({"level": []}) == "openid_response_invalid"
    assert await code({"level": ["x"] * 1000}) == "openid_response_invalid"
    assert await code({"other": ["x"]}) == "openid_response_invalid"
    assert await code({"level": [7]}) == "openid_format_mismatch"
    assert await code({"level": [None]}) == "openid_format_mismatch"
    assert await code({"level": [{}]}) == "openid_format_mismatch"
    assert await code({"level": ["x"]}) == "envelope_malformed"
    assert await code({}, vp_token='{"level":["x"],"level":["y"]}') == "openid_response_invalid"
    assert await code({}, vp_token=None) == "openid_response_invalid"
    assert await code({}, state=None) == "openid_response_unknown"
    assert await code({}, state="guess") == "openid_response_unknown"
    assert await code({}, response="x") == "openid_response_unknown"
    assert await code(lambda request: {"level": [presented(held, request, net)] * 2}) == "dcql_unasked"
    assert await code(lambda request: {"level": [presented(other, request, net)]}) == "openid_format_mismatch"


async def test_two_credentials_in_one_presentation_and_one_in_another_format(net: OpenIdNode) -> None:
    holder, by = net.holder(), wallet_signer()
    held, other = await received(net, holder), await received(net, holder, LDP_LEVEL)
    inside = [unpacked_credential(one.value, one.format) for one in (held, other)]
    for credentials, code in (
        (inside, "openid_response_invalid"),
        ([], "presentation_empty"),
        ([inside[1]], "openid_format_mismatch"),
    ):
        request = await holder.request((await net.ask())["uri"])
        document = {
            "@context": [V2],
            "type": ["VerifiablePresentation"],
            "holder": holder.did,
            "verifiableCredential": credentials,
            "aud": request.client_id,
            "nonce": request.nonce,
        }
        value = packed(envelop(document, by, ENVELOPED_PRESENTATION))
        assert reason(await send(net, request, {"level": [value]})) == code


async def test_the_query_is_evaluated_again(net: OpenIdNode) -> None:
    """8.6: the wallet is not believed. Values, kinds and claims are looked at in what was verified."""
    holder = net.holder()
    held = await received(net, holder)
    kyc = [["https://www.w3.org/2018/credentials#VerifiableCredential", "urn:lianzheng:v1#KycCredential"]]
    for change, code in (
        ({"claims": [{"path": ["credentialSubject", "level"], "values": ["C5"]}]}, "dcql_unsatisfied"),
        ({"claims": [{"path": ["credentialSubject", "policy"]}]}, "dcql_unsatisfied"),
        ({"meta": {"type_values": kyc}, "claims": None}, "credential_kind_refused"),
    ):
        request = await holder.request((await net.ask(query(**change)))["uri"])
        with pytest.raises(LianzhengError) as caught:
            holder.choose(request, [held])
        assert caught.value.code == "dcql_unsatisfied"
        assert reason(await send(net, request, {"level": [presented(held, request, net)]})) == code


async def test_a_revoked_credential_is_refused(net: OpenIdNode) -> None:
    holder = net.holder()
    credentials = [{"configuration": JWT_LEVEL, "credential": level(), "status": True}]
    made = (await net.operator.post("/api/v1/openid/offers", json={"credentials": credentials})).json()
    (held,) = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    request = await holder.request((await net.ask())["uri"])
    change = {
        "credentialId": content_of(held)["id"],
        "credentialStatus": {"statusPurpose": "revocation"},
        "status": True,
    }
    assert (await net.operator.post("/api/v1/credentials/status", json=change)).status_code == 200
    assert reason(await send(net, request, {"level": [presented(held, request, net)]})) == "credential_revoked"


async def test_a_revoked_credential_is_refused_with_its_status_hidden(net: OpenIdNode) -> None:
    """Its holder writes the status under the IRI that the name stands for: the issuer's RDF proof still holds."""
    holder = net.holder()
    credentials = [{"configuration": LDP_LEVEL, "credential": level(), "status": True}]
    made = (await net.operator.post("/api/v1/openid/offers", json={"credentials": credentials})).json()
    (held,) = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    change = {
        "credentialId": held.value["id"],
        "credentialStatus": {"statusPurpose": "revocation"},
        "status": True,
    }
    assert (await net.operator.post("/api/v1/credentials/status", json=change)).status_code == 200
    document = {name: value for name, value in held.value.items() if name != "credentialStatus"}
    document["https://www.w3.org/2018/credentials#credentialStatus"] = held.value["credentialStatus"]
    unrevoked = {"@context", "type", "id", "issuer", "validFrom", "validUntil", "credentialSubject", "credentialSchema"}
    assert unrevoked <= {*document}  # all that a verifier asks for by name
    for value, code in ((held.value, "credential_revoked"), (document, "term_disguised")):
        request = await holder.request((await net.ask(query("ldp_vc")))["uri"])
        presentation = {
            "@context": [V2],
            "type": ["VerifiablePresentation"],
            "holder": holder.did,
            "verifiableCredential": [value],
        }
        options = ProofOptions(
            "eddsa-jcs-2022",
            rfc3339(net.clock.now_ms()),
            purpose="authentication",
            domain=request.client_id,
            challenge=request.nonce,
        )
        signed = create_proof(presentation, wallet_signer(), options)
        assert reason(await send(net, request, {"level": [signed]})) == code


async def test_wrong_answers_end_a_request(net: OpenIdNode) -> None:
    holder = net.holder()
    held = await received(net, holder)
    asked = await net.ask()
    request = await holder.request(asked["uri"])
    for number in range(OPENID_ATTEMPTS_MAX):
        assert (await net.result(asked))["state"] == "open", number
        assert reason(await send(net, request, {"level": ["x"]})) == "envelope_malformed"
    assert (await net.result(asked))["state"] == "dead"
    assert reason(await send(net, request, {"level": [presented(held, request, net)]})) == "openid_response_replayed"


async def test_requests_end_with_their_time(net: OpenIdNode) -> None:
    """At the verifier by its own clock, at the wallet by ``exp``."""
    holder = net.holder()
    held = await received(net, holder)
    asked = await net.ask()
    request = await holder.request(asked["uri"])
    answer = presented(held, request, net)
    token = await fetched(net, asked)
    client = request.client_id
    net.clock.advance(OPENID_REQUEST_MS)
    assert reason(await send(net, request, {"level": [answer]})) == "openid_response_unknown"
    with pytest.raises(LianzhengError) as caught:
        await holder.request(asked["uri"])
    assert caught.value.code == "openid_refused"
    net.clock.advance(5 * 60 * 1000)
    with pytest.raises(LianzhengError) as caught:
        await read_request_object(token, client, resolved_keys(net.node), net.clock.now_ms())
    assert caught.value.code == "jwt_expired"
    assert (await net.result(asked))["state"] == "open"
    net.clock.advance(OPENID_REQUEST_MS)
    assert (await net.result(asked))["code"] == "openid_request_unknown"


async def fetched(net: OpenIdNode, asked: dict[str, Any], nonce: str | None = None) -> str:
    """The request object of a link, by POST with the wallet's nonce or by GET."""
    url = parse_qs(urlsplit(asked["uri"]).query)["request_uri"][0]
    answer = await (net.http.get(url) if nonce is None else net.http.post(url, data={"wallet_nonce": nonce}))
    assert answer.headers["content-type"] == f"application/{REQUEST_TYP}", answer.text
    return answer.text


async def test_the_request_object_of_the_text(net: OpenIdNode) -> None:
    asked = await net.ask()
    link = parse_qs(urlsplit(asked["uri"]).query)
    assert asked["uri"].startswith("openid4vp://?")
    assert link["client_id"] == [f"decentralized_identifier:{net.did}"]
    assert link["request_uri_method"] == ["post"]
    jwt = read_jwt(await fetched(net, asked, "w" * 32), REQUEST_TYP)
    assert jwt.header["kid"] == f"{net.did}#node"
    claims = jwt.claims
    assert claims["client_id"] == link["client_id"][0]
    assert (claims["response_type"], claims["response_mode"]) == ("vp_token", "direct_post")
    assert claims["response_uri"] == f"{net.base}/response"
    assert "redirect_uri" not in claims
    assert claims["aud"] == "https://self-issued.me/v2"
    assert claims["wallet_nonce"] == "w" * 32
    assert claims["dcql_query"] == query()
    assert claims["lianzheng_purpose"] == PURPOSE
    assert set(claims["client_metadata"]["vp_formats_supported"]) == {"jwt_vc_json", "ldp_vc"}
    assert "wallet_nonce" not in read_jwt(await fetched(net, asked), REQUEST_TYP).claims
    url = link["request_uri"][0]
    assert (await net.http.post(url, data={"wallet_nonce": "a b"})).json()["error"] == "invalid_request"
    assert (await net.http.get(f"{net.base}/requests/guess")).status_code == 404


async def test_a_wallet_refuses_requests_that_are_not_of_who_they_say(net: OpenIdNode) -> None:
    thief, asked = wallet_signer(66), await net.ask()
    token = await fetched(net, asked, "mine")
    claims, now_ms = read_jwt(token, REQUEST_TYP).claims, net.clock.now_ms()
    client = claims["client_id"]
    posing = ProofSigner(f"{net.did}#node", thief.codec, thief.sign)
    other = f"decentralized_identifier:{thief.verification_method.partition('#')[0]}"

    async def code(value: str, client_id: str = client, nonce: str | None = None) -> str:
        try:
            await read_request_object(value, client_id, resolved_keys(net.node), now_ms, wallet_nonce=nonce)
        except LianzhengError as error:
            return error.code
        return "ok"

    def forged(by: ProofSigner = thief, typ: str = REQUEST_TYP, client_id: str = other, **change: Any) -> str:
        whole = {**claims, "client_id": client_id, **change}
        return sign_jwt({name: value for name, value in whole.items() if value is not None}, by, typ)

    assert await code(token, nonce="mine") == "ok"
    assert await code(token, nonce="other") == "openid_nonce_mismatch"
    assert await code(await fetched(net, asked), nonce="mine") == "openid_nonce_mismatch"
    assert await code(token, other) == "openid_client_refused"
    assert await code(forged(posing, client_id=client)) == "jwt_invalid"
    assert await code(forged(client_id=client)) == "openid_client_refused"
    # Signed by the thief under its own name, and made out in ours: what is presented would count at us.
    assert await code(forged(client_id=client), other) == "openid_client_refused"
    assert await code(forged(typ="JWT"), other) == "jwt_header_refused"
    assert await code(forged(), other) == "ok"  # did:key: an honest request of a stranger
    uri = f"redirect_uri:{net.base}/response"
    assert await code(forged(client_id=uri), uri) == "openid_client_refused"
    assert await code(forged(client_id="plain"), "plain") == "openid_client_refused"
    for change, wanted in (
        ({"exp": now_ms // 1000 - 3600}, "jwt_expired"),
        ({"aud": "https://other.example"}, "jwt_audience_mismatch"),
        ({"response_type": "code"}, "openid_request_unsupported"),
        ({"response_mode": "fragment"}, "openid_request_unsupported"),
        ({"response_mode": ["direct_post"]}, "openid_request_unsupported"),
        ({"redirect_uri": "https://x.example"}, "openid_request_unsupported"),
        ({"transaction_data": ["e30"]}, "openid_request_unsupported"),
        ({"scope": "openid"}, "openid_request_unsupported"),
        ({"nonce": None}, "openid_request_malformed"),
        ({"nonce": "a b"}, "openid_request_malformed"),
        ({"state": 7}, "openid_request_malformed"),
        ({"response_uri": None}, "openid_request_malformed"),
        ({"response_mode": "direct_post.jwt"}, "openid_request_malformed"),
        ({"dcql_query": None}, "dcql_malformed"),
        ({"lianzheng_purpose": "marketing"}, "openid_purpose_refused"),
        ({"lianzheng_purpose": ["marketing"]}, "openid_purpose_refused"),
        ({"lianzheng_purpose": None}, "ok"),
    ):
        assert await code(forged(**change), other) == wanted, change


async def test_an_unsigned_request_leads_to_the_place_it_names(net: OpenIdNode) -> None:
    holder = net.holder()
    asked = await net.ask(signed=False)
    request = await holder.request(asked["uri"])
    assert (request.verifier, request.client_id) == (None, f"redirect_uri:{net.base}/response")
    for old, new in (
        ("response_uri=http%3A%2F%2F127", "response_uri=http%3A%2F%2Fevil.127"),
        ("client_id=redirect_uri%3A", "client_id=decentralized_identifier%3A"),
        ("client_id=redirect_uri%3A", "client_id="),
    ):
        assert old in asked["uri"]
        with pytest.raises(LianzhengError) as caught:
            await holder.request(asked["uri"].replace(old, new, 1))
        assert caught.value.code == "openid_client_refused"
    away = replace(request, response_uri="http://evil.example/response")
    with pytest.raises(LianzhengError) as caught:
        await holder.decline(away)
    assert caught.value.code == "openid_url_refused"


async def test_an_answer_that_was_to_be_encrypted(net: OpenIdNode) -> None:
    holder = net.holder()
    held = await received(net, holder)
    asked = await net.ask(encrypted=True)
    request = await holder.request(asked["uri"])
    assert request.encryption is not None
    token = {"level": [presented(held, request, net)]}
    for _ in range(OPENID_ATTEMPTS_MAX + 1):  # nobody reads it, so it is no try either: who knows the state alone
        assert reason(await send(net, request, token)) == "openid_response_invalid"
    assert (await net.result(asked))["state"] == "open"
    url, stale = f"{net.base}/response", replace(request, state="x")
    for parameters in ({"vp_token": token}, {"vp_token": token, "state": stale.state}):
        answer = await net.http.post(url, data={"response": encrypt_response(parameters, request.encryption)})
        assert reason(answer) == "openid_response_unknown"
    other = await holder.request((await net.ask(encrypted=True))["uri"])
    assert other.encryption is not None
    crossed = encrypt_response(
        {"vp_token": token, "state": request.state}, {**other.encryption, "kid": request.encryption["kid"]}
    )
    assert reason(await net.http.post(url, data={"response": crossed})) == "jwe_invalid"
    await holder.present(request, {"level": [held]})
    assert (await net.result(asked))["state"] == "presented"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"purpose": "marketing"}, "openid_purpose_refused"),
        ({"purpose": ""}, "field_invalid"),
        ({"dcql_query": {}}, "dcql_malformed"),
        ({"dcql_query": query(claims=[{"path": ["x"]}] * 1000)}, "dcql_too_large"),
        ({"dcql_query": query(meta={})}, "openid_query_refused"),
        ({"dcql_query": query(meta={"type_values": [["VerifiableCredential"]]})}, "openid_query_refused"),
        ({"dcql_query": query(meta={"type_values": [["PassportCredential"]]})}, "openid_query_refused"),
        (
            {"dcql_query": query(meta={"type_values": [["KycCredential", "MembershipCredential"]]})},
            "openid_query_refused",
        ),
        ({"dcql_query": query("dc+sd-jwt", meta={"vct_values": ["KycCredential"]})}, "openid_query_refused"),
        ({"dcql_query": query(require_cryptographic_holder_binding=False)}, "openid_query_refused"),
        ({"dcql_query": query(trusted_authorities=[{"type": "aki", "values": ["x"]}])}, "openid_query_refused"),
        ({"redirect_uri": "http://broker.example"}, "openid_redirect_invalid"),
        ({"redirect_uri": "https://broker.example/#x"}, "openid_redirect_invalid"),
        ({"redirect_uri": "javascript:alert(1)"}, "openid_redirect_invalid"),
    ],
)
async def test_requests_that_may_not_be_made(net: OpenIdNode, change: dict[str, Any], code: str) -> None:
    body = {"dcql_query": query(), "purpose": PURPOSE, **change}
    answer = await net.operator.post("/api/v1/openid/presentations", json=body)
    assert answer.json()["code"] == code, answer.text


async def test_wallets_with_another_curve(net: OpenIdNode) -> None:
    by = wallet_signer(8, P256_PUB)
    holder = net.holder(by)
    held = await received(net, holder)
    request = await holder.request((await net.ask())["uri"])
    assert (await send(net, request, {"level": [presented(held, request, net, by=by)]})).status_code == 200
