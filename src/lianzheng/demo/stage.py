"""What the steps of the scene share: settings, brokers, people, and what has come about so far."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.client.http import NodeClient
from lianzheng.client.ledger import AgreedLedger
from lianzheng.clock import Clock, day_of
from lianzheng.demo.people import Person
from lianzheng.demo.processes import NodeProcesses
from lianzheng.demo.screen import Screen
from lianzheng.errors import LianzhengError, VerificationError
from lianzheng.identity.enrolment import IdentityDocument
from lianzheng.ledger.genesis import Genesis, GenesisMember
from lianzheng.wallet.acts import SignedConsent
from lianzheng.wallet.ports import WalletStore
from lianzheng.wallet.wallet import Wallet

__all__ = ["CHAIN_ID", "REQUESTER", "Broker", "Case", "Settings", "Stage", "document_of"]

CHAIN_ID = "lz-demo"
_CATCH_UP_POLLS = 100
REQUESTER = 0
"""The broker of the scene that asks; the others answer."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the command line asks for."""

    people: int
    seed: int
    out: Path
    host: str = "127.0.0.1"
    retrieval: str = "table"
    """How providers' tables are read: at the demo's size a table is the cheaper way by `dataset advise` (PIR-2)."""


@dataclass(slots=True)
class Broker:
    """A founder. ``node`` is None for one without a node."""

    name: str
    short: str
    home: Path
    card: GenesisMember
    did: str
    dataset: str
    node: NodeClient | None = None
    node_url: str = ""

    @property
    def api(self) -> NodeClient:
        """The node's client."""
        if self.node is None:
            raise RuntimeError(f"{self.name} runs no node")
        return self.node

    def keystore(self) -> SealedFileKeyStore:
        """The member's keys, for playing a dishonest member with its real keys."""
        return SealedFileKeyStore.open(self.home / "keys.sealed", load_passphrase(self.home / "passphrase"))

    def views(self) -> tuple[str, ...]:
        """Views that this broker offers."""
        return (f"{self.dataset}/conduct/bands", f"{self.dataset}/wealth/bands")


@dataclass(slots=True)
class Case:
    """One customer of the requester through the scene."""

    person: Person
    client: str
    wallet: Wallet | None = None
    issuer: int | None = None
    consent: SignedConsent | None = None
    result: dict[str, Any] | None = None

    @property
    def wallet_name(self) -> str:
        """The wallet's name in the store."""
        return f"wallet-{self.person.serial:05d}"

    @property
    def case_id(self) -> str:
        """The case's name in the evidence."""
        return f"case-{self.person.serial:04d}"


@dataclass(slots=True)
class Stage:
    """Everything the steps hand on."""

    settings: Settings
    screen: Screen
    clock: Clock
    brokers: list[Broker] = field(default_factory=list)
    sister: Broker | None = None
    genesis: Genesis | None = None
    processes: NodeProcesses | None = None
    people: tuple[Person, ...] = ()
    wallets: WalletStore | None = None
    cases: list[Case] = field(default_factory=list)
    task: str = ""
    epochs: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    @property
    def requester(self) -> Broker:
        """The asking broker."""
        return self.brokers[REQUESTER]

    @property
    def providers(self) -> list[Broker]:
        """The answering brokers."""
        return [broker for index, broker in enumerate(self.brokers) if index != REQUESTER]

    @property
    def network(self) -> Genesis:
        """Genesis, once there is one."""
        if self.genesis is None:
            raise RuntimeError("the network has not been founded yet")
        return self.genesis

    @property
    def nodes(self) -> list[NodeClient]:
        """All nodes."""
        return [broker.api for broker in self.brokers]

    async def ledger(self) -> AgreedLedger:
        """Members, their DIDs and credential keys, read alike at all three nodes."""
        return await self.ledger_with()

    async def ledger_with(self, *more: str) -> AgreedLedger:
        """As :meth:`ledger`, and what stands under further prefixes."""
        prefixes = ["member/", "issuer/", *(f"did/{broker.did}" for broker in self.brokers), *more]
        for _ in range(_CATCH_UP_POLLS):
            try:
                return await AgreedLedger.read(self.nodes, prefixes)
            except VerificationError:  # a follower may be a block behind
                await asyncio.sleep(1 / 20)
        return await AgreedLedger.read(self.nodes, prefixes)

    async def caught_up(self) -> None:
        """Return once every node has replayed the block that the first founder's node is at now."""
        height = (await self.brokers[0].api.get("/api/v1/status"))["height"]
        for node in self.nodes:
            for _ in range(_CATCH_UP_POLLS):
                if (await node.get("/api/v1/status"))["height"] >= height:
                    break
                await asyncio.sleep(1 / 20)

    def saved_wallet(self, case: Case) -> bytes:
        """The state of a customer's wallet as the store holds it."""
        if self.wallets is None:
            raise RuntimeError("the wallet store is made first")
        return self.wallets.load(case.wallet_name)

    def today(self) -> str:
        """Calendar day of the scene."""
        return day_of(self.clock.now_ms())

    def expect(self, who: str, what: str, error: LianzhengError | None, *codes: str) -> None:
        """Show a refusal; a missing or another one fails the scene."""
        code = "nothing was refused" if error is None else error.code
        self.screen.refused(who, what, code, code if code in codes else codes[0])
        if code not in codes:
            self.failures.append(f"{what}: {code}")

    def require(self, what: str, holds: bool) -> None:
        """Something that must be true, or the scene fails."""
        if not holds:
            self.failures.append(what)
            self.screen.warn(f"[red]not as it must be:[/] {what}")


def document_of(person: Person) -> IdentityDocument:
    """The document that a synthetic person shows."""
    return IdentityDocument(type="RESIDENT_ID", country="CN", number=person.number)
