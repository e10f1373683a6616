"""Checkpoint desks of several nodes over real engines and databases, joined by direct calls."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ledger_kit import ALPHA, BETA, CHAIN, GAMMA, DirectLink, Party, anchor_payload, make_follower, make_sequencer
from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.adapters.storage.checkpoints import SqlCheckpointStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.errors import UnavailableError
from lianzheng.flows.checkpoints import CheckpointDesk, Cosigner, members_as_cosigners
from lianzheng.governance.service import MemberDirectory

REGULATOR = Party("regulator")
REGULATOR_NAME = "regulator.example/w1"


def witness(name: str = REGULATOR_NAME, party: Party = REGULATOR) -> Cosigner:
    """A regulator as members list it."""
    return Cosigner(name, "regulator", ed25519.public_key(party.seed))


class DeskLink:
    """``CosignLink`` by direct calls; those in ``down`` do not answer, ``change`` alters answers."""

    def __init__(self, desks: dict[str, CheckpointDesk]) -> None:
        self.desks = desks
        self.down: set[str] = set()
        self.change: Callable[[str, bytes], bytes] = lambda name, lines: lines

    async def cosign(self, name: str, note: bytes) -> bytes:
        if name in self.down or name not in self.desks:
            raise UnavailableError("peer_unreachable", "Down.")
        return self.change(name, await self.desks[name].answer(note))


@dataclass
class Table:
    """Alpha orders; beta, gamma and a regulator's witness follow."""

    clock: ManualClock
    sequencer: EmbeddedSequencer
    engines: dict[str, EmbeddedSequencer | EmbeddedFollower]
    desks: dict[str, CheckpointDesk]
    link: DeskLink
    stores: dict[str, SqlCheckpointStore]
    anchored: bytes | None = None
    nonces: int = field(default=0)

    async def anchor(self, fill: int) -> int:
        """One more entry of the log; the height of its block."""
        self.clock.advance(1000)
        self.nonces += 1
        payload = anchor_payload(self.anchored, fill)
        tx = ALPHA.transaction("evidence.anchor", payload, self.nonces, now_ms=self.clock.now_ms())
        receipt = await self.sequencer.submit(tx)
        assert receipt.result.ok, receipt.result
        self.anchored = bytes.fromhex(_hex(receipt.result.data))
        for engine in self.engines.values():
            if isinstance(engine, EmbeddedFollower):
                await engine.sync()
        return receipt.height


def _hex(data: object) -> str:
    from lianzheng.encoding.binary import b64u_decode

    assert isinstance(data, dict)
    return b64u_decode(data["digest"]).hex()


@asynccontextmanager
async def table(folder: Path, witnesses: Sequence[Cosigner] = (), every_hours: int = 24) -> AsyncIterator[Table]:
    """Engines, databases and desks of alpha, beta, gamma and of each witness."""
    clock = ManualClock()
    async with AsyncExitStack() as stack:
        sequencer = make_sequencer(_folder(folder, "alpha"), clock)
        engines: dict[str, EmbeddedSequencer | EmbeddedFollower] = {ALPHA.did: sequencer}
        parties = {ALPHA.did: ALPHA, BETA.did: BETA, GAMMA.did: GAMMA, **{one.name: REGULATOR for one in witnesses}}
        for name, party in list(parties.items())[1:]:
            engines[name] = make_follower(_folder(folder, party.name), DirectLink(sequencer), clock, party)
        desks: dict[str, CheckpointDesk] = {}
        stores: dict[str, SqlCheckpointStore] = {}
        link = DeskLink(desks)
        for name, engine in engines.items():
            await engine.start()
            stack.push_async_callback(engine.stop)
            database = Database(sqlite_url(folder / parties[name].name / "node.db"))
            await database.open()
            stack.push_async_callback(database.close)
            stores[name] = SqlCheckpointStore(database)
            desks[name] = desk(name, parties[name], engine, stores[name], link, clock, witnesses, every_hours)
        yield Table(clock, sequencer, engines, desks, link, stores)


def desk(
    name: str,
    party: Party,
    engine: EmbeddedSequencer | EmbeddedFollower,
    store: SqlCheckpointStore,
    link: DeskLink,
    clock: ManualClock,
    witnesses: Sequence[Cosigner] = (),
    every_hours: int = 24,
) -> CheckpointDesk:
    """One node's desk as ``node.build`` makes it."""
    directory = MemberDirectory(lambda: engine.state)

    def cosigners() -> tuple[Cosigner, ...]:
        return (*members_as_cosigners(directory, engine.state, ALPHA.did), *witnesses)

    return CheckpointDesk(CHAIN, name, party.sign, engine.history, cosigners, store, link, clock, every_hours)


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir(parents=True, exist_ok=True)
    return folder / name
