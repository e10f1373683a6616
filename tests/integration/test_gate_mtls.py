"""The gate behind the real listener: batches and single requests over mutual TLS, between two members (EQ-1, F67)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from gate_kit import ALPHA, BETA, CHAIN, WEALTH, GateNet, Issued
from lianzheng.adapters.transport.certificates import create_certificate, fingerprint
from lianzheng.adapters.transport.client import PeerAddress, PeerClient
from lianzheng.adapters.transport.server import PeerServer, server_context
from lianzheng.api.peer.app import PEER_SCOPE_KEY, create_peer_app
from lianzheng.api.services import NodeServices
from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.compute.gate.requester import GateClient, Opened, Use
from lianzheng.errors import LianzhengError

EPOCH = (ViewEpoch(view=WEALTH, epoch=1),)


@pytest.fixture
async def net(tmp_path: Path) -> AsyncIterator[GateNet]:
    made = await GateNet(tmp_path / "net").open()
    yield made
    await made.close()


@pytest.fixture
async def client(net: GateNet, tmp_path: Path) -> AsyncIterator[GateClient]:
    """ALPHA's client; BETA's gate is at the other end of a TLS connection."""
    ders = {}
    for party in (ALPHA, BETA):
        certificate, key = create_certificate(party.did, "127.0.0.1")
        (tmp_path / f"{party.did[-6:]}.crt").write_bytes(certificate.pem)
        (tmp_path / f"{party.did[-6:]}.key").write_bytes(key)
        ders[party.did] = certificate.der
    files = {did: (tmp_path / f"{did[-6:]}.crt", tmp_path / f"{did[-6:]}.key") for did in ders}
    app = create_peer_app(cast(NodeServices, SimpleNamespace(gate=net.gate)))  # the routes of the gate need no more
    known = {fingerprint(der): did for did, der in ders.items()}
    server = PeerServer(
        app, "127.0.0.1", 0, server_context(*files[BETA.did], [ders[ALPHA.did]]), known.get, PEER_SCOPE_KEY
    )
    await server.start()
    address = PeerAddress(f"https://127.0.0.1:{server.port}", ders[BETA.did])
    peers = PeerClient(*files[ALPHA.did], lambda _: address)
    yield GateClient(ALPHA.did, CHAIN, ALPHA.sign, peers, lambda: net.engine.state, net.clock)
    await peers.close()
    await server.stop()


async def granted(net: GateNet, count: int) -> list[Issued]:
    issued = [net.issue(net.people[at % len(net.people)]) for at in range(count)]
    assert await net.grant(*issued) == ["ok"] * count
    return issued


def use(one: Issued) -> Use:
    return Use(one.token.to_bytes(), one.r, EPOCH)


async def test_a_batch_opens_each_person_and_refuses_each_flaw_alone(net: GateNet, client: GateClient) -> None:
    issued = await granted(net, 20)
    stranger = net.issue()
    outcomes = await client.ask_many(net.task, [use(one) for one in [*issued[:7], stranger, *issued[7:]]])
    assert [one.code for one in outcomes if isinstance(one, LianzhengError)] == ["consent_unknown"]
    opened = [one for one in outcomes if isinstance(one, Opened)]
    key = net.keys.get(WEALTH, 1)
    assert key is not None
    expected = [net.people[at % len(net.people)].u * key.scalar for at in range(20)]
    assert [one.elements[EPOCH[0]] for one in opened] == expected
    assert (await net.counts()).receipts == 20


async def test_single_requests_side_by_side_open_the_same(net: GateNet, client: GateClient) -> None:
    issued = await granted(net, 12)
    asked = (client.ask(net.task, one.token.to_bytes(), one.r, EPOCH) for one in [*issued, net.issue()])
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    together = await client.ask_many(net.task, [use(one) for one in issued])
    for single, batched in zip(outcomes[:-1], together, strict=True):
        assert isinstance(single, Opened)
        assert isinstance(batched, Opened)
        assert single.elements == batched.elements
    assert isinstance(outcomes[-1], LianzhengError)
    assert outcomes[-1].code == "consent_unknown"
    counts = await net.counts()
    assert (counts.receipts, counts.uses) == (24, 12)  # asked twice, used once
