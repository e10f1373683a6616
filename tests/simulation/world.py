"""Nodes with the real state machine under one seed: late, lost and doubled blocks, crashes, damage, catching up.

Who orders is not under test: blocks are decided one after another, as consensus would. What is under test is that every
node that applies them, by whatever way, comes to the same state, and that the state keeps its promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from governance_kit import genesis
from ledger_kit import START_MS
from lianzheng.clock import DAY_MS
from lianzheng.contracts.machine import Machine
from lianzheng.errors import VerificationError
from lianzheng.ledger.delta import Delta
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import TxResult
from lianzheng.ledger.snapshot import SnapshotManifest, chunk_digest
from simulation.traffic import Traffic

_CHUNK = 4096
MakeMachine = Callable[[int, Genesis], Machine]


class Broken(AssertionError):  # noqa: N818 - a finding, not an error of this code
    """A promise that did not hold, with the seed and the place."""


@dataclass(frozen=True)
class Decided:
    """One block as consensus decided it."""

    height: int
    time_ms: int
    transactions: tuple[bytes, ...]


Saved = tuple[SnapshotManifest, list[bytes]]


def plain_machine(number: int, at: Genesis) -> Machine:
    """The same for every node."""
    return Machine(at)


def save(machine: Machine) -> Saved:
    """The node's snapshot, in small chunks."""
    snapshot = machine.snapshot()
    chunks = list(snapshot.chunks(_CHUNK))
    return snapshot.manifest(map(chunk_digest, chunks)), chunks


@dataclass
class SimulatedNode:
    """One node: what it holds in memory, and what is on its disk."""

    number: int
    make: Callable[[], Machine]
    machine: Machine = field(init=False)
    deltas: dict[int, bytes] = field(default_factory=dict)
    saved: Saved | None = None
    waiting: dict[int, Decided] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.machine = self.make()

    def receive(self, block: Decided) -> None:
        """Keep a block until its turn comes; one that was applied is no news."""
        if block.height > self.machine.height:
            self.waiting[block.height] = block

    def crash(self, rng: Random) -> None:
        """Memory is gone; the disk may have lost its last blocks, and a byte of the snapshot may be another."""
        self.waiting.clear()
        for height in sorted(self.deltas, reverse=True)[: rng.choice([0, 0, 1, 3])]:
            del self.deltas[height]
        if self.saved is not None and rng.random() < 0.3:
            manifest, chunks = self.saved
            self.saved = (manifest, _damaged(chunks, rng))
        self.machine = self.make()
        if self.saved is not None:
            try:
                self.machine.restore(*self.saved)
            except VerificationError:
                self.saved, self.deltas = None, {}  # every block is fetched again
        for height in sorted(self.deltas):
            if height == self.machine.height + 1:
                self.machine.apply_delta(Delta.from_bytes(self.deltas[height]))
                self.machine.commit()

    def join(self, others: Iterable[Saved], app_hash: bytes) -> None:
        """An empty node takes the first snapshot that is what it says, and no other."""
        self.machine, self.deltas, self.waiting = self.make(), {}, {}
        for saved in others:
            try:
                self.machine.restore(*saved)
            except VerificationError:
                if self.machine.height != 0:
                    raise Broken("a refused snapshot left something behind") from None
                continue
            if self.machine.app_hash() != app_hash:
                raise Broken("a snapshot was taken that is of another state")
            self.saved = saved
            return


def _damaged(chunks: list[bytes], rng: Random) -> list[bytes]:
    number = rng.randrange(len(chunks))
    chunk = bytearray(chunks[number])
    chunk[rng.randrange(len(chunk))] ^= 1 << rng.randrange(8)
    return [*chunks[:number], bytes(chunk), *chunks[number + 1 :]]


