"""What the conformance suite needs of an engine: start it on a genesis, send through it, read back what it recorded.

A further engine is one more entry in ``ENGINES``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from ledger_kit import BETA, START_MS, DirectLink, make_follower, make_sequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.ledger.block import Block
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import LedgerEngine


@dataclass(frozen=True)
class Recorded:
    """One block: what replaying it needs, and what must come of it."""

    height: int
    time_ms: int
    transactions: tuple[bytes, ...]
    results: tuple[tuple[str, Any], ...]
    app_hash: bytes
    """After this block, as the engine's signed heads have it."""


class Subject(Protocol):
    """An engine under test."""

    @property
    def engine(self) -> LedgerEngine: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def blocks(self) -> list[Recorded]:
        """Every block from height 1, as this engine keeps them on disk or hands them on."""


def _recorded(data: bytes) -> Recorded:
    block = Block.parse(data)
    head = block.head.head
    results = tuple((result.code, result.data) for result in block.results)
    return Recorded(head.height, head.time_ms, block.transactions, results, head.app_hash)


class Sequencing:
    """The embedded engine where it orders."""

    def __init__(self, folder: Path, genesis: Genesis) -> None:
        self._folder, self._genesis = folder, genesis

    async def start(self) -> None:
        self.engine = make_sequencer(self._folder / "sequencer", ManualClock(START_MS + 1), self._genesis)
        await self.engine.start()

    async def stop(self) -> None:
        await self.engine.stop()

    async def blocks(self) -> list[Recorded]:
        return [_recorded(data) for data in await self.engine.blocks(1, 500)]


class Following:
    """The embedded engine where it follows; its blocks are those of its own database."""

    def __init__(self, folder: Path, genesis: Genesis) -> None:
        self._sequencing = Sequencing(folder, genesis)
        self._folder, self._genesis = folder, genesis

    async def start(self) -> None:
        await self._sequencing.start()
        link = DirectLink(self._sequencing.engine)
        clock = ManualClock(START_MS + 1)
        self.engine = make_follower(self._folder / "follower", link, clock, BETA, self._genesis)
        await self.engine.start()
        await self.engine.sync()

    async def stop(self) -> None:
        await self.engine.stop()
        await self._sequencing.stop()

    async def blocks(self) -> list[Recorded]:
        return [_recorded(data) for data, _ in self.engine._chain.store.blocks_above(0)]


ENGINES: dict[str, Callable[[Path, Genesis], Subject]] = {
    "embedded sequencer": Sequencing,
    "embedded follower": Following,
}


def replay(genesis: Genesis, blocks: list[Recorded]) -> Machine:
    """A new state machine that executes the recorded blocks and must come to the same results and hashes."""
    machine = Machine(genesis)
    for block in blocks:
        results = machine.execute_block(block.height, block.time_ms, list(block.transactions))
        assert tuple((result.code, result.data) for result in results) == block.results, block.height
        assert machine.app_hash() == block.app_hash, block.height
        machine.commit()
    return machine
