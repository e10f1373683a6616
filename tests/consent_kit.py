"""Members, a machine that runs one transaction a block, issuers, wallets and a requester's desk over real storage."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ledger_kit import ALPHA, BETA, CHAIN, DELTA, GAMMA, PARTIES, START_MS, Party, make_genesis
from lianzheng.adapters.storage.consent import SqlConsentStore, SqlRefusalStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.identity import SqlEnrolmentStore
from lianzheng.clock import ManualClock
from lianzheng.consent.model import Terms, Token
from lianzheng.consent.named import ConsentOffer, OfferedProvider, Presentation, RequesterInfo, Tick
from lianzheng.consent.revocation import RevocationService
from lianzheng.consent.service import ConsentService, RequesterIdentity
from lianzheng.consent.token import default_validity, make_token
from lianzheng.contracts.machine import Machine
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import NotFoundError
from lianzheng.governance.members import StateMembers
from lianzheng.identity.enrolment import IdentityDocument
from lianzheng.identity.idnorm import identity_element, make_sample_number, normalise
from lianzheng.identity.service import IssuerIdentity, IssuerService
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import Receipt, TxResult
from lianzheng.ledger.sender import TransactionSender
from lianzheng.ledger.transaction import Transaction, transaction_id
from lianzheng.wallet import Wallet
from lianzheng.wallet.keys import holder_secret
from lianzheng.zk import spseq

__all__ = ["ALPHA", "BETA", "CHAIN", "DELTA", "GAMMA", "PARTIES", "START_MS", "Network", "Party"]


class MachineLedger:
    """The part of ``LedgerEngine`` that the slices use, over the real machine."""

    def __init__(self, clock: ManualClock) -> None:
        self.machine = Machine(make_genesis())
        self.clock = clock
        self.height = 0
        self.sent: list[Transaction] = []

    @property
    def state(self) -> StateView:
        return self.machine.state

    def now_block_ms(self) -> int:
        return self.clock.now_ms()

    def run(self, transaction: Transaction) -> TxResult:
        self.height += 1
        self.sent.append(transaction)
        result = self.machine.execute_block(self.height, self.clock.now_ms(), [transaction.to_bytes()])[0]
        self.machine.commit()
        return result

    async def submit(self, transaction: Transaction) -> Receipt:
        result = self.run(transaction)
        return Receipt(transaction_id(transaction.body), self.height, 0, self.clock.now_ms(), result)


class Secrets:
    """The two methods of ``KeyStore`` that the issuer uses."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def put_secret(self, name: str, secret: bytes) -> None:
        self.values.setdefault(name, secret)

    def get_secret(self, name: str) -> bytes:
        if name not in self.values:
            raise NotFoundError("key_unknown", "no such key")
        return self.values[name]


