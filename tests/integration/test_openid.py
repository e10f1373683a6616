"""OpenID4VCI and OpenID4VP between our holder's code and a real listener of a node: both flows, whole."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB
from lianzheng.errors import RefusedError
from openid_kit import JWT_LEVEL, LDP_LEVEL, OpenIdNode, openid_node, query, wallet_signer

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def net(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[OpenIdNode]:
    async with openid_node(tmp_path_factory.mktemp("openid") / "home") as running:
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
    level: Any = {"path": ["credentialSubject", "level"]}
    for values, fits in ((["C4", "C5"], False), (["C3"], True)):
        asked = await net.ask(query(claims=[{**level, "values": values}]))
        request = await holder.request(asked["uri"])
        if fits:
            assert holder.choose(request, held) == {"level": held}
        else:
            with pytest.raises(RefusedError):
                holder.choose(request, held)
