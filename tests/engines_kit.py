"""What the conformance suite needs of an engine: start it on a genesis, send through it, read back what it recorded.

A further engine is one more entry in ``ENGINES``. The founders are the same under every engine; the genesis differs
in its time and in who orders, which is what an engine is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from comet_kit import Cluster, Member, needs_engine
from ledger_kit import BETA, PARTIES, START_MS, DirectLink, make_follower, make_genesis, make_sequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.encoding.canonical import decode
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


VALIDATOR = Member("validator")
FOUNDERS = (*PARTIES, VALIDATOR)


class Subject(Protocol):
    """An engine under test."""

    @property
    def engine(self) -> LedgerEngine: ...

    @property
    def genesis(self) -> Genesis:
        """Of the network that it was made for."""

    def now_ms(self) -> int:
        """By the engine's own clock, for the dates of acts."""

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

    def __init__(self, folder: Path, time_ms: int = START_MS) -> None:
        self._folder = folder
        self.genesis = make_genesis(FOUNDERS, schema=2, time_ms=time_ms)  # type: ignore[arg-type]

    def now_ms(self) -> int:
        return self.genesis.time_ms

    async def start(self) -> None:
        self.engine = make_sequencer(self._folder / "sequencer", ManualClock(self.now_ms() + 1), self.genesis)
        await self.engine.start()

    async def stop(self) -> None:
        await self.engine.stop()

    async def blocks(self) -> list[Recorded]:
        return [_recorded(data) for data in await self.engine.blocks(1, 500)]


class Following:
    """The embedded engine where it follows; its blocks are those of its own database."""

    def __init__(self, folder: Path) -> None:
        self.sequencing = Sequencing(folder)
        self._folder, self.genesis = folder, self.sequencing.genesis

    def now_ms(self) -> int:
        return START_MS

    async def start(self) -> None:
        await self.sequencing.start()
        link = DirectLink(self.sequencing.engine)
        clock = ManualClock(START_MS + 1)
        self.engine = make_follower(self._folder / "follower", link, clock, BETA, self.genesis)
        await self.engine.start()
        await self.engine.sync()

    async def stop(self) -> None:
        await self.engine.stop()
        await self.sequencing.stop()

    async def blocks(self) -> list[Recorded]:
        return [_recorded(data) for data, _ in self.engine._chain.store.blocks_above(0)]


class Byzantine:
    """CometBFT with a process of its own: one validator; block times are the machine's."""

    def __init__(self, folder: Path) -> None:
        self._cluster = Cluster(folder, (VALIDATOR,), founders=FOUNDERS, schema=2)
        self.genesis = self._cluster.genesis

    def now_ms(self) -> int:
        return self.genesis.time_ms

    async def start(self) -> None:
        self.engine = self._cluster.engine(VALIDATOR)
        await self.engine.start()

    async def stop(self) -> None:
        await self.engine.stop()

    async def blocks(self) -> list[Recorded]:
        head = self.engine.status().height
        return [
            Recorded(
                block.height,
                block.time_ms,
                tuple(block.wire_transactions()),
                tuple((one["code"], one["data"]) for one in decode(block.results)),
                block.app_hash,
            )
            for block in self.engine._chain.store.blocks_above(0)
            if block.height <= head
        ]


MakeSubject = Callable[[Path], Subject]
ENGINES = (
    pytest.param(Sequencing, id="embedded sequencer"),
    pytest.param(Following, id="embedded follower"),
    pytest.param(Byzantine, id="cometbft", marks=needs_engine),
)


def replay(genesis: Genesis, blocks: list[Recorded]) -> Machine:
    """A new state machine that executes the recorded blocks and must come to the same results and hashes."""
    machine = Machine(genesis)
    for block in blocks:
        results = machine.execute_block(block.height, block.time_ms, list(block.transactions))
        assert tuple((result.code, result.data) for result in results) == block.results, block.height
        assert machine.app_hash() == block.app_hash, block.height
        machine.commit()
    return machine
