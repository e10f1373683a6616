"""A member that is away while the rules change, and one that joins from snapshots of which most are false."""

from __future__ import annotations

from fault.comet.ground import PromiseError
from fault.comet.trial import Trial
from lianzheng.adapters.consensus.cometbft.home import SyncTrust
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.governance.motions.model import MotionVote, motion_id
from lianzheng.governance.schema import SchemaUpgrade

__all__ = ["SNAPSHOT_BLOCKS", "false_chunks", "upgrade"]

_AHEAD = 40
"""Blocks from the motion to the upgrade: time for three votes."""
_PAST = 5
SNAPSHOT_BLOCKS = 24
_NEWCOMERS_MAX = 5
_SLOWER_S = 3.0
"""Between two transactions of one member while another joins: only the newest two snapshots are offered."""


async def upgrade(trial: Trial) -> None:
    """One is dead while the others go over to schema 2; it follows them across and has the same state."""
    away = trial.pick()
    others = [node for node in trial.nodes if node is not away]
    away.kill()
    at = trial.ground.top + _AHEAD
    content = SchemaUpgrade(schema=2, height=at).to_json()
    opened = await trial.load.send(others[0], "schema.upgrade", content)
    name = motion_id(trial.ground.genesis.chain_id, "schema.upgrade", content)
    ballot = MotionVote(motion=name, opened_height=opened["height"], ballot="yes").to_json()
    for node in others[1:]:
        await trial.ground.until(
            lambda node=node: node.height >= opened["height"],  # type: ignore[misc]
            "a voter knows the motion",
            trial.scale.patience_s,
        )
        await trial.load.send(node, "member.vote", ballot)
    await trial.ground.until(
        lambda: all(node.height > at + _PAST for node in others), "the others are past it", 4 * trial.scale.patience_s
    )
    behind = away.height
    await trial.settle()
    schemas = {node.name: node.status.get("schema") for node in trial.nodes}
    if set(schemas.values()) != {2}:
        raise PromiseError(f"not everybody is under schema 2: {schemas}")
    trial.note(f"{away.name} away from {behind}, schema 2 from {at}, followed to {away.height}")


async def false_chunks(trial: Trial) -> None:
    """Three of four members serve altered chunks: a new one takes the true one, and begins with that state."""
    liars = trial.rng.sample(trial.nodes, 3)
    for node in liars:
        node.kill()
        trial.ground.reconfigure(node, false_chunks=True)
        node.start()
        await trial.ground.ready(node)
    await trial.ground.until(
        lambda: all(node.height > 2 * SNAPSHOT_BLOCKS for node in trial.nodes), "snapshots are there", 120
    )
    trial.load.pause_s = _SLOWER_S
    refused, joined = 0, 0
    while not refused:  # one in four takes the true chunk first
        joined += 1
        refused = await _join(trial, f"newcomer{joined}")
        if joined > _NEWCOMERS_MAX:
            raise PromiseError("no newcomer was served a false chunk")
    trial.load.pause_s = 0.0
    trial.note(
        f"{refused} chunks refused by the last of {joined} newcomers, then one taken; three of four members lied"
    )


async def _join(trial: Trial, name: str) -> int:
    """How many chunks a new node refused before it had its snapshot."""
    first, second = trial.nodes[:2]
    rpc = CometRpc(f"tcp://127.0.0.1:{first.ports.rpc}")
    try:
        head = (await rpc.call("commit", height="4"))["signed_header"]["commit"]["block_id"]["hash"]
    finally:
        await rpc.close()
    servers = tuple(f"127.0.0.1:{node.ports.rpc}" for node in (first, second))
    newcomer = trial.ground.add(name, name)
    await trial.ground.furnish(newcomer, SyncTrust(servers, 4, bytes.fromhex(head)))
    newcomer.start()
    await trial.ground.ready(newcomer)
    await trial.ground.until(
        lambda: newcomer.height > SNAPSHOT_BLOCKS, "the newcomer follows", 4 * trial.scale.patience_s
    )
    log = (trial.ground.folder / f"{name}.log").read_text("utf-8", "replace")
    if "snapshot_restored" not in log:
        raise PromiseError("the newcomer did not begin with a snapshot")
    return log.count("snapshot_chunk_refused")
