"""The issuer's routes for outside wallets: what the text demands of each, and every way to be refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from lianzheng.encoding.multikey import P256_PUB
from lianzheng.identity.credentials.keys import ProofSigner, did_key
from lianzheng.identity.openid.issuer import CONFIGURATIONS, PRE_AUTHORIZED
from lianzheng.identity.openid.jwt import jwk_of, sign_jwt
from lianzheng.identity.openid.proof import make_proof
from lianzheng.limits import OPENID_ATTEMPTS_MAX, OPENID_CODE_MS, OPENID_NONCE_MS, OPENID_TOKEN_MS
from openid_kit import JWT_LEVEL, LDP_LEVEL, OpenIdNode, level, openid_node, wallet_signer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenIdNode]:
    async with openid_node(tmp_path_factory.mktemp("openid") / "home", "/broker/openid") as running:
        yield running


async def proof(net: OpenIdNode, by: ProofSigner | None = None, **change: Any) -> str:
    """A proof for this issuer under a fresh nonce; ``None`` takes a claim away."""
    claims = {"aud": net.base, "iat": net.clock.now_ms() // 1000, "nonce": await net.nonce()} | change
    kept = {name: value for name, value in claims.items() if value is not None}
    return sign_jwt(kept, by or wallet_signer(), "openid4vci-proof+jwt")


async def credential(net: OpenIdNode, bearer: dict[str, str], *proofs: str, **change: Any) -> httpx.Response:
    body = {"credential_configuration_id": JWT_LEVEL, "proofs": {"jwt": list(proofs)}} | change
    kept = {name: value for name, value in body.items() if value is not None}
    return await net.http.post(f"{net.base}/credential", json=kept, headers=bearer)


def refused(answer: httpx.Response, status: int = 400) -> str:
    """The error code of an answer in OAuth's form."""
    assert answer.status_code == status, answer.text
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    said = body["error_description"]
    assert all(" " <= char <= "~" and char not in '"\\' for char in said)
    return str(body["error"])


async def test_metadata_stand_where_the_name_says(net: OpenIdNode) -> None:
    """12.2.2: the well-known part goes between host and path."""
    origin = net.base.removesuffix("/broker/openid")
    answer = await net.http.get(f"{origin}/.well-known/openid-credential-issuer/broker/openid")
    assert answer.headers["content-type"] == "application/json"
    metadata = answer.json()
    assert metadata["credential_issuer"] == net.base
    assert metadata["credential_endpoint"] == f"{net.base}/credential"
    assert metadata["nonce_endpoint"] == f"{net.base}/nonce"
    supported = metadata["credential_configurations_supported"]
    assert set(supported) == set(CONFIGURATIONS)
    assert len(supported) == 5 * 2  # five kinds that members issue, in two formats
    for name, one in supported.items():
        assert name == f"{one['credential_definition']['type'][1]}.{one['format']}"
        assert ("@context" in one["credential_definition"]) == (one["format"] == "ldp_vc")
        assert one["cryptographic_binding_methods_supported"] == ["did:key", "did:lz", "jwk"]
        algorithms = one["proof_types_supported"]["jwt"]["proof_signing_alg_values_supported"]
        assert not {"none", "HS256"} & set(algorithms)
    server = (await net.http.get(f"{origin}/.well-known/oauth-authorization-server/broker/openid")).json()
    assert (server["issuer"], server["token_endpoint"]) == (net.base, f"{net.base}/token")
    assert server["grant_types_supported"] == [PRE_AUTHORIZED]
    assert server["pre-authorized_grant_anonymous_access_supported"] is True
    for wrong in ("/.well-known/openid-credential-issuer", "/broker/openid/.well-known/openid-credential-issuer"):
        assert (await net.http.get(origin + wrong)).status_code == 404


async def test_the_wallets_listener_serves_nothing_else(net: OpenIdNode) -> None:
    origin = net.base.removesuffix("/broker/openid")
    for path in ("/api/v1/status", "/docs", "/openapi.json", "/1.0/identifiers/x", "/"):
        assert (await net.http.get(origin + path)).status_code == 404


async def test_an_offer_and_its_reference_end_with_the_code(net: OpenIdNode) -> None:
    made = await net.offer()
    grant = made["credential_offer"]["grants"][PRE_AUTHORIZED]
    assert grant["tx_code"] == {"input_mode": "numeric", "length": 6}
    assert len(made["tx_code"]) == 6
    assert made["tx_code"].isdigit()
    assert made["tx_code"] not in made["uri"] + made["uri_by_reference"]
    reference = str(httpx.URL(made["uri_by_reference"]).params["credential_offer_uri"])
    answer = await net.http.get(reference)
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == made["credential_offer"]
    await net.bearer(made)
    assert refused(await net.http.get(reference), 404) == "invalid_request"


