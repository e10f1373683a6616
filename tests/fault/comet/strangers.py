"""Members that do not do as they should: another state machine, a key used twice, a skewed clock, a flood."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

from comet_kit import Member
from fault.comet.ground import Node, PromiseError, set_option
from fault.comet.signer import Signer
from fault.comet.trial import Trial
from ledger_kit import update_payload
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.errors import UnavailableError

__all__ = ["astray", "cloned_key", "flood", "skewed_clock"]

_AHEAD = 12
"""Blocks until the state machine goes astray: the node is up again by then."""
_TURNS = 8
_SKEW_MS = 3_600_000
_HONEST_MS = 60_000
_FLOOD = 10
_MIB = 1024


async def astray(trial: Trial) -> None:
    """From a height on one state machine computes something else: that node stops and says why; the others go on."""
    node = trial.pick()
    node.kill()
    await trial.ground.until(lambda: not node.engines(), f"{node.name}'s engine ends", trial.scale.patience_s)
    at = trial.ground.top + _AHEAD
    trial.ground.reconfigure(node, astray_from=at)
    node.start()
    await trial.ground.until(lambda: node.stopped, f"{node.name} stops by itself", 4 * trial.scale.patience_s)
    trial.lost[node.name] = at - 1
    if node.stopped != "state_diverged":
        raise PromiseError(f"{node.name} stopped with {node.stopped}, not with state_diverged")
    trial.note(f"{node.name} from height {at}, stopped with {node.stopped}")


async def cloned_key(trial: Trial) -> None:
    """Two processes with one validator key, first heard by everybody, then each by another part: they vote against
    each other, for a block and for none. No two blocks stand at one height.
    """
    model = trial.pick()
    clone = trial.ground.add("clone", model.name)
    await trial.ground.furnish(clone)
    clone.start()
    await trial.ground.ready(clone, patience_s=trial.scale.patience_s)
    goal = trial.ground.top + _AHEAD
    await trial.ground.until(
        lambda: all(node.height >= goal for node in trial.nodes), "all go on beside a clone", 4 * trial.scale.patience_s
    )
    first, second, third = (node for node in trial.nodes if node not in (model, clone))
    for _ in range(_TURNS):
        trial.ground.wires.part([model.name, first.name], [clone.name, second.name])
        await trial.pause(0.5, 1.5)
        trial.ground.wires.heal()
        trial.ground.wires.part([model.name, third.name], [clone.name, first.name])
        await trial.pause(0.5, 1.5)
        trial.ground.wires.heal()
    trial.note(f"{model.name}'s, {await _equivocations(model, trial.ground.top)} double votes on the chain")


async def _equivocations(node: Node, top: int) -> int:
    rpc = CometRpc(f"tcp://127.0.0.1:{node.ports.rpc}")
    try:
        blocks = [await rpc.call("block", height=str(height)) for height in range(1, top)]
    finally:
        await rpc.close()
    return sum(len(one["block"]["evidence"]["evidence"]) for one in blocks)


async def skewed_clock(trial: Trial) -> None:
    """One validator signs its votes an hour ahead (through the remote signer) and its application reads that clock."""
    node = trial.pick()
    node.kill()
    await trial.ground.until(lambda: not node.engines(), f"{node.name}'s engine ends", trial.scale.patience_s)
    set_option(node, "priv_validator_laddr", '"unix://signer.sock"')
    trial.ground.reconfigure(node, skew_ms=_SKEW_MS)
    signer = Signer(node.home / "cometbft", node.member, _SKEW_MS)
    trial.helpers.append(signer)
    signer.start()
    node.start()
    await trial.settle()
    goal = trial.ground.top + _AHEAD
    await trial.ground.until(
        lambda: all(one.height >= goal for one in trial.nodes), "all go on", 4 * trial.scale.patience_s
    )
    ahead = max(one.status["time_ms"] for one in trial.nodes) - trial.ground.clock.now_ms()
    if not signer.signed or ahead > _HONEST_MS:
        raise PromiseError(f"{signer.signed} votes were skewed, block time is {ahead} ms ahead")
    trial.note(f"{node.name}'s, {signer.signed} votes an hour ahead, block time {ahead} ms ahead of ours")


async def flood(trial: Trial) -> None:
    """Ten times the load of what no block accepts, half of it good for the door: the rest still comes through."""
    targets = [CometRpc(f"tcp://127.0.0.1:{node.ports.rpc}") for node in trial.nodes]
    loop = asyncio.get_running_loop()
    before, began = trial.load.total, loop.time()
    await trial.pause(trial.scale.hold_s, trial.scale.hold_s)
    rate = (trial.load.total - before) / (loop.time() - began)
    memory = {node.name: _resident_kib(node) for node in trial.nodes}
    sent = taken = 0
    before, began = trial.load.total, loop.time()
    end = began + 2 * trial.scale.hold_s
    try:
        while loop.time() < end:
            batch = [_nonsense(trial) for _ in range(max(int(_FLOOD * rate / 5), 5))]
            answers = await asyncio.gather(*(_offer(trial.rng.choice(targets), one) for one in batch))
            sent, taken = sent + len(batch), taken + sum(answers)
            await asyncio.sleep(max(0.0, began + sent / max(_FLOOD * rate, 25) - loop.time()))
    finally:
        for rpc in targets:
            await rpc.close()
    meanwhile = (trial.load.total - before) / (loop.time() - began)
    if trial.load.total == before:
        raise PromiseError("no good transaction came through the flood")
    grown = max(_resident_kib(node) - memory[node.name] for node in trial.nodes) // _MIB
    if grown > 256:
        raise PromiseError(f"a member's processes grew by {grown} MiB under the flood")
    trial.note(
        f"{sent} sent, {taken} taken at the door; {rate:.1f} good ones a second before, {meanwhile:.1f} "
        f"meanwhile; {grown} MiB more"
    )


def _nonsense(trial: Trial) -> bytes:
    """Bytes of every shape: noise, another chain's, altered, too late, and one nonce used again and again."""
    rng, now_ms = trial.rng, trial.ground.clock.now_ms()
    member = rng.choice(trial.nodes).member
    kind = rng.randrange(10)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 2000))
    good = member.transaction("member.update", update_payload(rng.randrange(60_000), "flood"), 1, now_ms + 1000)
    if kind == 1:
        return good.to_bytes()[: rng.randrange(1, 200)]
    if kind == 2:
        wire = bytearray(good.to_bytes())
        wire[rng.randrange(len(wire))] ^= 1 << rng.randrange(8)
        return bytes(wire)
    if kind == 3:
        return Member("nobody").transaction("member.update", update_payload(1), 1, now_ms).to_bytes()
    if kind == 4:
        return member.transaction("member.update", update_payload(1), 1, now_ms - 7_200_000).to_bytes()
    nonce = trial.load.nonce(member.name) + rng.randrange(1, 32, 2)  # the load's own are even; each stands at most once
    return member.transaction("member.update", update_payload(rng.randrange(60_000), "flood"), nonce, now_ms).to_bytes()


async def _offer(rpc: CometRpc, wire: bytes) -> bool:
    """Whether the engine's door let it in."""
    try:
        answer = await rpc.call("broadcast_tx_sync", tx=base64.b64encode(wire).decode("ascii"))
    except UnavailableError:
        return False
    return not answer.get("code")


def _resident_kib(node: Node) -> int:
    total = 0
    for pid in [*node.engines(), *([node.process.pid] if node.process is not None else [])]:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))
    return total
