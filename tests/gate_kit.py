"""A provider's gate on a running ledger: sequencer engine, machine, SQLite, keys, tokens; nothing is simulated.

BETA provides, ALPHA asks, GAMMA issues; DELTA is of ALPHA's control group. ``LedgerView`` can show the gate what no
rule of this schema writes yet (a suspended member), and nothing else is replaced.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select

from compute_kit import sample_people
from ledger_kit import ALPHA, BETA, CHAIN, DELTA, GAMMA, START_MS, Party, make_genesis, make_sequencer
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.storage.compute import DatasetRepository, EpochRepository, PeerTableRepository
from lianzheng.adapters.storage.consent import SqlRefusalStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.epoch_builds import EpochBuildRepository
from lianzheng.adapters.storage.gate import ReceiptRepository, UseRepository
from lianzheng.adapters.storage.tables.compute import gate_receipt, gate_task_use, gate_use, view_epoch
from lianzheng.api.services import GateLog
from lianzheng.clock import DAY_MS, ManualClock
from lianzheng.compute.datasets.model import DatasetPublish
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.gate.model import (
    GateAnswer,
    GateBatch,
    GateCall,
    GateRequest,
    ViewEpoch,
    batch_answer,
    request_signing_bytes,
)
from lianzheng.compute.gate.ports import ViewKey, ViewKeys
from lianzheng.compute.gate.requester import GATE_BATCH_PATH, GATE_PATH, GateClient
from lianzheng.compute.gate.service import GateService
from lianzheng.compute.ports import PersonRow
from lianzheng.compute.protocols.hidden_query.client import TABLE_PATH
from lianzheng.compute.protocols.hidden_query.pir import ANSWERS_PATH, BOUNDARIES_PATH, HINT_PATH
from lianzheng.compute.protocols.hidden_query.retrieval import RetrievalClient
from lianzheng.compute.tasks.model import TaskContract
from lianzheng.compute.tasks.service import TaskService
from lianzheng.compute.views.service import ViewService
from lianzheng.consent.model import (
    ConsentGrant,
    Grant,
    Terms,
    Token,
    cid_of,
    consent_key_name,
    consent_state_key,
    grant_pop_bytes,
    token_digest,
)
from lianzheng.consent.status import consent_id
from lianzheng.consent.token import default_validity, make_token
from lianzheng.crypto import ed25519
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Record
from lianzheng.errors import LianzhengError, UnavailableError
from lianzheng.identity.idnorm import identity_element
from lianzheng.identity.model import IssuerPublish
from lianzheng.identity.rules import CREDENTIAL_PURPOSE
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import LedgerEngine, Receipt
from lianzheng.ledger.sender import TransactionSender, sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody
from lianzheng.limits import GATE_BATCH_BYTES_MAX, GRANTS_MIN, MESSAGE_BYTES_MAX
from lianzheng.node.gateways import TokenBucket
from lianzheng.zk import spseq

DATASET = "beta-clients"
WEALTH, EXPERIENCE, MANY = f"{DATASET}/wealth/bands", f"{DATASET}/experience/bands", f"{DATASET}/wealth/i01-ge-4"
VIEWS = tuple(sorted((WEALTH, EXPERIENCE, MANY)))
WORDS = ("suitability-assessment", "suitability-reassessment")
EPOCH_MS = 10 * DAY_MS
PER_MINUTE = 10_000


Views = Sequence[str | ViewEpoch]


class LedgerView:
    """The engine as the gate sees it, with entries laid over its state."""

    def __init__(self, engine: LedgerEngine) -> None:
        self._engine = engine
        self._over: dict[str, JsonObject] = {}

    def put(self, key: str, **members: Any) -> None:
        """Show the entry at ``key`` with other members."""
        self._over[key] = {**(self.get(key) or {}), **members}

    @property
    def state(self) -> StateView:
        return self

    def get(self, key: str) -> JsonObject | None:
        return self._over.get(key) or self._engine.state.get(key)

    def scan(self, prefix: str) -> Iterator[tuple[str, JsonObject]]:
        for key, value in self._engine.state.scan(prefix):
            yield key, self._over.get(key, value)

    def now_block_ms(self) -> int:
        return self._engine.now_block_ms()

    def assert_fresh(self) -> None:
        self._engine.assert_fresh()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)


class FailingSender:
    """A sender that loses the ledger before the kinds in ``failing``, once each."""

    def __init__(self, sender: TransactionSender) -> None:
        self._sender = sender
        self.failing: list[str] = []

    async def send(self, kind: str, payload: Record, ordered: bool = False) -> Receipt:
        if kind in self.failing:
            self.failing.remove(kind)
            raise UnavailableError("ledger_unavailable", "The ledger does not answer.")
        return await self._sender.send(kind, payload, ordered)


class CountedKeys:
    """Counts how often the gate took a view key: each evaluation takes it once."""

    def __init__(self, keys: ViewKeys) -> None:
        self._keys = keys
        self.taken = 0

    def get(self, view: str, epoch: int) -> ViewKey | None:
        self.taken += 1
        return self._keys.get(view, epoch)


@dataclass(frozen=True)
class Person:
    """A customer of BETA and its secrets."""

    row: PersonRow
    v: int
    u: G1 = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "u", identity_element(self.row.idnorm))


@dataclass(frozen=True)
class Issued:
    """A token, its r and the seed of its consent key."""

    token: Token
    r: int
    seed: bytes

    @property
    def cid(self) -> bytes:
        return consent_id(self.token)

    def grant(self, poster: Party) -> Grant:
        pop = ed25519.sign(self.seed, grant_pop_bytes(CHAIN, self.cid, poster.did))
        terms = self.token.terms
        return Grant(rk=terms.rk, not_after=terms.not_after, h=token_digest(self.token), pop=pop)

    def transaction(self, kind: str, payload: JsonObject, now_ms: int) -> Transaction:
        """An act of the consent key."""
        body = TransactionBody(
            chain_id=CHAIN,
            kind=kind,
            sender=consent_key_name(self.token.terms.rk),
            key_id="",
            nonce=None,
            expires_at=now_ms + 3_600_000,
            payload=payload,
        )
        return sign_transaction(body, lambda data: ed25519.sign(self.seed, data))


@dataclass(frozen=True)
class Counts:
    """What an answer changes at the provider, and a refusal must not."""

    receipts: int
    uses: int
    task_uses: int
    answers: int
    evaluations: int


class GateNet:
    """Everything between a requester and a provider's gate."""

    def __init__(self, folder: Path, genesis: Any = None, per_minute: int = PER_MINUTE) -> None:
        self.folder = folder
        self.genesis = genesis or make_genesis()
        self.clock = ManualClock(START_MS + 1)
        self.per_minute = per_minute
        self.serial = 0
        self.stopped = False
        self.issuer_keys: dict[str, spseq.SecretKey] = {}
        self.people = [Person(row, 1_000_003 + index) for index, row in enumerate(sample_people(12))]

    async def open(self) -> GateNet:
        self.engine = make_sequencer(self.folder, self.clock, self.genesis)
        await self.engine.start()
        self.ledger = LedgerView(self.engine)
        self.database = Database(sqlite_url(self.folder / "beta.db"))
        await self.database.open()
        self.keystore = SealedFileKeyStore.create(self.folder / "beta.keys", b"a passphrase")
        self.datasets = datasets = DatasetRepository(self.database)
        beta = FailingSender(self.sender(BETA))
        self.fail = beta.failing.append
        self.loading = DatasetService(datasets, beta, self.clock)
        epochs, builds = EpochRepository(self.database), EpochBuildRepository(self.database)
        self.views = ViewService(
            datasets, epochs, builds, self.keystore, beta, self._state, self.clock, CHAIN, BETA.did
        )
        self.uses = UseRepository(self.database)
        self.refusals = SqlRefusalStore(self.database)
        self.reports = TaskService(beta, self.uses)
        self.log = GateLog(self.clock)
        self.keys = CountedKeys(self.views.keys)
        self.gate = self.make_gate(self.ledger)
        self.receipts = ReceiptRepository(self.database)
        self.transport = Loopback(self)
        self.client = GateClient(ALPHA.did, CHAIN, ALPHA.sign, self.transport, self._state, self.clock)
        self.tables = RetrievalClient(CHAIN, self.transport, PeerTableRepository(self.database), self._state)
        await self._populate()
        return self

    async def close(self) -> None:
        await self.stop_ledger()
        await self.database.close()

    async def stop_ledger(self) -> None:
        """The engine ends; a second call does nothing."""
        if not self.stopped:
            self.stopped = True
            await self.engine.stop()

    def make_gate(self, ledger: Any) -> GateService:
        rate = TokenBucket(self.per_minute, self.clock)
        return GateService(
            BETA.did,
            CHAIN,
            START_MS,
            ledger,
            self.keys,
            self.uses,
            self.refusals,
            rate,
            self.log,
            BETA.sign,
            self.clock,
        )

    def sender(self, party: Party) -> TransactionSender:
        return TransactionSender(self.engine, party.sign, CHAIN, party.did, "#node", self.clock)

    def _state(self) -> StateView:
        return self.engine.state

    async def _populate(self) -> None:
        await self.publish_key(GAMMA)
        await self.loading.publish(self.offer())
        await self.loading.load(DATASET, "2026-09-01", [person.row for person in self.people])
        self.until_ms = self.clock.now_ms() + EPOCH_MS
        for view in VIEWS:
            await self.views.open_epoch(view, self.until_ms)
        self.task = await self.propose()

    # --- the ledger ----------------------------------------------------------------------------------------------

    def offer(self, **changes: Any) -> DatasetPublish:
        members: JsonObject = {
            "dataset": DATASET,
            "title": "Clients",
            "as_of": "2026-09-01",
            "views": list(VIEWS),
            "purposes": list(WORDS),
            "functions": ["hidden-query"],
            "retrieval": "table",
            "issuers": None,
        }
        return DatasetPublish.from_json(members | changes)

    async def publish_key(self, party: Party, period: int = 0) -> None:
        key = self.issuer_keys.setdefault(party.did, spseq.SecretKey.generate())
        pop = spseq.prove_possession(key, CHAIN, party.did, CREDENTIAL_PURPOSE, period)
        payload = IssuerPublish(period=period, key=key.public().to_bytes(), pop=pop)
        await self.sender(party).send("issuer.publish", payload)

    async def propose(self, requester: Party = ALPHA, *, approve: bool = True, **changes: Any) -> bytes:
        """A contract over all views of BETA; its id."""
        members: JsonObject = {
            "v": 1,
            "function": "hidden-query",
            "function_version": 1,
            "requester": requester.did,
            "providers": [BETA.did],
            "views": list(VIEWS),
            "purpose": WORDS[0],
            "parameters": {},
            "receiver": requester.did,
            "quota": 100,
            "expires_ms": self.clock.now_ms() + 300 * DAY_MS,
            "impact_assessment": "A" * 43,
        }
        task, _ = await TaskService(self.sender(requester), self.uses).propose(
            TaskContract.from_json(members | changes)
        )
        if approve:
            await self.reports.approve(task)
        return task

    async def grant(self, *issued: Issued, poster: Party = ALPHA) -> list[str]:
        """The grants of these tokens; their codes."""
        return await self.post(*(item.grant(poster) for item in issued), poster=poster)

    async def post(self, *real: Grant, poster: Party = ALPHA) -> list[str]:
        """A batch, filled up with dummies; the codes of the real ones."""
        grants = list(real)
        while len(grants) < GRANTS_MIN:
            seed, h = ed25519.generate(), secrets.token_bytes(32)
            rk, not_after = ed25519.public_key(seed), grants[0].not_after
            pop = ed25519.sign(seed, grant_pop_bytes(CHAIN, cid_of(rk, not_after, h), poster.did))
            grants.append(Grant(rk=rk, not_after=not_after, h=h, pop=pop))
        receipt = await self.sender(poster).send("consent.grant", ConsentGrant(grants=tuple(grants)))
        return list(receipt.result.data[: len(real)])

    async def act(self, issued: Issued, kind: str, payload: JsonObject) -> str:
        receipt = await self.engine.submit(issued.transaction(kind, payload, self.clock.now_ms()))
        return receipt.result.code

    def record_key(self, issued: Issued) -> str:
        return consent_state_key(issued.cid)

    # --- tokens and requests -------------------------------------------------------------------------------------

    def issue(self, person: Person | None = None, *, issuer: Party = GAMMA, **changes: Any) -> Issued:
        """A token that nobody has granted yet."""
        person = person or self.people[1]
        self.serial += 1
        seed = ed25519.generate()
        period = int(changes.get("credential_period", 0))
        first, last = default_validity(period, START_MS)
        fields: dict[str, Any] = {
            "chain_id": CHAIN,
            "requester": ALPHA.did,
            "provider": BETA.did,
            "agent": None,
            "purpose": WORDS[0],
            "views": VIEWS,
            "function": "hidden-query",
            "not_before": first,
            "not_after": last,
            "max_uses": 12,
            "issuer": issuer.did,
            "credential_period": period,
            "rk": ed25519.public_key(seed),
            "template": "sharing-zh-1",
            "text": bytes(32),
            "nonce": self.serial.to_bytes(32, "big"),
        }
        key = self.issuer_keys.setdefault(issuer.did, spseq.SecretKey.generate())
        signature = spseq.sign(key, (G1.generator(), person.u, G1.generator() * person.v))
        token, r = make_token(Terms(**(fields | changes)), person.u, person.v, signature)
        return Issued(token, r, seed)

    async def granted(self, person: Person | None = None, *, poster: Party = ALPHA, **changes: Any) -> Issued:
        """A token whose grant stands."""
        issued = self.issue(person, **changes)
        assert await self.grant(issued, poster=poster) == ["ok"]
        return issued

    def request(self, issued: Issued, views: Views = (WEALTH,), by: Party = ALPHA, **changes: Any) -> GateRequest:
        """A signed request of ``by``."""
        pairs = tuple(view if isinstance(view, ViewEpoch) else ViewEpoch(view=view, epoch=1) for view in views)
        fields: dict[str, Any] = {
            "chain_id": CHAIN,
            "requester": by.did,
            "key_id": "#node",
            "provider": BETA.did,
            "task": self.task,
            "cid": issued.cid,
            "views": pairs,
            "nonce": secrets.token_bytes(32),
            "time_ms": self.clock.now_ms(),
            "signature": bytes(64),
        }
        draft = GateRequest(**(fields | changes))
        return draft.model_copy(update={"signature": by.sign(request_signing_bytes(draft))})

    async def send(self, request: GateRequest, token: Token | bytes, peer: str = ALPHA.did) -> GateAnswer:
        """What the gate answers to ``peer``."""
        raw = token if isinstance(token, bytes) else token.to_bytes()
        return GateAnswer.from_bytes(await self.gate.answer(peer, GateCall(request=request, token=raw).to_bytes()))

    async def ask(self, issued: Issued, views: Views = (WEALTH,), **changes: Any) -> GateAnswer:
        """One honest use."""
        return await self.send(self.request(issued, views, **changes), issued.token)

    async def refused(
        self,
        code: str,
        request: GateRequest,
        token: Token | bytes,
        peer: str = ALPHA.did,
        *,
        evaluates: bool = False,
        alone: bool = False,
    ) -> None:
        """The gate refuses with ``code``, alone and in a batch, logs it, and counts nothing; nor has it evaluated,
        unless ``evaluates``. With ``alone`` it is asked once, not in a batch too: for what happens only once."""
        before = await self.counts()
        with pytest.raises(LianzhengError) as caught:
            await self.send(request, token, peer)
        assert caught.value.code == code
        assert self.log.lines()[-1].outcome == code
        if not alone:
            raw = token if isinstance(token, bytes) else token.to_bytes()
            (outcome,) = await self.gate.answer_many(peer, [GateCall(request=request, token=raw).to_bytes()])
            assert isinstance(outcome, LianzhengError)
            assert (type(outcome), outcome.code) == (type(caught.value), code)
            assert self.log.lines()[-1].outcome == code
        after = await self.counts()
        assert (replace(after, evaluations=before.evaluations) if evaluates else after) == before

    async def deny(self, code: str, issued: Issued, views: Views = (WEALTH,), **changes: Any) -> None:
        """As :meth:`refused`, for an otherwise honest request of ALPHA."""
        await self.refused(code, self.request(issued, views, **changes), issued.token)

    async def counts(self) -> Counts:
        async with self.database.read() as connection:
            numbers = [
                (await connection.execute(select(func.count()).select_from(table))).scalar_one()
                for table in (gate_receipt, gate_use, gate_task_use)
            ]
            answers = (await connection.execute(select(func.sum(view_epoch.c.answers)))).scalar_one()
        receipts, uses, task_uses = numbers
        return Counts(receipts, uses, task_uses, answers, self.keys.taken)


