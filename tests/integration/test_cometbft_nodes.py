"""Four whole nodes from `network init` and `node run`: agreement, a killed node, status, a bundle checked offline."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx

from comet_kit import needs_engine
from lianzheng.clock import SystemClock
from lianzheng.encoding.canonical import parse
from lianzheng.errors import ConfigError
from lianzheng.flows.acts import network_case
from lianzheng.node.config import load_config
from lianzheng.node.network import MemberStatus, NetworkPlan, create_network, network_status
from lianzheng.verify import EXIT_OK, verify_bundle
from ports_kit import free_ports

pytestmark = needs_engine
CHAIN = "four-nodes"
PATIENCE_S = 150


class Nodes:
    """Processes by member number, killed at the end whatever happens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[int, subprocess.Popen[bytes]] = {}

    def home(self, number: int) -> Path:
        return self.folder / f"member{number}"

    def start(self, number: int) -> None:
        command = [sys.executable, "-m", "lianzheng", "node", "run", "--config", str(self.home(number) / "node.toml")]
        log = (self.folder / f"member{number}.log").open("ab")
        self.running[number] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def end(self, number: int, how: signal.Signals) -> int:
        process = self.running.pop(number)
        process.send_signal(how)
        return process.wait(30)

    def engine_pid(self, number: int) -> int:
        """Of the engine that the node started last."""
        lines = (self.folder / f"member{number}.log").read_bytes().splitlines()
        pids = [parse(line)["pid"] for line in lines if b'"engine_started"' in line]
        return int(pids[-1])

    async def call(self, number: int, method: str, path: str) -> httpx.Response:
        config = load_config(self.home(number) / "node.toml")
        token = config.internal.token_file.read_text().strip()
        base = f"http://127.0.0.1:{config.internal.port}"
        async with httpx.AsyncClient(base_url=base, timeout=40, trust_env=False) as client:
            return await client.request(method, path, headers={"authorization": f"Bearer {token}"}, json=None)

    async def until(self, wanted: Any) -> tuple[MemberStatus, ...]:
        """The status once it is as wanted."""
        members: tuple[MemberStatus, ...] = ()
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not members or not wanted(members):
                    await asyncio.sleep(0.3)
                    members = (await network_status(self.folder, SystemClock()))[1]
        except TimeoutError:
            raise AssertionError(members) from None
        return members

    async def sign(self, number: int) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    answer = await self.call(number, "POST", "/api/v1/agreement/signature")
                    return dict(answer.json())
                except httpx.TransportError:  # the node is still starting
                    await asyncio.sleep(0.3)


def make(folder: Path) -> Nodes:
    create_network(folder, NetworkPlan(4, CHAIN, base_port=free_ports(40)[0]), SystemClock())
    return Nodes(folder)


def _gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


async def test_four_nodes_agree_one_is_killed_and_comes_back(tmp_path: Path) -> None:
    nodes = make(tmp_path / "net")
    for number in (1, 2, 3, 4):
        home = nodes.home(number)
        assert [path.name for path in home.glob("*.toml")] == ["node.toml"]
        assert (home / "cometbft" / "config" / "priv_validator_key.json").stat().st_mode & 0o777 == 0o600
    try:
        before = (await network_status(nodes.folder, SystemClock()))[1]
        assert all("does not run" in (one.why_idle or "") for one in before)
        for number in (1, 2, 3, 4):
            nodes.start(number)
        await nodes.until(lambda members: all(one.peers == 3 and one.validator for one in members))
        for number in (1, 2):
            assert (await nodes.sign(number))["result"]["code"] == "ok"

        engine = nodes.engine_pid(3)
        nodes.end(3, signal.SIGKILL)
        async with asyncio.timeout(150):
            while not _gone(engine):  # the engine does not outlive its application
                await asyncio.sleep(0.1)
        assert (await nodes.sign(4))["result"]["code"] == "ok"  # three of four go on
        down = await nodes.until(lambda members: members[2].lag > 0)
        assert "does not run" in (down[2].why_idle or "")

        os.kill(nodes.engine_pid(1), signal.SIGSTOP)  # now two of four: no quorum
        lame = await nodes.until(lambda members: "no quorum" in (members[1].why_idle or ""))
        assert "5040 of 10080" in (lame[1].why_idle or "")
        os.kill(nodes.engine_pid(1), signal.SIGCONT)

        nodes.start(3)
        assert (await nodes.sign(3))["result"]["code"] == "ok"
        await nodes.until(lambda members: all(one.lag == 0 and one.peers == 3 for one in members))
        trust = (await nodes.call(2, "GET", "/api/v1/network/trust")).content
        bundle = await _bundle(nodes, 3)
        assert verify_bundle(bundle, trust).exit_code == EXIT_OK
        assert nodes.end(4, signal.SIGTERM) == 0
    finally:
        for number in list(nodes.running):
            nodes.end(number, signal.SIGKILL)


async def _bundle(nodes: Nodes, number: int) -> bytes:
    """The bundle of the member's own acts, once they are anchored."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            answer = await nodes.call(number, "GET", f"/api/v1/cases/{network_case(CHAIN)}/bundle")
            if answer.status_code == 200:
                return answer.content
            await asyncio.sleep(0.3)


def test_a_network_is_not_written_over_another(tmp_path: Path) -> None:
    make(tmp_path)
    try:
        make(tmp_path)
    except ConfigError as error:
        assert error.code == "home_exists"
    else:
        raise AssertionError("it was written over")
