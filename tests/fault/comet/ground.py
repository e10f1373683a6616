"""Four members with four control groups as real processes: started, killed, watched, and written down."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from comet_kit import BINARY, Member, comet_genesis, seed
from fault.comet.spaces import Spaces
from fault.comet.wires import Wires
from fault.comet.worker import ask
from lianzheng.adapters.consensus.cometbft.home import (
    CometPorts,
    CometSettings,
    GenesisValidator,
    SyncTrust,
    node_id,
    write_home,
)
from lianzheng.clock import SystemClock
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject, decode_object, encode
from lianzheng.errors import UnavailableError
from lianzheng.governance.validators import validator_powers
from lianzheng.ledger.genesis import genesis_digest
from ports_kit import free_ports

__all__ = ["Ground", "Node", "PromiseError", "set_option"]

NAMES = ("alpha", "beta", "gamma", "epsilon")
_ROOT = Path(__file__).resolve().parents[3]
_POLL_S = 0.1
_ORDINARY: JsonObject = {"astray_from": 0, "skew_ms": 0, "false_chunks": False}


class PromiseError(AssertionError):
    """What must hold does not."""


@dataclass
class Node:
    """One member's two processes and where they listen. ``key_of`` differs from ``name`` in a clone."""

    name: str
    key_of: str
    home: Path
    port: int
    ports: CometPorts
    prefix: list[str]
    door: str = ""
    """Where its questions are taken, from here."""
    rpc: str = ""
    """Where its engine answers, from here."""
    process: subprocess.Popen[bytes] | None = None
    height: int = 0
    status: JsonObject = field(default_factory=dict)

    @property
    def member(self) -> Member:
        """Whose keys these are."""
        return Member(self.key_of)

    @property
    def lives(self) -> bool:
        """Whether the application's process runs."""
        return self.process is not None and self.process.poll() is None

    @property
    def stopped(self) -> str | None:
        """Why the application ended by itself, if it did."""
        path = self.home / "stopped"
        return path.read_text("ascii") if not self.lives and path.is_file() else None

    async def ask(self, **question: Any) -> JsonObject:
        """Raises ``UnavailableError``."""
        return await ask(self.door, question)

    def start(self, **environment: str) -> None:
        """The application, which starts its engine."""
        with (self.home.parent / f"{self.name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, sys.executable, "-m", "fault.comet.worker", str(self.home)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTHONPATH": os.pathsep.join((f"{_ROOT}/src", f"{_ROOT}/tests"))} | environment,
            )

    def kill(self) -> None:
        """The application, with -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def kill_engine(self) -> bool:
        """The engine, with -9; whether there was one."""
        found = self.engines()
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return bool(found)

    def engines(self) -> list[int]:
        """Processes of the engine's program that work in this member's folder."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                if (
                    entry.name.isdigit()
                    and Path(os.readlink(entry / "cwd")) == (self.home / "cometbft").resolve()
                    and Path(os.readlink(entry / "exe")) == BINARY.resolve()
                ):
                    found.append(int(entry.name))
        return found


