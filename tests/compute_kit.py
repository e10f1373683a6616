"""A ledger of the compute rules alone, members, and rows: enough to play datasets, epochs and tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.storage.compute import DatasetRepository, EpochRepository
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.epoch_builds import EpochBuildRepository
from lianzheng.clock import ManualClock
from lianzheng.compute.datasets.model import DatasetPublish
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.ports import PersonRow
from lianzheng.compute.rules import RULES
from lianzheng.compute.tasks.model import TaskContract
from lianzheng.compute.views.service import ViewService
from lianzheng.encoding.binary import multibase_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Record
from lianzheng.errors import LianzhengError, RefusedError
from lianzheng.identity.idnorm import make_sample_number, normalise
from lianzheng.ledger.context import BlockContext, MemberView, Sender
from lianzheng.ledger.ports import Receipt, TxResult
from lianzheng.ledger.state import MemoryState
from lianzheng.ledger.transaction import TransactionBody, transaction_id

CHAIN = "test-compute"
START_MS = 1_790_000_000_000
DAY_MS = 24 * 3600 * 1000
RULE_OF = {spec.kind: spec for spec in RULES}


def did(number: int) -> str:
    """A member's DID."""
    return f"did:lz:{CHAIN}:{multibase_encode(bytes([number]) * 32)}"


ALPHA, BETA, GAMMA, SISTER = sorted(did(number) for number in (10, 20, 30, 40))
STRANGER = did(50)


class Members:
    """Four active members; SISTER is in ALPHA's control group."""

    def __init__(self) -> None:
        groups = {ALPHA: "a", BETA: "b", GAMMA: "c", SISTER: "a"}
        self.views = {name: MemberView(name, "active", group) for name, group in groups.items()}

    def get(self, name: str) -> MemberView | None:
        return self.views.get(name)

    def all(self) -> tuple[MemberView, ...]:
        return tuple(self.views.values())


@dataclass
class RuleLedger:
    """Applies one transaction a block, as ``contracts.machine`` would after authentication."""

    clock: ManualClock = field(default_factory=lambda: ManualClock(START_MS))
    state: MemoryState = field(default_factory=MemoryState)
    members: Members = field(default_factory=Members)
    height: int = 0

    def apply(self, kind: str, sender: str, payload: Record | JsonObject) -> tuple[bytes, Any]:
        """Transaction id and data; raises the rule's refusal and then leaves the state alone."""
        self.height += 1
        spec = RULE_OF[kind]
        members = payload.to_json() if isinstance(payload, Record) else payload
        body = TransactionBody(
            chain_id=CHAIN,
            kind=kind,
            sender=sender,
            key_id="#node",
            nonce=self.height,
            expires_at=self.clock.now_ms() + 1000,
            payload=members,
        )
        block = BlockContext(CHAIN, self.height, self.clock.now_ms(), START_MS, self.members)
        typed = spec.payload.from_json(members)
        effects = spec.rule(self.state, Sender(sender, "#node", "member"), typed, body, block)
        self.state.apply(effects.writes)
        return transaction_id(body), effects.data

    def sender(self, name: str) -> RuleSender:
        """The ``LedgerSender`` of one member."""
        return RuleSender(self, name)


@dataclass
class RuleSender:
    """Implements ``compute.ports.LedgerSender`` over :class:`RuleLedger`."""

    ledger: RuleLedger
    name: str
    sent: list[str] = field(default_factory=list)
    fail: dict[str, LianzhengError] = field(default_factory=dict)
    """Kind → error raised instead of sending, once."""

    async def send(self, kind: str, payload: Record, ordered: bool = False) -> Receipt:
        if kind in self.fail:
            raise self.fail.pop(kind)
        try:
            tx_id, data = self.ledger.apply(kind, self.name, payload)
        except LianzhengError as error:
            raise RefusedError(error.code, error.text) from error
        self.sent.append(kind)
        return Receipt(tx_id, self.ledger.height, 0, self.ledger.clock.now_ms(), TxResult("ok", data))


def offer(name: str = "beta-clients", **changes: Any) -> DatasetPublish:
    """A dataset with two views."""
    members: JsonObject = {
        "dataset": name,
        "title": "Clients",
        "as_of": "2026-09-01",
        "views": [f"{name}/experience/bands", f"{name}/wealth/bands", f"{name}/wealth/i01-ge-4"],
        "purposes": ["suitability-assessment", "suitability-reassessment"],
        "functions": ["hidden-query"],
        "retrieval": "table",
        "issuers": None,
    }
    return DatasetPublish.from_json(members | changes)


def contract(**changes: Any) -> TaskContract:
    """ALPHA asks BETA and GAMMA about wealth."""
    members: JsonObject = {
        "v": 1,
        "function": "hidden-query",
        "function_version": 1,
        "requester": ALPHA,
        "providers": [BETA, GAMMA],
        "views": ["beta-clients/wealth/bands", "gamma-clients/wealth/bands"],
        "purpose": "suitability-assessment",
        "parameters": {},
        "receiver": ALPHA,
        "quota": 100,
        "expires_ms": START_MS + 30 * DAY_MS,
        "impact_assessment": "A" * 43,
    }
    return TaskContract.from_json(members | changes)


def sample_people(count: int) -> list[PersonRow]:
    """Synthetic people (area 99xxxx); every fifth has nothing above band 0."""
    rows = []
    for serial in range(count):
        number = make_sample_number(serial, "1980-01-01", "female" if serial % 2 else "male")
        idnorm = normalise("RESIDENT_ID", "CN", number, test_network=True)
        amounts = {"I01": 0, "I02": 0} if serial % 5 == 0 else {"I01": serial * 90_000, "I02": serial % 70, "I04": 0}
        rows.append(PersonRow(idnorm, amounts))
    return rows


@dataclass
class Provider:
    """BETA's part of compute, over real storage."""

    ledger: RuleLedger
    sender: RuleSender
    database: Database
    keystore: SealedFileKeyStore
    datasets: DatasetRepository
    epochs: EpochRepository
    builds: EpochBuildRepository
    loading: DatasetService
    views: ViewService


async def make_provider(folder: Path, ledger: RuleLedger | None = None) -> Provider:
    """A provider in ``folder``; called again with the same ledger it is the same node after a restart."""
    ledger = ledger or RuleLedger()
    database = Database(sqlite_url(folder / "node.db"))
    await database.open()
    path = folder / "keys"
    keystore = (SealedFileKeyStore.open if path.exists() else SealedFileKeyStore.create)(path, b"a passphrase")
    datasets, epochs = DatasetRepository(database), EpochRepository(database)
    builds = EpochBuildRepository(database)
    sender = ledger.sender(BETA)
    views = ViewService(datasets, epochs, builds, keystore, sender, lambda: ledger.state, ledger.clock, CHAIN, BETA)
    loading = DatasetService(datasets, sender, ledger.clock)
    return Provider(ledger, sender, database, keystore, datasets, epochs, builds, loading, views)
