"""Members that do not hear each other."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from fault.comet.ground import Node, PromiseError
from fault.comet.trial import Trial

__all__ = ["blackholes", "deaf", "flapping", "go_on", "halves", "mute", "slow", "three_to_one"]

_GRACE_S = 3.0
"""What had arrived before the cut is worked off."""
_BLOCKS = 3
_ASK_FROM_S = 5.0
"""Members that do not answer are waited for ten seconds: only where a cut lasts anyway."""


async def three_to_one(trial: Trial) -> None:
    """One member alone: the others go on, it stands still and acknowledges nothing."""
    alone = trial.pick()
    others = [node for node in trial.nodes if node is not alone]
    _part(trial, [alone], others)
    await _stands_still(trial, [alone])
    await go_on(trial, others)
    trial.note(f"{alone.name} alone")


async def halves(trial: Trial) -> None:
    """Two and two: an honest halt. Nothing is acknowledged, no block is made."""
    side = trial.rng.sample(trial.nodes, 2)
    _part(trial, side, [node for node in trial.nodes if node not in side])
    await _stands_still(trial, trial.nodes)
    if trial.scale.hold_s >= _ASK_FROM_S:
        asked = await asyncio.gather(*(node.ask(op="fresh") for node in trial.nodes))
        if any(answer["enough"] for answer in asked):
            raise PromiseError("a node without a quorum found members with more than 2/3 of the power (GATE-4)")
    trial.note(f"{side[0].name} and {side[1].name} apart from the others")


async def blackholes(trial: Trial) -> None:
    """Routes that lose everything for minutes: one alone, then two and two, then ways that come and go.

    By then TCP waits for minutes too before it sends again: members have to notice, and to connect anew.
    """
    for act, times in ((three_to_one, 15), (halves, 15), (flapping, 5)):
        await act(replace(trial, scale=replace(trial.scale, hold_s=times * trial.scale.hold_s)))
        trial.ground.wires.heal()
        await trial.settle()
        trial.note(f"moved on after {trial.healing_s[-1]:.1f} s")


async def mute(trial: Trial) -> None:
    """One is heard by nobody, and hears everybody: the others go on, and it follows them."""
    victim = trial.pick()
    for node in trial.nodes:
        if node is not victim:
            trial.ground.wires.cut(victim.name, node.name)
    await go_on(trial, [node for node in trial.nodes if node is not victim])
    trial.note(f"{victim.name}")


async def deaf(trial: Trial) -> None:
    """One hears nobody, and is heard by everybody."""
    victim = trial.pick()
    others = [node for node in trial.nodes if node is not victim]
    for node in others:
        trial.ground.wires.cut(node.name, victim.name)
    await _stands_still(trial, [victim])
    await go_on(trial, others)
    trial.note(f"{victim.name}")


async def flapping(trial: Trial) -> None:
    """Ways that come and go at random, in one direction or both; connections that end."""
    loop, wires, count = asyncio.get_running_loop(), trial.ground.wires, 0
    end = loop.time() + 2 * trial.scale.hold_s
    while loop.time() < end:
        one, other = trial.rng.sample([node.name for node in trial.nodes], 2)
        what = trial.rng.randrange(4)
        if what == 0:
            wires.heal()
        elif what == 1:
            wires.drop(one, other)
        else:
            wires.cut(one, other)
            if what == 3:
                wires.cut(other, one)
        count += 1
        await trial.pause(0.1, 0.8)
    trial.note(f"{count} changes")


async def slow(trial: Trial) -> None:
    """20 to 200 ms each way, and one chunk in twenty late by a retransmission: slower, and nothing worse."""
    trial.ground.wires.slow((0.02, 0.2), 0.05)
    before = trial.load.total
    await go_on(trial, trial.nodes)
    await trial.pause(trial.scale.hold_s, trial.scale.hold_s)
    trial.note(f"{trial.load.total - before} transactions meanwhile")


def _part(trial: Trial, side: list[Node], others: list[Node]) -> None:
    trial.ground.wires.part([node.name for node in side], [node.name for node in others])
    if trial.rng.random() < 0.5:  # as after a firewall's reset, rather than behind a lost route
        for node in side:
            for other in others:
                trial.ground.wires.drop(node.name, other.name)


async def _stands_still(trial: Trial, nodes: list[Node]) -> None:
    """Once what was under way has ended, no height and no receipt comes from these while the cut lasts."""

    def shown() -> list[tuple[int, int]]:
        return [(node.height, trial.load.acked.get(node.name, 0)) for node in nodes]

    await asyncio.sleep(_GRACE_S)
    before = shown()
    await asyncio.sleep(trial.scale.hold_s)
    if shown() != before:
        raise PromiseError(f"without a quorum there were blocks or receipts: {before}, then {shown()}")


async def go_on(trial: Trial, nodes: list[Node]) -> None:
    """These make blocks and acknowledge transactions."""
    goal = max(node.height for node in nodes) + _BLOCKS
    acked = {node.name: trial.load.acked.get(node.name, 0) for node in nodes}
    await trial.ground.until(
        lambda: (
            all(node.height >= goal for node in nodes)
            and all(trial.load.acked.get(name, 0) > count for name, count in acked.items())
        ),
        "those who have a quorum go on",
        trial.scale.patience_s,
    )
