"""Four whole nodes of ``network init`` under ``kill -9``: every acknowledged record has a bundle that holds, offline.

The rest of the matrix kills ledgers; here nodes die with their databases, senders and evidence, as in production.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import traceback
from pathlib import Path
from random import Random

import httpx

from comet_kit import BINARY
from fault.comet.ground import PromiseError
from fault.comet.proof import check
from fault.comet.trial import Outcome, Scale
from lianzheng.clock import SystemClock
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject, encode, parse
from lianzheng.node.config import load_config
from lianzheng.node.network import MemberStatus, NetworkPlan, create_network, network_status
from lianzheng.verify import EXIT_OK, verify_bundle
from ports_kit import free_ports

__all__ = ["play_whole"]

CHAIN = "fault-network"
_MEMBERS = (1, 2, 3, 4)
_PAUSE_S = 0.5
_POLL_S = 0.3
_BEFORE = 3
"""Records of each member whose bundles are taken before the first kill."""


class _Nodes:
    """The processes, and what they have acknowledged."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.running: dict[int, subprocess.Popen[bytes]] = {}
        self.cases: list[tuple[int, str]] = []
        self.bundles: dict[str, bytes] = {}
        self.sent = 0

    def home(self, number: int) -> Path:
        return self.folder / f"member{number}"

    def start(self, number: int) -> None:
        command = [sys.executable, "-m", "lianzheng", "node", "run", "--config", str(self.home(number) / "node.toml")]
        with (self.folder / f"member{number}.log").open("ab") as log:
            self.running[number] = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)

    def kill(self, number: int) -> None:
        process = self.running.pop(number)
        if process.poll() is not None:
            raise PromiseError(f"node {number} had ended by itself")
        process.kill()
        process.wait()

    def kill_engine(self, number: int) -> None:
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit() and _is_engine(entry, self.home(number) / "cometbft"):
                os.kill(int(entry.name), 9)

    async def call(self, number: int, method: str, path: str, body: JsonObject | None = None) -> httpx.Response:
        config = load_config(self.home(number) / "node.toml")
        headers = {"authorization": f"Bearer {config.internal.token_file.read_text('ascii').strip()}"}
        base = f"http://127.0.0.1:{config.internal.port}"
        async with httpx.AsyncClient(base_url=base, timeout=40, trust_env=False) as client:
            return await client.request(method, path, headers=headers, json=body)

    async def record(self, number: int) -> None:
        """One act after another; those that were acknowledged are remembered."""
        while True:
            self.sent += 1
            case = f"fault-{number}-{self.sent}"
            try:
                answer = await self.call(number, "POST", "/api/v1/evidence/records", _act(case))
            except httpx.TransportError:
                answer = None
            if answer is not None and answer.status_code == 200:
                self.cases.append((number, case))
            await asyncio.sleep(_PAUSE_S)

    async def bundle(self, number: int, case: str, patience_s: float) -> bytes:
        """Once the record is anchored."""
        try:
            async with asyncio.timeout(patience_s):
                while True:
                    answer = await self.call(number, "GET", f"/api/v1/cases/{case}/bundle")
                    if answer.status_code == 200:
                        return answer.content
                    await asyncio.sleep(_POLL_S)
        except TimeoutError:
            raise PromiseError(f"node {number}: no bundle of {case}: {answer.text[:200]}") from None

    async def level(self, patience_s: float) -> tuple[MemberStatus, ...]:
        """All four run, hear each other and stand at one height."""
        members: tuple[MemberStatus, ...] = ()
        try:
            async with asyncio.timeout(patience_s):
                while not members or not all(one.lag == 0 and one.peers == 3 for one in members):
                    await asyncio.sleep(_POLL_S)
                    members = (await network_status(self.folder, SystemClock()))[1]
        except TimeoutError:
            raise PromiseError(f"not level within {patience_s} s: {members}") from None
        return members


async def play_whole(folder: Path, seed: int, scale: Scale) -> Outcome:
    """Kills at random, then every bundle of before and every record of meanwhile."""
    network, outcome = folder / "network", Outcome([], [])
    create_network(network, NetworkPlan(len(_MEMBERS), CHAIN, base_port=free_ports(50)[0]), SystemClock())
    nodes = _Nodes(network)
    try:
        await _play(nodes, Random(seed), scale, outcome)
    except PromiseError as error:
        outcome.failures.append(str(error))
    except Exception:  # the seed must be printed whatever went wrong
        outcome.failures.append(traceback.format_exc())
    finally:
        for number, process in nodes.running.items():
            process.kill()
            process.wait()
            nodes.kill_engine(number)
    return outcome