class Wallets:
    """``WalletStore`` in memory."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}

    def load(self, name: str) -> bytes:
        if name not in self.values:
            raise NotFoundError("wallet_unknown", "no such wallet")
        return self.values[name]

    def save(self, name: str, data: bytes) -> None:
        self.values[name] = data

    def remove(self, name: str) -> None:
        self.values.pop(name, None)

    def names(self) -> list[str]:
        return sorted(name for name in self.values if "/" not in name)


class Customers:
    """Customers by identity number, in both directions."""

    def __init__(self, people: Iterable[tuple[str, bytes]]) -> None:
        self.people = dict(people)

    async def find_customer(self, idnorm: bytes) -> str | None:
        return next((name for name, known in self.people.items() if known == idnorm), None)

    async def find_idnorm(self, client_reference: str) -> bytes | None:
        return self.people.get(client_reference)


class Relay:
    """Notes what is passed on."""

    def __init__(self) -> None:
        self.passed: list[bytes] = []

    async def pass_on(self, transaction: bytes) -> None:
        self.passed.append(transaction)


def document(serial: int = 1) -> IdentityDocument:
    return IdentityDocument(type="RESIDENT_ID", country="CN", number=make_sample_number(serial, "1970-03-05", "female"))


def idnorm_of(paper: IdentityDocument) -> bytes:
    return normalise(paper.type, paper.country, paper.number, test_network=True)


def offer(
    requester: Party = ALPHA, providers: tuple[Party, ...] = (BETA, GAMMA), number: int = 1, **changes: Any
) -> ConsentOffer:
    fields: dict[str, Any] = {
        "chain_id": CHAIN,
        "consent_id": f"{number:022d}",
        "client_reference": "client-1",
        "requester": RequesterInfo(did=requester.did, name="Broker alpha", uscc="91110000MA00000000", contact="95000"),
        "providers": tuple(
            OfferedProvider(
                did=party.did,
                name=f"Broker {party.name}",
                views=(f"{party.name}-assets/wealth/bands", f"{party.name}-assets/wealth/i01-ge-3"),
                max_uses=12,
            )
            for party in providers
        ),
        "processors": (),
        "purpose": "suitability-assessment",
        "function": "hidden-query",
        "queries": 4,
        "look_back_months": 24,
        "retention_days": 365,
        "complaints": "95000; complaints@alpha.example",
        "template": "sharing-zh-1",
    }
    return ConsentOffer(**(fields | changes))


def presentation(now_ms: int = START_MS, **changes: Any) -> Presentation:
    items = ("sharing", "sensitive", "automated", "withdrawal")
    fields: dict[str, Any] = {
        "shown_ms": now_ms - 60_000,
        "scrolled_to_end": True,
        "ticks": tuple(Tick(item=item, time_ms=now_ms - 30_000 + index) for index, item in enumerate(items)),
        "authentication": "device key",
        "channel": "mobile",
        "terminal": "wallet 1.0",
        "staff_id": None,
        "proxy": None,
    }
    return Presentation(**(fields | changes))


@dataclass
class Network:
    """Everything between a wallet and a ledger, for one requester (alpha) and any issuer."""

    folder: Path
    clock: ManualClock = field(default_factory=lambda: ManualClock(START_MS + 1))

    async def open(self) -> Network:
        self.ledger = MachineLedger(self.clock)
        self.members = StateMembers(self.ledger.state)
        self.database = Database(sqlite_url(self.folder / "node.db"))
        await self.database.open()
        self.store = SqlConsentStore(self.database)
        self.refusals = SqlRefusalStore(self.database)
        self.wallets = Wallets()
        self.paper = document()
        self.customers = Customers([("client-1", idnorm_of(self.paper))])
        self.senders = {party.did: self._sender(party) for party in PARTIES}
        self.relay = Relay()
        self.desk = ConsentService(
            RequesterIdentity(ALPHA.did, CHAIN, START_MS),
            self.ledger,
            self.members,
            self.customers,
            self.store,
            self.senders[ALPHA.did],
            self.clock,
        )
        self.revocations = RevocationService(
            CHAIN, self.refusals, self.ledger, self.relay, self.clock, self.desk.forget
        )
        return self

    def _sender(self, party: Party) -> TransactionSender:
        return TransactionSender(self.ledger, party.sign, CHAIN, party.did, "#node", self.clock)  # type: ignore[arg-type]

    def issuer(self, party: Party, customers: Customers | None = None, keys: Secrets | None = None) -> IssuerService:
        return IssuerService(
            IssuerIdentity(party.did, CHAIN, START_MS, True, "#node", party.sign),
            keys or Secrets(),  # type: ignore[arg-type]
            customers or self.customers,
            SqlEnrolmentStore(self.database),
            self.ledger,
            self.clock,
        )

    async def publish(self, party: Party, issuer: IssuerService) -> None:
        await self.senders[party.did].send("issuer.publish", issuer.issuer_key_payload(issuer.period()))

    def wallet(self, name: str = "person", *, register: bool = True) -> Wallet:
        made = Wallet.create(name, CHAIN, self.wallets, self.clock, test_network=True)
        if register:
            assert self.ledger.run(made.create_did()).ok
        return made

    async def enrolled(self, party: Party = BETA, name: str = "person") -> Wallet:
        """A wallet with a credential of ``party``."""
        issuer = self.issuer(party)
        await self.publish(party, issuer)
        wallet = self.wallet(name)
        request = wallet.enrol(await issuer.challenge(wallet.did), party.did, self.paper)
        wallet.accept(await issuer.enrol(request), party.did, self.paper, self.ledger.state)
        return wallet

    def sign(self, wallet: Wallet, asked: ConsentOffer | None = None, **options: Any) -> Any:
        shown = options.pop("shown", None) or presentation(self.clock.now_ms())
        return wallet.consent(
            asked or offer(),
            shown,
            members=self.members,
            genesis_time_ms=START_MS,
            block_ms=self.clock.now_ms(),
            **options,
        )


@dataclass
class Maker:
    """Makes single tokens without a network: one issuer key, one person."""

    key: spseq.SecretKey = field(default_factory=spseq.SecretKey.generate)
    v: int = field(default_factory=lambda: holder_secret(b"\7" * 32, CHAIN))
    u: G1 = field(default_factory=lambda: identity_element(idnorm_of(document())))

    def signature(self) -> spseq.Signature:
        return spseq.sign(self.key, (G1.generator(), self.u, G1.generator() * self.v))

    def terms(self, **changes: Any) -> Terms:
        first, last = default_validity(0, START_MS)
        fields: dict[str, Any] = {
            "chain_id": CHAIN,
            "requester": ALPHA.did,
            "provider": BETA.did,
            "agent": None,
            "purpose": "suitability-assessment",
            "views": ("beta-assets/wealth/bands",),
            "function": "hidden-query",
            "not_before": first,
            "not_after": last,
            "max_uses": 12,
            "issuer": GAMMA.did,
            "credential_period": 0,
            "rk": bytes(range(32)),
            "template": "sharing-zh-1",
            "text": bytes(32),
            "nonce": b"\1" * 32,
        }
        return Terms(**(fields | changes))

    def token(self, terms: Terms | None = None) -> tuple[Token, int]:
        return make_token(terms or self.terms(), self.u, self.v, self.signature())


def changed(record: Any, **members: Any) -> Any:
    """The record with other members, through its strict decoder."""
    value: JsonObject = record.to_json()
    for path, item in members.items():
        *parents, last = path.split("__")
        target = value
        for parent in parents:
            target = target[parent]
        target[last] = item
    return type(record).from_json(value)