class Ground:
    """The network under fault; ``folder`` keeps everything that the checker reads."""

    def __init__(
        self, folder: Path, seed_number: int, *, snapshot_blocks: int = 1000, namespaces: bool = False, **genesis: Any
    ) -> None:
        """``genesis`` changes fields of the genesis."""
        self.folder = folder
        self.rng = Random(seed_number)
        self.wires: Wires | Spaces = Spaces(NAMES) if namespaces else Wires(self.rng)
        self.clock = SystemClock()
        self.snapshot_blocks = snapshot_blocks
        members = tuple(Member(name) for name in NAMES)
        self.genesis = comet_genesis(members, time_ms=self.clock.now_ms(), **genesis)
        powers = validator_powers(Machine(self.genesis).committed_state)
        self.settings = CometSettings(
            chain_id=self.genesis.chain_id,
            genesis_time_ms=self.genesis.time_ms,
            genesis_digest=genesis_digest(self.genesis),
            validators=tuple(GenesisValidator(one.name, one.validator, powers[one.validator]) for one in members),
            profile="lan",
            heartbeat_ms=600_000,
        )
        self.nodes = {name: self._place(name, name) for name in NAMES}
        self._watch: asyncio.Task[None] | None = None
        self._log = Path(folder / "heights.log").open("ab", buffering=0)  # noqa: SIM115 - closed in stop

    def add(self, name: str, key_of: str) -> Node:
        """One more node, to be furnished and started: with a key that another has, it is a clone."""
        node = self.nodes[name] = self._place(name, key_of)
        return node

    def _place(self, name: str, key_of: str) -> Node:
        home = self.folder / name
        (home / "data").mkdir(parents=True)
        p2p, rpc, control = free_ports(3)
        ports = CometPorts(self.wires.host(name), p2p, rpc)
        return Node(name, key_of, home, control, ports, self.wires.prefix(name))

    async def start(self) -> None:
        """Everything, and the first height."""
        (self.folder / "genesis.json").write_bytes(self.genesis.to_bytes())
        self.wires.open()
        for node in self.nodes.values():
            await self.furnish(node)
        for node in self.nodes.values():
            node.start()
        self._watch = asyncio.create_task(self._observe())
        await self.ready(*self.nodes.values())

    async def furnish(self, node: Node, trust: SyncTrust | None = None) -> None:
        """Folders and wires of one node: all its connections go through ours. With ``trust`` it joins by state sync."""
        others = [one for one in self.nodes.values() if one is not node]
        node.door = await self.wires.door(node.name, node.port)
        node.rpc = await self.wires.door(node.name, node.ports.rpc)
        peers = {one.name: await self.wires.lay(node.name, one.name, one.ports.p2p) for one in others}
        calls = {one.member.did: await self.wires.lay(node.name, one.name, one.port) for one in others}
        hosts = sorted({"127.0.0.1", self.wires.host(node.name)})
        config = {
            "hosts": hosts,
            "key_of": node.key_of,
            "port": node.port,
            "peers": calls,
            "snapshot_blocks": self.snapshot_blocks,
        }
        (node.home / "worker.json").write_bytes(encode(_ORDINARY | config))
        write_home(
            node.home / "cometbft",
            self.settings,
            name=node.name,
            validator_seed=node.member.validator_seed,
            node_seed=seed(f"p2p {node.name}"),
            ports=node.ports,
            peers=[f"{_p2p(other)}@{address}" for other, address in peers.items()],
            trust=trust,
        )
        set_option(node, "pex", "true" if self.wires.way_around else "false")

    def reconfigure(self, node: Node, **options: Any) -> None:
        """Other options of a worker from its next start on."""
        path = node.home / "worker.json"
        path.write_bytes(encode(decode_object(path.read_bytes()) | options))

    def truncated(self, node: Node) -> None:
        """This one may show a lower height from now on."""
        node.height = 0
        self._log.write(encode({"node": node.name, "height": 0, "truncated": True}) + b"\n")

    async def stop(self) -> None:
        """Every process that was started here is gone."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        for node in self.nodes.values():
            node.kill()
        for node in self.nodes.values():
            while node.kill_engine():
                await asyncio.sleep(_POLL_S)
        await self.wires.close()
        self._log.close()

    @property
    def top(self) -> int:
        """The highest height that any node has shown."""
        return max(node.height for node in self.nodes.values())

    async def ready(self, *nodes: Node, patience_s: float = 120) -> None:
        """Until these answer with a running engine; a node that stops by itself meanwhile is trouble."""

        def up() -> bool:
            for node in nodes:
                if not node.lives:
                    raise PromiseError(f"{node.name} ended by itself: {node.stopped or 'no reason left'}")
            return all(node.status.get("engine") and node.status["stopped"] is None for node in nodes)

        for node in nodes:
            node.status = {}
        await self.until(up, "nodes are ready", patience_s)

    async def until(self, holds: Callable[[], object], what: str, patience_s: float) -> float:
        """Seconds until it held. Raises :class:`PromiseError` after ``patience_s``."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while not holds():
            if loop.time() - began > patience_s:
                heights = {node.name: node.height for node in self.nodes.values()}
                raise PromiseError(f"not within {patience_s} s: {what}; {heights}")
            await asyncio.sleep(_POLL_S)
        return loop.time() - began

    async def _observe(self) -> None:
        while True:
            await asyncio.gather(*(self._look(node) for node in list(self.nodes.values())))
            await asyncio.sleep(_POLL_S)

    async def _look(self, node: Node) -> None:
        if not node.lives:
            node.status = {}
            return
        try:
            async with asyncio.timeout(5):
                status = await node.ask(op="status")
        except (UnavailableError, TimeoutError):
            node.status = {}
            return
        node.status = status
        if status["engine"] and status["height"] != node.height:
            self._log.write(encode({"node": node.name, "height": status["height"]}) + b"\n")
            node.height = status["height"]


def set_option(node: Node, name: str, value: str) -> None:
    """One line of the engine's configuration, which has it already or gets it at the top."""
    path = node.home / "cometbft" / "config" / "config.toml"
    text = path.read_text()
    changed, count = re.subn(rf"(?m)^{name} = .*$", f"{name} = {value}", text)
    path.write_text(changed if count else f"{name} = {value}\n{text}")


def _p2p(name: str) -> str:
    return node_id(ed25519.public_key(seed(f"p2p {name}")))
