"""A network of three real node processes with mutual TLS, as the demo starts it."""

from __future__ import annotations

import io
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console

from lianzheng.clock import SystemClock
from lianzheng.demo.processes import NodeProcesses
from lianzheng.demo.screen import Screen
from lianzheng.demo.stage import Broker, Settings, Stage
from lianzheng.demo.steps.founders import found, prepare
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody


@dataclass(frozen=True)
class Network:
    """Stage, processes and plain HTTP clients without any token, by broker."""

    stage: Stage
    processes: NodeProcesses
    plain: dict[str, httpx.AsyncClient]

    @property
    def brokers(self) -> list[Broker]:
        """In the order of founders; the first one orders."""
        return self.stage.brokers

    def transaction(
        self, member: Broker, kind: str, payload: dict[str, object], nonce: int | None, **changes: object
    ) -> bytes:
        """A transaction of ``member`` signed with its real key."""
        keys = member.keystore()
        fields: dict[str, object] = {
            "chain_id": self.stage.network.chain_id,
            "kind": kind,
            "sender": member.did,
            "key_id": "#node",
            "nonce": nonce,
            "expires_at": self.stage.clock.now_ms() + 600_000,
            "payload": payload,
        }
        body = TransactionBody.model_validate(fields | changes)
        signed: Transaction = sign_transaction(body, lambda data: keys.sign("node", data))
        return signed.to_bytes()


@asynccontextmanager
async def network(folder: Path, people: int = 24) -> AsyncIterator[Network]:
    """Three nodes that have signed the agreement and published their credential keys; all gone afterwards."""
    clock = SystemClock()
    console = Console(file=io.StringIO())
    stage = Stage(Settings(people=people, seed=7, out=folder), Screen(console, clock), clock)
    prepare(stage)
    async with AsyncExitStack() as stack:
        processes = await stack.enter_async_context(NodeProcesses({one.short: one.home for one in stage.brokers}))
        stage.processes = processes
        plain = {}
        for broker in stage.brokers:
            await stack.enter_async_context(broker.api)
            client = httpx.AsyncClient(base_url=broker.node_url, timeout=30, trust_env=False)
            plain[broker.short] = await stack.enter_async_context(client)
        await found(stage, processes)
        yield Network(stage, processes, plain)


def processes_naming(folder: Path) -> list[int]:
    """Process ids whose command line names ``folder``, this process and shells that started it left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:  # gone meanwhile
            continue
        if state != "Z" and b"lianzheng" in b" ".join(words[:4]) and any(bytes(folder) in word for word in words):
            found.append(int(entry.name))
    return found
