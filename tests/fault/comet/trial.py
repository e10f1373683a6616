"""One network under load, faults one after the other, and after each: healing, progress, and the checker."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any, Protocol

from fault.comet.ground import Ground, Node, PromiseError
from fault.comet.load import Load
from fault.comet.proof import check, level, reached, write_claims

__all__ = ["Fault", "Outcome", "Scale", "Trial", "play"]


_PROOFS_BEFORE = 8
"""Of the time before any fault: they must hold after all of them."""


class Helper(Protocol):
    """Something that runs beside the nodes until the trial ends."""

    async def stop(self) -> None:
        """End it."""


@dataclass(frozen=True)
class Scale:
    """How much of everything. ``patience_s`` bounds progress after healing; the design says 30 s."""

    kills: int
    hold_s: float
    patience_s: float


@dataclass
class Trial:
    """What a fault gets to work with; ``lost`` nodes have stopped for good, at the last height they had in common."""

    ground: Ground
    load: Load
    rng: Random
    scale: Scale
    notes: list[str] = field(default_factory=list)
    healing_s: list[float] = field(default_factory=list)
    lost: dict[str, int] = field(default_factory=dict)
    helpers: list[Helper] = field(default_factory=list)

    def note(self, text: str) -> None:
        """One thing that was done."""
        self.notes.append(text)

    @property
    def nodes(self) -> list[Node]:
        """Those that are to be well in the end."""
        return [node for node in self.ground.nodes.values() if node.name not in self.lost]

    def pick(self) -> Node:
        """Any one of them."""
        return self.rng.choice(self.nodes)

    async def pause(self, low_s: float, high_s: float) -> None:
        """For the faults' own timing; nothing is concluded from it."""
        await asyncio.sleep(self.rng.uniform(low_s, high_s))

    async def settle(self) -> None:
        """Heal, start what lies still, and see every member move on: its height, and its transactions."""
        self.ground.wires.heal()
        loop = asyncio.get_running_loop()
        began = loop.time()
        for node in self.nodes:
            if not node.lives:
                node.start()
        await self.ground.ready(*self.nodes, patience_s=self.scale.patience_s)
        top, acked = self.ground.top, dict(self.load.acked)
        senders = [node.name for node in self.nodes if node.name in self.load.senders]

        def moved() -> bool:
            self.load.check()
            heights = all(node.height > top for node in self.nodes)
            return heights and all(self.load.acked.get(name, 0) > acked.get(name, 0) for name in senders)

        await self.ground.until(moved, "every member has moved on after healing", self.scale.patience_s)
        self.healing_s.append(loop.time() - began)


class Act(Protocol):
    """One fault, or several of a kind."""

    __name__: str

    async def __call__(self, trial: Trial) -> None:
        """Do it; raise ``PromiseError`` where what must hold does not."""


@dataclass(frozen=True)
class Fault:
    """One named scenario; ``options`` are of the network that it needs for itself."""

    act: Act
    options: dict[str, Any] = field(default_factory=dict)
    root: bool = False


@dataclass
class Outcome:
    """How a trial went; ``failures`` is empty where everything that was promised held."""

    notes: list[str]
    healing_s: list[float]
    report: str = ""
    failures: list[str] = field(default_factory=list)


async def play(folder: Path, seed: int, acts: Sequence[Act], scale: Scale, **options: Any) -> Outcome:
    """One network, all the faults in order, the checker at the end."""
    ground = Ground(folder, seed, **options)
    load = Load(ground)
    trial = Trial(ground, load, Random(f"{seed} {acts[0].__name__}"), scale)
    outcome = Outcome(trial.notes, trial.healing_s)
    try:
        await ground.start()
        load.start()
        await trial.settle()
        await ground.until(lambda: load.proofs >= _PROOFS_BEFORE, "proofs are given", scale.patience_s)
        trial.healing_s.clear()
        for act in acts:
            await act(trial)
            await trial.settle()
        await load.stop()
        await _level(trial)
        outcome.report = await check(write_claims(ground, trial.lost))
    except PromiseError as error:
        outcome.failures.append(str(error))
    except Exception:  # the seed must be printed whatever went wrong
        outcome.failures.append(traceback.format_exc())
    finally:
        await load.stop()
        await ground.stop()
        for helper in trial.helpers:
            await helper.stop()
    outcome.failures += load.refused
    return outcome


async def _level(trial: Trial) -> None:
    """Every member has what any member has acknowledged, and the chain has come to rest."""
    top = reached(trial.ground)

    def rests() -> bool:
        return all(node.height >= top for node in trial.nodes) and level(trial.nodes)

    await trial.ground.until(rests, "all are level", trial.scale.patience_s)