async def test_a_code_serves_once(net: OpenIdNode) -> None:
    made = await net.offer()
    answer = await net.token(made)
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", OPENID_TOKEN_MS // 1000)
    assert refused(await net.token(made)) == "invalid_grant"


async def test_a_code_dies_with_its_time(net: OpenIdNode) -> None:
    made, other = await net.offer(), await net.offer()
    net.clock.advance(OPENID_CODE_MS - 1)
    assert (await net.token(made)).status_code == 200
    net.clock.advance(1)
    assert refused(await net.token(other)) == "invalid_grant"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"grant_type": None}, "invalid_request"),
        ({"grant_type": "authorization_code"}, "unsupported_grant_type"),
        ({"pre-authorized_code": None}, "invalid_request"),
        ({"pre-authorized_code": "guess"}, "invalid_grant"),
        ({"tx_code": None}, "invalid_request"),
        ({"tx_code": ""}, "invalid_grant"),
        ({"tx_code": "１２３４５６"}, "invalid_grant"),
        ({"authorization_details": "x"}, "invalid_authorization_details"),
        ({"authorization_details": "[]"}, "invalid_authorization_details"),
        ({"authorization_details": "[]} , {"}, "invalid_authorization_details"),
        ({"authorization_details": "[7]"}, "invalid_authorization_details"),
        ({"authorization_details": '[{"type":"openid_credential"}]'}, "invalid_authorization_details"),
        (
            {"authorization_details": json.dumps([{"type": "x", "credential_configuration_id": JWT_LEVEL}])},
            "invalid_authorization_details",
        ),
    ],
)
async def test_token_requests_that_do_not_fit(net: OpenIdNode, change: dict[str, Any], error: str) -> None:
    """6.3; none of them uses the code up."""
    made = await net.offer()
    assert refused(await net.token(made, **change)) == error
    assert (await net.token(made)).status_code == 200


async def test_a_transaction_code_that_was_not_asked_for(net: OpenIdNode) -> None:
    made = await net.offer(tx_code=False)
    assert "tx_code" not in made["credential_offer"]["grants"][PRE_AUTHORIZED]
    assert refused(await net.token(made, tx_code="123456")) == "invalid_request"
    assert (await net.token(made)).status_code == 200


async def test_guesses_at_the_transaction_code_end(net: OpenIdNode) -> None:
    made = await net.offer()
    wrong = f"{(int(made['tx_code']) + 1) % 1_000_000:06d}"
    for _ in range(OPENID_ATTEMPTS_MAX):
        assert refused(await net.token(made, tx_code=wrong)) == "invalid_grant"
    assert refused(await net.token(made)) == "invalid_grant"
    again = await net.offer()
    for _ in range(OPENID_ATTEMPTS_MAX - 1):
        await net.token(again, tx_code="x")
    assert (await net.token(again)).status_code == 200


async def test_forms_in_one_form(net: OpenIdNode) -> None:
    url = f"{net.base}/token"
    form = {"content-type": "application/x-www-form-urlencoded"}
    twice = f"grant_type={PRE_AUTHORIZED}&pre-authorized_code=a&pre-authorized_code=b"
    many = "&".join(f"p{n}=x" for n in range(100))
    for data, headers in (
        (twice.encode(), form),
        (many.encode(), form),
        (b"\xff", form),
        (b"grant_type=%ff", form),
        (b"{}", {"content-type": "application/json"}),
        (b"x" * (1024 * 1024 + 1), form),
    ):
        assert refused(await net.http.post(url, content=data, headers=headers)) == "invalid_request"


async def test_bearers(net: OpenIdNode) -> None:
    """8.3.1.1 and RFC 6750, section 3: without a token no code, with a wrong one invalid_token."""
    url = f"{net.base}/credential"
    answer = await net.http.post(url, json={})
    assert (answer.status_code, answer.headers["www-authenticate"], answer.json()) == (401, "Bearer", {})
    for header in ("Bearer x", "bearer " + "x" * 5000):
        answer = await net.http.post(url, json={}, headers={"authorization": header})
        assert refused(answer, 401) == "invalid_token"
        assert answer.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    code = (await net.offer())["credential_offer"]["grants"][PRE_AUTHORIZED]["pre-authorized_code"]
    assert (
        refused(await net.http.post(url, json={}, headers={"authorization": f"Bearer {code}"}), 401) == "invalid_token"
    )
    bearer = await net.bearer(await net.offer())
    net.clock.advance(OPENID_TOKEN_MS)
    assert refused(await credential(net, bearer, await proof(net)), 401) == "invalid_token"


