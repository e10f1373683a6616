"""A node that serves outside wallets over real HTTP on loopback, and a wallet of a did:key beside it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.transport.server import HttpServer
from lianzheng.api.internal.app import create_internal_app
from lianzheng.api.openid.app import create_openid_app
from lianzheng.client.http import NodeClient
from lianzheng.client.openid import OpenIdHolder, resolved_keys
from lianzheng.clock import ManualClock
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.flows.openid import OpenIdDesk
from lianzheng.identity.credentials.keys import ProofSigner, did_key_signer
from lianzheng.identity.openid.issuer import PRE_AUTHORIZED
from lianzheng.node.build import Parts, build
from lianzheng.node.config import OpenIdConfig, load_config
from lianzheng.node.setup import NODE_KEY, create_genesis, create_home, load_card
from node_kit import CHAIN, make_network, profile
from ports_kit import free_ports

JWT_LEVEL = "SuitabilityLevelCredential.jwt_vc_json"
LDP_LEVEL = "SuitabilityLevelCredential.ldp_vc"
PURPOSE = "suitability-assessment"
V2 = "https://www.w3.org/2018/credentials#VerifiableCredential"
LEVEL_TYPES = [[V2, "urn:lianzheng:v1#SuitabilityLevelCredential"]]


def level(**change: Any) -> dict[str, Any]:
    """What an offer says, without the holder."""
    subject = {
        "level": "C3",
        "lowestClass": False,
        "productLine": "securities",
        "assessedOn": "2026-09-01",
        "expiresOn": "2027-08-31",
    } | change
    return {"validUntil": "2027-09-01T00:00:00Z", "credentialSubject": subject}


def wallet_signer(number: int = 1, codec: int = ED25519_PUB) -> ProofSigner:
    return did_key_signer(codec, number.to_bytes(32, "big"))


def query(form: str = "jwt_vc_json", **change: Any) -> dict[str, Any]:
    """A DCQL query for a suitability level."""
    one = {
        "id": "level",
        "format": form,
        "meta": {"type_values": LEVEL_TYPES},
        "claims": [{"path": ["credentialSubject", "level"]}],
    } | change
    return {"credentials": [{name: value for name, value in one.items() if value is not None}]}


@dataclass(frozen=True)
class OpenIdNode:
    """A node with both its listeners on loopback, and what a wallet needs of them."""

    parts: Parts
    clock: ManualClock
    base: str
    http: httpx.AsyncClient
    node: NodeClient
    operator: httpx.AsyncClient
    home: Path
    member: ProofSigner
    """The member's own key: a did:lz that stands on the ledger."""

    @property
    def desk(self) -> OpenIdDesk:
        desk = self.parts.services.openid
        assert desk is not None
        return desk

    @property
    def did(self) -> str:
        return self.parts.services.did

    def holder(self, signer: ProofSigner | None = None) -> OpenIdHolder:
        return OpenIdHolder(self.http, signer or wallet_signer(), resolved_keys(self.node), self.clock)

    async def offer(self, *configurations: str, **options: Any) -> dict[str, Any]:
        """An offer as the operator makes it."""
        names = configurations or (JWT_LEVEL,)
        body = {
            "credentials": [{"configuration": name, "credential": level(), "status": False} for name in names],
            **options,
        }
        answer = await self.operator.post("/api/v1/openid/offers", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def ask(self, dcql: dict[str, Any] | None = None, **options: Any) -> dict[str, Any]:
        """A presentation request as the operator makes it."""
        body = {"dcql_query": dcql or query(), "purpose": PURPOSE, **options}
        answer = await self.operator.post("/api/v1/openid/presentations", json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def result(self, request: dict[str, Any], **parameters: str) -> dict[str, Any]:
        answer = await self.operator.get(f"/api/v1/openid/presentations/{request['id']}", params=parameters)
        found: dict[str, Any] = answer.json()
        return found

    async def token(self, offer: dict[str, Any], **change: Any) -> httpx.Response:
        """A token request for ``offer``; ``None`` takes a parameter away."""
        grant = offer["credential_offer"]["grants"][PRE_AUTHORIZED]
        form = {
            "grant_type": PRE_AUTHORIZED,
            "pre-authorized_code": grant["pre-authorized_code"],
            "tx_code": offer["tx_code"],
        } | change
        return await self.http.post(
            f"{self.base}/token", data={name: value for name, value in form.items() if value is not None}
        )

    async def bearer(self, offer: dict[str, Any], **change: Any) -> dict[str, str]:
        answer = await self.token(offer, **change)
        assert answer.status_code == 200, answer.text
        return {"authorization": f"Bearer {answer.json()['access_token']}"}

    async def nonce(self) -> str:
        return str((await self.http.post(f"{self.base}/nonce")).json()["c_nonce"])


def member_signer(home: Path) -> ProofSigner:
    """The key of the member whose home this is, under its did:lz."""
    config = load_config(home / "node.toml")
    keystore = SealedFileKeyStore.open(config.keystore.path, load_passphrase(config.keystore.passphrase_file))
    return ProofSigner(f"{config.did}#{NODE_KEY}", ED25519_PUB, partial(keystore.sign, NODE_KEY))


def found_network(folder: Path, clock: ManualClock, others: int) -> None:
    """Another genesis for the home in ``folder``: with more founders, each of a control group of its own."""
    homes = [folder.parent / f"other-{number}" for number in range(2, 2 + others)]
    cards = [load_card(folder / "member.json")]
    for number, home in enumerate(homes, 2):
        cards.append(create_home(home, profile(number, f"group-{number}"), CHAIN, "127.0.0.1", 0, 0))
    genesis = create_genesis(CHAIN, tuple(cards), b"agreement", {"test_network": 1, "token_version_min": 1}, clock)
    for home in (folder, *homes):
        (home / "genesis.json").write_bytes(genesis.to_bytes())


@asynccontextmanager
async def openid_node(folder: Path, path: str = "/openid", *, others: int = 0) -> AsyncIterator[OpenIdNode]:
    """``others``: further founders of the network, whose homes stand beside ``folder`` and do not run."""
    clock = ManualClock()
    (port,) = free_ports(1)
    base = f"http://127.0.0.1:{port}{path}"
    openid = OpenIdConfig(enabled=True, base_url=base, port=port, requests_per_minute=100_000)
    config = make_network(folder, clock).model_copy(update={"openid": openid})
    if others:
        found_network(folder, clock, others)
    parts = build(config, clock)
    member = member_signer(folder)
    await parts.database.open()
    await parts.engine.start()
    inside = HttpServer(create_internal_app(parts.services), "127.0.0.1", 0)
    assert parts.services.openid is not None
    outside = HttpServer(create_openid_app(parts.services.openid), "127.0.0.1", port)
    for server in (inside, outside):
        await server.start()
    at = f"http://127.0.0.1:{inside.port}"
    headers = {"authorization": f"Bearer {parts.services.api_token}"}
    async with (
        httpx.AsyncClient(trust_env=False) as http,
        NodeClient(at) as node,
        httpx.AsyncClient(base_url=at, headers=headers, trust_env=False) as operator,
    ):
        yield OpenIdNode(parts, clock, base, http, node, operator, folder, member)
    for server in (inside, outside):
        await server.stop()
    await parts.peers.close()
    await parts.engine.stop()
    await parts.database.close()