class World:
    """A run of ``blocks`` blocks over ``size`` nodes; ``chain`` and ``results`` are what was decided and said."""

    def __init__(self, seed: int, size: int = 4, make: MakeMachine = plain_machine, schema: int = 1) -> None:
        self.seed = seed
        self.rng = Random(seed)
        self.genesis = genesis(schema=schema)
        self.make = make
        self.nodes = [
            SimulatedNode(number, lambda number=number: make(number, self.genesis))  # type: ignore[misc]
            for number in range(size)
        ]
        self.chain: list[Decided] = []
        self.hashes: dict[int, bytes] = {}
        self.results: dict[int, list[TxResult]] = {}
        self._traffic = Traffic(self.rng)

    def run(self, blocks: int) -> None:
        """Decide so many blocks while everything goes wrong, then let all nodes catch up and compare them."""
        for _ in range(blocks):
            self._decide()
            self._spread()
            for node in self.nodes:
                self._advance(node)
            if self.rng.random() < 0.08:
                self.rng.choice(self.nodes).crash(self.rng)
            if self.rng.random() < 0.03:
                self._join(self.rng.choice(self.nodes))
        for node in self.nodes:
            for block in self.chain:
                node.receive(block)
            self._advance(node)
            if node.machine.height != len(self.chain):
                raise Broken(self._where(f"node {node.number} stands at {node.machine.height}"))

    def _decide(self) -> None:
        ahead = max(self.nodes, key=lambda node: node.machine.height).machine
        height = len(self.chain) + 1
        before = self.chain[-1].time_ms if self.chain else START_MS
        time_ms = before + self.rng.choice(
            [1, 20, 1000, 1000, 60_000, 3_600_000, 3_600_000, DAY_MS, DAY_MS, 5 * DAY_MS]
        )
        drawn = [self._traffic.draw(ahead.state, time_ms, height) for _ in range(self.rng.randint(0, 5))]
        self.rng.shuffle(drawn)
        self.chain.append(Decided(height, time_ms, tuple(drawn)))

    def _spread(self) -> None:
        """Each node may hear of the newest block, of some old one again, or of nothing."""
        for node in self.nodes:
            if self.rng.random() < 0.7:
                node.receive(self.chain[-1])
            for _ in range(self.rng.choice([0, 0, 1, 3])):
                node.receive(self.rng.choice(self.chain))

    def _advance(self, node: SimulatedNode) -> None:
        machine = node.machine
        while (block := node.waiting.pop(machine.height + 1, None)) is not None:
            results = machine.execute_block(block.height, block.time_ms, list(block.transactions))
            delta, app_hash = machine.delta().to_bytes(), machine.app_hash()
            machine.commit()
            self._compare(node, block, results, app_hash)
            node.deltas[block.height] = delta
            if self.rng.random() < 0.1:
                node.saved = save(machine)
                node.deltas = {height: one for height, one in node.deltas.items() if height > block.height}

    def _compare(self, node: SimulatedNode, block: Decided, results: list[TxResult], app_hash: bytes) -> None:
        known = self.hashes.setdefault(block.height, app_hash)
        if known != app_hash:
            raise Broken(self._where(f"node {node.number} has another state after block {block.height}"))
        said = self.results.setdefault(block.height, results)
        if [(one.code, one.data) for one in said] != [(one.code, one.data) for one in results]:
            raise Broken(self._where(f"node {node.number} has other results in block {block.height}"))

    def _join(self, node: SimulatedNode) -> None:
        giver = max(self.nodes, key=lambda one: one.machine.height)
        if giver.machine.height == 0 or giver is node:
            return
        manifest, chunks = save(giver.machine)
        offers = [(manifest, _damaged(chunks, self.rng)), (manifest, chunks)]
        node.join(offers, self.hashes[giver.machine.height])
        if node.machine.height != giver.machine.height:
            raise Broken(self._where("a good snapshot was refused"))

    def _where(self, text: str) -> str:
        return f"seed {self.seed}, height {len(self.chain)}: {text}"