class Loopback:
    """``Transport`` without a socket: ALPHA's bytes reach BETA's gate as they are."""

    def __init__(self, net: GateNet) -> None:
        self.net = net
        self.away = False
        self.change: Callable[[bytes], bytes] = lambda answer: answer

    async def post_bytes(self, did: str, path: str, body: bytes, size_max: int = MESSAGE_BYTES_MAX) -> bytes:
        self._check(did)
        if path == GATE_BATCH_PATH:
            calls = GateBatch.from_bytes(body, GATE_BATCH_BYTES_MAX).calls
            answer = batch_answer(await self.net.gate.answer_many(ALPHA.did, calls)).to_bytes()
            assert len(answer) <= size_max
            return self.change(answer)
        for view, epoch in self._epochs():
            if path == ANSWERS_PATH.format(view=view, epoch=epoch):
                return self.change(await self.net.views.served.answer(view, epoch, body))
        assert path == GATE_PATH
        return self.change(await self.net.gate.answer(ALPHA.did, body))

    async def get_bytes(self, did: str, path: str) -> bytes:
        self._check(did)
        served = self.net.views.served
        ways = {TABLE_PATH: self.net.views.table, BOUNDARIES_PATH: served.boundaries, HINT_PATH: served.hint}
        for view, epoch in self._epochs():
            for pattern, way in ways.items():
                if path == pattern.format(view=view, epoch=epoch):
                    return await way(view, epoch)
        raise AssertionError(path)

    def _epochs(self) -> list[tuple[str, int]]:
        return [(view, epoch) for view in VIEWS for epoch in range(1, 9)]

    def _check(self, did: str) -> None:
        if self.away or did != BETA.did:
            raise UnavailableError("peer_unreachable", "Nobody is there.")


__all__ = [
    "ALPHA",
    "BETA",
    "CHAIN",
    "DATASET",
    "DELTA",
    "EXPERIENCE",
    "GAMMA",
    "MANY",
    "START_MS",
    "VIEWS",
    "WEALTH",
    "WORDS",
    "GateNet",
    "Issued",
    "Party",
    "Person",
]