async def test_one_credential_a_token_even_at_the_same_moment(net: OpenIdNode) -> None:
    bearer = await net.bearer(await net.offer())
    proofs = [await proof(net) for _ in range(4)]
    answers = await asyncio.gather(*(credential(net, bearer, one) for one in proofs))
    assert sorted(one.status_code for one in answers) == [200, 400, 400, 400]
    assert {refused(one) for one in answers if one.status_code != 200} == {"credential_request_denied"}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"credential_configuration_id": None}, "invalid_credential_request"),
        ({"credential_configuration_id": 7}, "invalid_credential_request"),
        ({"credential_configuration_id": "x"}, "unknown_credential_configuration"),
        ({"credential_configuration_id": LDP_LEVEL}, "credential_request_denied"),
        ({"credential_identifier": "x"}, "invalid_credential_request"),
        ({"proofs": None}, "invalid_proof"),
        ({"proofs": {}}, "invalid_proof"),
        ({"proofs": {"jwt": []}}, "invalid_proof"),
        ({"proofs": {"jwt": "x"}}, "invalid_proof"),
        ({"proofs": {"jwt": [7]}}, "invalid_proof"),
        ({"proofs": {"di_vp": [{}]}}, "invalid_proof"),
        ({"proofs": {"jwt": ["x"], "di_vp": [{}]}}, "invalid_proof"),
        ({"proofs": None, "proof": {"proof_type": "jwt", "jwt": "x"}}, "invalid_proof"),
        ({"credential_response_encryption": {"jwk": {}, "enc": "A128GCM"}}, "invalid_encryption_parameters"),
    ],
)
async def test_credential_requests_that_do_not_fit(net: OpenIdNode, change: dict[str, Any], error: str) -> None:
    """8.3.1.2; none of them uses the token up."""
    bearer = await net.bearer(await net.offer())
    assert refused(await credential(net, bearer, await proof(net), **change)) == error
    assert (await credential(net, bearer, await proof(net), future=1)).status_code == 200


async def test_bodies_that_are_no_json(net: OpenIdNode) -> None:
    bearer = await net.bearer(await net.offer())
    for data, kind in ((b"{", "application/json"), (b'{"a":1,"a":2}', "application/json"), (b"{}", "text/plain")):
        headers = {**bearer, "content-type": kind}
        answer = await net.http.post(f"{net.base}/credential", content=data, headers=headers)
        assert refused(answer) == "invalid_credential_request"


async def test_nonces_serve_once_and_not_for_long(net: OpenIdNode) -> None:
    bearer = await net.bearer(await net.offer(JWT_LEVEL, LDP_LEVEL))
    nonce = await net.nonce()
    assert nonce != await net.nonce()
    assert (await credential(net, bearer, await proof(net, nonce=nonce))).status_code == 200
    again = await credential(net, bearer, await proof(net, nonce=nonce), credential_configuration_id=LDP_LEVEL)
    assert refused(again) == "invalid_nonce"
    flipped = ("A" if nonce[5] != "A" else "B").join((nonce[:5], nonce[6:]))
    for foreign in ("x", "", flipped, nonce[:-4]):
        answer = await credential(net, bearer, await proof(net, nonce=foreign), credential_configuration_id=LDP_LEVEL)
        assert refused(answer) == "invalid_nonce"
    late = await net.offer()
    nonce = await net.nonce()
    net.clock.advance(OPENID_NONCE_MS)
    answer = await credential(net, await net.bearer(late), await proof(net, nonce=nonce))
    assert refused(answer) == "invalid_nonce"


async def test_a_used_proof_gives_nothing_under_another_token(net: OpenIdNode) -> None:
    """13.8: a stolen proof, sent again to have a second credential for the same key."""
    stolen = await proof(net)
    assert (await credential(net, await net.bearer(await net.offer()), stolen)).status_code == 200
    assert refused(await credential(net, await net.bearer(await net.offer()), stolen)) == "invalid_nonce"