async def _play(nodes: _Nodes, rng: Random, scale: Scale, outcome: Outcome) -> None:
    for number in _MEMBERS:
        nodes.start(number)
    await nodes.level(4 * scale.patience_s)
    flows = [asyncio.create_task(nodes.record(number)) for number in _MEMBERS]
    try:
        while len(nodes.cases) < _BEFORE * len(_MEMBERS):
            await asyncio.sleep(_POLL_S)
        for number, case in list(nodes.cases):
            nodes.bundles[case] = await nodes.bundle(number, case, 4 * scale.patience_s)
        before = len(nodes.bundles)
        trust = (await nodes.call(1, "GET", "/api/v1/network/trust")).content
        height = max(one.height for one in await nodes.level(4 * scale.patience_s))
        await _kills(nodes, rng, scale, outcome)
    finally:
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)
    members = await nodes.level(4 * scale.patience_s)
    for number, case in nodes.cases:
        if case not in nodes.bundles:
            nodes.bundles[case] = await nodes.bundle(number, case, 4 * scale.patience_s)
    for roots in (trust, (await nodes.call(3, "GET", "/api/v1/network/trust")).content):
        for case, bundle in nodes.bundles.items():
            if verify_bundle(bundle, roots).exit_code != EXIT_OK:
                raise PromiseError(f"the bundle of {case} does not hold any more")
    outcome.notes.append(
        f"{len(nodes.bundles)} bundles hold, {before} of them from before; height {height} to {members[0].height}"
    )
    outcome.report = await check(_claims(nodes))


async def _kills(nodes: _Nodes, rng: Random, scale: Scale, outcome: Outcome) -> None:
    loop, done = asyncio.get_running_loop(), 0
    while done < scale.kills:
        await asyncio.sleep(rng.uniform(0.1, 2.0))
        number, what = rng.choice(_MEMBERS), rng.choice(("node", "engine", "both"))
        if what != "node":
            nodes.kill_engine(number)
        if what != "engine":
            nodes.kill(number)
            await asyncio.sleep(rng.uniform(0.0, 1.0))
            nodes.start(number)
        done += 1
        began, acknowledged = loop.time(), len(nodes.cases)
        await nodes.level(4 * scale.patience_s)
        while not any(one == number for one, _ in nodes.cases[acknowledged:]):
            if loop.time() - began > 4 * scale.patience_s:
                raise PromiseError(f"node {number} acknowledges nothing after its {what} was killed")
            await asyncio.sleep(_POLL_S)
        outcome.healing_s.append(loop.time() - began)
    outcome.notes.append(f"{done} kills")


def _act(case: str) -> JsonObject:
    context = {
        "system": "fault",
        "software_version": "1",
        "channel": "branch",
        "local_time_ms": SystemClock().now_ms(),
    }
    document = {"name": "act.txt", "media_type": "text/plain", "data": b64u_encode(case.encode())}
    return {
        "case_id": case,
        "scene": "business-handling",
        "operator_role": "clerk",
        "context": context,
        "documents": [document],
    }


def _claims(nodes: _Nodes) -> Path:
    """For the checker of chains; receipts and proofs are the bundles' business here."""
    folder = nodes.folder
    engine = parse((nodes.home(1) / "cometbft" / "config" / "genesis.json").read_bytes())
    validators = {one["pub_key"]["value"]: int(one["power"]) for one in engine["validators"]}
    members = []
    for number in _MEMBERS:
        config = load_config(nodes.home(number) / "node.toml")
        text = (config.ledger.home / "config" / "config.toml").read_text("utf-8")
        members.append(
            {
                "name": f"member{number}",
                "database": str(config.data_dir / "ledger.db"),
                "height_file": str(config.data_dir / "ledger.height"),
                "rpc": text.partition("[rpc]")[2].partition('"tcp://')[2].partition('"')[0],
                "kept": str(folder / f"member{number}.engine.json"),
                "share": number - 1,
                "shares": len(_MEMBERS),
                "validators": validators,
                "until": None,
            }
        )
    for name in ("receipts", "heights"):
        (folder / name).touch()
    path = folder / "claims.json"
    path.write_bytes(
        encode(
            {
                "genesis": str(nodes.home(1) / "genesis.json"),
                "nodes": members,
                "receipts": str(folder / "receipts"),
                "proofs": str(folder / "proofs"),
                "heights": str(folder / "heights"),
            }
        )
    )
    return path


def _is_engine(process: Path, home: Path) -> bool:
    try:
        where, what = os.readlink(process / "cwd"), os.readlink(process / "exe")
    except OSError:
        return False
    return (Path(where), Path(what)) == (home.resolve(), BINARY.resolve())
