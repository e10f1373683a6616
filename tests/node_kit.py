"""One real node in this process: home, key store, database and ledger in a folder, reached through ASGI or services."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lianzheng.api.internal.app import create_internal_app
from lianzheng.api.peer.app import PEER_SCOPE_KEY, create_peer_app
from lianzheng.api.services import NodeServices
from lianzheng.clock import ManualClock, SystemClock
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.ledger.genesis import GenesisMember
from lianzheng.node.build import Parts, build
from lianzheng.node.config import NodeConfig, load_config
from lianzheng.node.run import Node
from lianzheng.node.setup import MemberProfile, create_genesis, create_home

CHAIN = "test-node"
PEER = "did:lz:test-node:zPeer"


def profile(number: int = 1, group: str = "group-a") -> MemberProfile:
    """A member's entry in the register."""
    return MemberProfile("样本证券", "broker", make_sample_uscc(number), "样本路1号", group)


def make_home(folder: Path, number: int = 1) -> GenesisMember:
    """A home as ``lianzheng init member`` makes it."""
    return create_home(folder, profile(number), CHAIN, "127.0.0.1", 0, 0)


def make_network(folder: Path, clock: ManualClock) -> NodeConfig:
    """A home with the genesis of a network of its own; its configuration."""
    card = make_home(folder)
    parameters = {"test_network": 1, "token_version_min": 1}
    genesis = create_genesis(CHAIN, (card,), b"agreement", parameters, clock)
    (folder / "genesis.json").write_bytes(genesis.to_bytes())
    return load_config(folder / "node.toml")


def make_two_homes(folder: Path, chain_id: str, ports: Sequence[int]) -> tuple[GenesisMember, ...]:
    """Homes ``alpha``, who orders, and ``beta`` in ``folder``, without a genesis; what each brings to it."""
    return tuple(
        create_home(
            folder / name,
            MemberProfile(name, "broker", make_sample_uscc(number), "样本路1号", name),
            chain_id,
            "127.0.0.1",
            ports[2 * number],
            ports[2 * number + 1],
        )
        for number, name in enumerate(("alpha", "beta"))
    )


@asynccontextmanager
async def running_node(folder: Path) -> AsyncIterator[Node]:
    """The node of a home, as ``lianzheng node run`` has it, by the machine's clock."""
    node = Node(load_config(folder / "node.toml"), SystemClock())
    try:
        await node.start()
        yield node
    finally:
        await node.stop()


@dataclass(frozen=True)
class LocalNode:
    """The node's parts and clients of its two applications."""

    parts: Parts
    clock: ManualClock
    internal: httpx.AsyncClient
    peer: httpx.AsyncClient

    @property
    def services(self) -> NodeServices:
        return self.parts.services

    @property
    def operator(self) -> dict[str, str]:
        """Headers of the operator."""
        return {"authorization": f"Bearer {self.services.api_token}"}


@asynccontextmanager
async def local_node(folder: Path) -> AsyncIterator[LocalNode]:
    """A running node without sockets."""
    clock = ManualClock()
    parts = build(make_network(folder, clock), clock)
    await parts.database.open()
    await parts.engine.start()
    internal, peer = create_internal_app(parts.services), create_peer_app(parts.services)

    async def as_peer(scope: Any, receive: Any, send: Any) -> None:
        await peer({**scope, "state": {PEER_SCOPE_KEY: PEER}}, receive, send)

    async with client_of(internal) as inside, client_of(as_peer) as outside:
        yield LocalNode(parts, clock, inside, outside)
    await parts.peers.close()
    await parts.engine.stop()
    await parts.database.close()


def client_of(app: Any) -> httpx.AsyncClient:
    """Requests to an application without sockets; what it raises reaches the test."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://node")
