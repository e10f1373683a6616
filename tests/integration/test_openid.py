"""OpenID4VCI and OpenID4VP between our holder's code and a real listener of a node: both flows, whole."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from joserfc import jws
from joserfc.jwk import OKPKey

from lianzheng.encoding.binary import b64u_encode, multibase_decode
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB
from lianzheng.errors import RefusedError
from lianzheng.identity.credentials import CONTEXT
from lianzheng.identity.credentials.enveloped import envelop
from lianzheng.identity.credentials.verifiable import rfc3339
from lianzheng.identity.openid.formats import packed
from lianzheng.identity.openid.wallet import HeldVc
from openid_kit import (
    JWT_LEVEL,
    LDP_LEVEL,
    OpenIdNode,
    level,
    member_signer,
    openid_node,
    query,
    wallet_signer,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenIdNode]:
    async with openid_node(tmp_path_factory.mktemp("openid") / "home", others=1) as running:
        yield running


@pytest.mark.parametrize("codec", [ED25519_PUB, P256_PUB])
@pytest.mark.parametrize("by", ["uri", "uri_by_reference"])
@pytest.mark.parametrize("configuration", [JWT_LEVEL, LDP_LEVEL])
async def test_offered_received_asked_for_and_presented(
    net: OpenIdNode, configuration: str, by: str, codec: int
) -> None:
    holder = net.holder(wallet_signer(7, codec))
    made = await net.offer(configuration)
    offer = await holder.offer(made[by])
    assert offer == made["credential_offer"]
    (held,) = await holder.receive(offer, made["tx_code"])
    form = configuration.rpartition(".")[2]
    assert held.format == form
    assert isinstance(held.value, str if form == "jwt_vc_json" else dict)

    for options in ({}, {"signed": False}, {"encrypted": True}, {"signed": False, "encrypted": True}):
        asked = await net.ask(query(form), **options)
        request = await holder.request(asked["uri"])
        assert request.verifier == (net.did if options.get("signed", True) else None)
        assert request.purpose == "suitability-assessment"
        chosen = holder.choose(request, [held])
        assert chosen == {"level": [held]}
        assert (await net.result(asked))["state"] == "open"
        assert await holder.present(request, chosen) is None
        result = await net.result(asked)
        assert result["state"] == "presented", result
        (presented,) = result["presented"]
        assert (presented["holder"], presented["issuer"], presented["trust"]) == (holder.did, net.did, "own")
        assert presented["credential"]["credentialSubject"]["level"] == "C3"


async def test_two_credentials_of_one_offer_and_sets(net: OpenIdNode) -> None:
    holder = net.holder()
    made = await net.offer(JWT_LEVEL, LDP_LEVEL, tx_code=False)
    assert made["tx_code"] is None
    held = await holder.receive(await holder.offer(made["uri"]))
    dcql = {
        "credentials": [
            {**query("ldp_vc")["credentials"][0], "id": "data-integrity"},
            {**query("jwt_vc_json")["credentials"][0], "id": "jwt"},
        ],
        "credential_sets": [{"options": [["jwt"], ["data-integrity"]]}],
    }
    asked = await net.ask(dcql)
    request = await holder.request(asked["uri"])
    chosen = holder.choose(request, held)
    assert list(chosen) == ["jwt"]
    await holder.present(request, chosen)
    assert [one["query"] for one in (await net.result(asked))["presented"]] == ["jwt"]


async def test_the_person_returns_with_a_code_without_which_nothing_is_told(net: OpenIdNode) -> None:
    """OpenID4VP 14.2: who began the flow elsewhere does not have the code of the redirect."""
    holder = net.holder()
    made = await net.offer()
    held = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    asked = await net.ask(redirect_uri="https://broker.example/back?step=2")
    request = await holder.request(asked["uri"])
    onward = await holder.present(request, holder.choose(request, held))
    assert onward is not None
    place, _, code = onward.partition("#response_code=")
    assert place == "https://broker.example/back?step=2"
    assert (await net.result(asked))["code"] == "openid_response_code_wrong"
    assert (await net.result(asked, response_code="x"))["code"] == "openid_response_code_wrong"
    assert (await net.result(asked, response_code=code))["state"] == "presented"


async def test_declining_tells_the_verifier_nothing_else(net: OpenIdNode) -> None:
    holder = net.holder(wallet_signer(99))
    asked = await net.ask()
    request = await holder.request(asked["uri"])
    with pytest.raises(RefusedError) as caught:
        holder.choose(request, [])
    assert caught.value.code == "dcql_unsatisfied"
    await holder.decline(request)
    assert await net.result(asked) == {"state": "declined", "error": "access_denied", "presented": []}


async def test_values_that_do_not_match_are_not_chosen(net: OpenIdNode) -> None:
    holder = net.holder()
    made = await net.offer()
    held = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    by_level: Any = {"path": ["credentialSubject", "level"]}
    for values, fits in ((["C4", "C5"], False), (["C3"], True)):
        asked = await net.ask(query(claims=[{**by_level, "values": values}]))
        request = await holder.request(asked["uri"])
        if fits:
            assert holder.choose(request, held) == {"level": held}
        else:
            with pytest.raises(RefusedError):
                holder.choose(request, held)


async def test_a_wallet_with_a_did_on_the_ledger(net: OpenIdNode) -> None:
    """The binding `did:lz`: key and DID are looked up in the committed state, at issuing and at presenting."""
    holder = net.holder(net.member)
    assert holder.did == net.did
    made = await net.offer(LDP_LEVEL, holder=net.did)
    held = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    asked = await net.ask(query("ldp_vc"))
    request = await holder.request(asked["uri"])
    await holder.present(request, holder.choose(request, held))
    (presented,) = (await net.result(asked))["presented"]
    assert presented["holder"] == net.did


async def test_another_library_reads_what_is_issued_and_asked(net: OpenIdNode) -> None:
    """joserfc with the key out of the resolved DID document: it knows nothing of this project."""
    holder = net.holder()
    resolved = await net.node.get(f"/1.0/identifiers/{net.did}")
    (method,) = [one for one in resolved["didDocument"]["verificationMethod"] if one["id"].endswith("#node")]
    raw = multibase_decode(method["publicKeyMultibase"])
    assert raw[:2] == bytes.fromhex("ed01")  # multicodec ed25519-pub
    key = OKPKey.import_key({"kty": "OKP", "crv": "Ed25519", "x": b64u_encode(raw[2:])})
    made = await net.offer()
    (held,) = await holder.receive(await holder.offer(made["uri"]), made["tx_code"])
    opened = jws.deserialize_compact(held.value, key, algorithms=["EdDSA"])
    assert opened.headers() == {"alg": "EdDSA", "kid": f"{net.did}#node", "typ": "vc+jwt"}
    content = json.loads(opened.payload or b"")
    assert content["@context"][0] == "https://www.w3.org/ns/credentials/v2"
    assert (content["issuer"], content["credentialSubject"]["id"]) == (net.did, holder.did)
    assert not {"vc", "vp"} & set(content)
    link = parse_qs(urlsplit((await net.ask())["uri"]).query)
    token = (await net.http.get(link["request_uri"][0])).text
    asked = jws.deserialize_compact(token, key, algorithms=["EdDSA"])
    assert asked.headers()["typ"] == "oauth-authz-req+jwt"
    assert json.loads(asked.payload or b"")["client_id"] == link["client_id"][0]


async def test_another_members_credential(net: OpenIdNode) -> None:
    """What the wallet got elsewhere counts by the rule for members; what a stranger signed counts by none."""
    holder = net.holder()
    for by, code in ((member_signer(net.home.parent / "other-2"), None), (wallet_signer(50), "issuer_not_trusted")):
        issuer = by.verification_method.partition("#")[0]
        document = {
            "@context": [CONTEXT[0], dict(CONTEXT[1])],
            "id": "urn:uuid:58172aac-d8ba-11ed-83dd-0b3aef56cc33",
            "type": ["VerifiableCredential", "SuitabilityLevelCredential"],
            "issuer": issuer,
            "validFrom": rfc3339(net.clock.now_ms()),
            **level(id=holder.did),
        }
        held = HeldVc("jwt_vc_json", packed(envelop(document, by)))
        asked = await net.ask()
        request = await holder.request(asked["uri"])
        chosen = holder.choose(request, [held])
        if code is None:
            await holder.present(request, chosen)
            (presented,) = (await net.result(asked))["presented"]
            assert (presented["issuer"], presented["trust"]) == (issuer, "member")
            continue
        with pytest.raises(RefusedError):
            await holder.present(request, chosen)
        assert (await net.result(asked))["error"] == code
