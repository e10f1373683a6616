"""Kills a seeded random node at seeded random moments and starts it again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from random import Random

from lianzheng.client.http import NodeClient
from lianzheng.demo.processes import NodeProcesses
from lianzheng.errors import UnavailableError

__all__ = ["Killer", "Mortal"]

_PAUSE_MS = (100, 1_500)
_DOWN_MS = (0, 800)
_START_MS = (0, 1_800)
_START_IN = 4
"""One kill in this many hits a node that is still starting."""


class Mortal(NodeProcesses):
    """Processes of which one may ask who is left."""

    def gone(self, name: str) -> bool:
        """Whether the process has ended by itself."""
        return self._running[name].returncode is not None


@dataclass
class Killer:
    """``kills`` lists who died, and when it was still starting."""

    processes: Mortal
    nodes: dict[str, NodeClient]
    seed: int
    most: int
    kills: list[str] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        """Until ``most`` kills are done; every node that was killed is up again then."""
        rng = Random(self.seed)  # seeded on purpose: a failing seed can be played again
        while len(self.kills) < self.most:
            await _pause(rng, _PAUSE_MS)
            name = rng.choice(sorted(self.nodes))
            await self._kill(name, "")
            await _pause(rng, _DOWN_MS)
            await self.processes.start(name)
            if rng.randrange(_START_IN) == 0 and len(self.kills) < self.most:
                await _pause(rng, _START_MS)
                await self._kill(name, " (starting)")
                await self.processes.start(name)
            await self.processes.wait_ready(name, self.nodes[name])
        self.enough.set()

    async def end_all(self) -> None:
        """The last kill: all of them at once."""
        for name in sorted(self.nodes):
            await self._kill(name, " (last)")

    async def _kill(self, name: str, when: str) -> None:
        if self.processes.gone(name):
            raise UnavailableError("node_died", f"The node of {name} ended without being killed.")
        self.kills.append(name + when)
        await self.processes.kill(name)


async def _pause(rng: Random, bounds_ms: tuple[int, int]) -> None:
    await asyncio.sleep(rng.randint(*bounds_ms) / 1000)