async def test_proofs_that_do_not_hold(net: OpenIdNode) -> None:
    bearer = await net.bearer(await net.offer())
    good, other = wallet_signer(), wallet_signer(2)
    posing = ProofSigner(good.verification_method, good.codec, other.sign)
    curve = wallet_signer(3, P256_PUB)
    confused = ProofSigner(curve.verification_method, good.codec, good.sign)
    unknown = ProofSigner("did:lz:test-node:zNobody#k", good.codec, good.sign)
    web = ProofSigner("did:web:wallet.example#k", good.codec, good.sign)
    for bad in (
        await proof(net, aud="https://other.example"),
        await proof(net, aud=None),
        await proof(net, nonce=None),
        await proof(net, iat=net.clock.now_ms() // 1000 - 3600),
        await proof(net, posing),
        await proof(net, confused),
        await proof(net, unknown),
        await proof(net, web),
        (await proof(net)).rsplit(".", 1)[0] + ".",
        make_proof(
            other,
            net.base,
            await net.nonce(),
            net.clock.now_ms(),
            jwk=jwk_of(did_key(good.verification_method, "authentication")),
        ),
    ):
        assert refused(await credential(net, bearer, bad)) == "invalid_proof"
    assert refused(await credential(net, bearer, await proof(net), await proof(net))) == "invalid_proof"
    assert (await credential(net, bearer, await proof(net))).status_code == 200


async def test_a_jwk_binds_to_its_did_key(net: OpenIdNode) -> None:
    by = wallet_signer(5, P256_PUB)
    key = did_key(by.verification_method, "authentication")
    bearer = await net.bearer(await net.offer(LDP_LEVEL))
    made = make_proof(by, net.base, await net.nonce(), net.clock.now_ms(), jwk=jwk_of(key))
    answer = await credential(net, bearer, made, credential_configuration_id=LDP_LEVEL)
    (one,) = answer.json()["credentials"]
    assert one["credential"]["credentialSubject"]["id"] == key.controller


async def test_an_offer_for_one_holder_serves_no_other(net: OpenIdNode) -> None:
    mine = wallet_signer(11)
    bearer = await net.bearer(await net.offer(holder=mine.verification_method.partition("#")[0]))
    assert refused(await credential(net, bearer, await proof(net, wallet_signer(12)))) == "invalid_proof"
    assert (await credential(net, bearer, await proof(net, mine))).status_code == 200


async def test_authorization_details_give_identifiers(net: OpenIdNode) -> None:
    """6.2: where the wallet names configurations, it asks by the identifiers it was given, and for nothing else."""
    made = await net.offer(JWT_LEVEL, LDP_LEVEL)
    details = [{"type": "openid_credential", "credential_configuration_id": LDP_LEVEL}]
    answer = await net.token(made, authorization_details=json.dumps(details))
    body = answer.json()
    (given,) = body["authorization_details"]
    (identifier,) = given["credential_identifiers"]
    assert given == {**details[0], "credential_identifiers": [identifier]}
    bearer = {"authorization": f"Bearer {body['access_token']}"}

    async def code(**change: Any) -> str:
        return refused(await credential(net, bearer, await proof(net), **change))

    assert await code() == "invalid_credential_request"
    assert await code(credential_identifier=identifier) == "invalid_credential_request"
    unknown = {"credential_configuration_id": None, "credential_identifier": "x"}
    assert await code(**unknown) == "unknown_credential_identifier"
    unknown["credential_identifier"] = identifier
    assert (await credential(net, bearer, await proof(net), **unknown)).status_code == 200
    assert await code(**unknown) == "credential_request_denied"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"configuration": "x"}, "openid_offer_invalid"),
        ({"configuration": "MembershipCredential.ldp_vc"}, "openid_offer_invalid"),
        ({"credential": {}}, "openid_offer_invalid"),
        ({"credential": level(id="did:key:z1")}, "openid_offer_invalid"),
        ({"credential": {**level(), "issuer": "did:key:z1"}}, "credential_member_reserved"),
        ({"credential": {**level(), "type": ["VerifiableCredential"]}}, "credential_member_reserved"),
        ({"credential": level(level="C9")}, "credential_schema_invalid"),
        ({"credential": level(extra=1)}, "credential_schema_invalid"),
        ({"surplus": 1}, "field_invalid"),
    ],
)
async def test_offers_that_could_not_be_kept_are_not_made(net: OpenIdNode, change: dict[str, Any], code: str) -> None:
    body = {"credentials": [{"configuration": JWT_LEVEL, "credential": level(), **change}]}
    answer = await net.operator.post("/api/v1/openid/offers", json=body)
    assert answer.json()["code"] == code


async def test_offers_are_the_operators_to_make(net: OpenIdNode) -> None:
    body = {"credentials": [{"configuration": JWT_LEVEL, "credential": level()}]}
    answer = await net.operator.post("/api/v1/openid/offers", json=body, headers={"authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["code"]) == (401, "token_wrong")
    twice = {"credentials": body["credentials"] * 2}
    assert (await net.operator.post("/api/v1/openid/offers", json=twice)).json()["code"] == "openid_offer_invalid"
