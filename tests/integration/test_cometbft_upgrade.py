"""Four real CometBFT validators go over from schema 2 to 3 by vote, with transactions flowing (LED-7, ADR 0025)."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from typing import Any

from comet_kit import MEMBERS, Cluster, Member, needs_engine
from ledger_kit import CHAIN
from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import sm2
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.multikey import ED25519_PUB, P256_PUB, SM2_PUB
from lianzheng.errors import FormatError, UnavailableError
from lianzheng.governance.model import NETWORK_KEY
from lianzheng.governance.motions.model import MotionVote, motion_id, motion_of
from lianzheng.governance.schema import SchemaUpgrade
from lianzheng.identity.did.model import (
    CreationOperation2,
    DidContent,
    DidCreate2,
    DidService,
    DidUpdate,
    MethodKey,
    did_of,
    did_record_hash,
)
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.algorithms import TransactionSigner, transaction_signer
from lianzheng.ledger.ports import Receipt
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody

pytestmark = needs_engine
ALPHA, BETA, GAMMA, DELTA = MEMBERS
AHEAD = 10
"""Blocks from the vote to the new schema: a vote each, and room for a restart before."""


class Person:
    """A DID with one key for each of some algorithms, which sends its own transactions."""

    def __init__(self, name: str, **signers: TransactionSigner) -> None:
        self.signers = {f"#{one}": signer for one, signer in signers.items()}
        purposes: Any = ("assertionMethod", "authentication")
        keys = tuple(MethodKey(id=one, multikey=by.multikey, purposes=purposes) for one, by in self.signers.items())
        for attempt in range(100):
            salt = sha256_raw(f"{name} {attempt}".encode())
            self.operation = CreationOperation2(network=CHAIN, salt=salt, content=DidContent(keys=keys))
            try:
                self.did = did_of(self.operation)
            except FormatError:  # a rare digest gives a text too short for a DID
                continue
            break

    def create(self, key_id: str, now_ms: int) -> Transaction:
        return self._signed("did.create", DidCreate2(operation=self.operation), key_id, 1, now_ms)

    def update(self, key_id: str, engine: CometEngine, now_ms: int) -> Transaction:
        """Another service in the document, signed by one of the keys."""
        record = read_did(engine.state, self.did)
        home = DidService(id="#home", type="Home", endpoint=f"https://example.org/{record.version}")
        payload = DidUpdate(
            did=self.did,
            version=record.version + 1,
            prev=did_record_hash(record),
            content=DidContent(keys=record.keys, services=(home,), control=record.controls),
        )
        return self._signed("did.update", payload, key_id, None, now_ms)

    def _signed(self, kind: str, payload: Any, key_id: str, nonce: int | None, now_ms: int) -> Transaction:
        body = TransactionBody(
            chain_id=CHAIN,
            kind=kind,
            sender=self.did,
            key_id=key_id,
            nonce=nonce,
            expires_at=now_ms + 3_600_000,
            payload=payload.to_json(),
        )
        signer = self.signers[key_id]
        return sign_transaction(body, signer.sign, signer.alg)


class Traffic:
    """The four validators in this process, and everybody's nonces."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nonces = {one.name: itertools.count(1) for one in MEMBERS}
        self.sent = 0

    def engine(self, member: Member) -> CometEngine:
        return self.cluster.engines[member.did]

    @property
    def now_ms(self) -> int:
        return self.cluster.clock.now_ms()

    async def accepted(self, member: Member, signed: Transaction) -> Receipt:
        """The receipt of an accepted transaction; the same bytes again where no answer came in time."""
        for _ in range(5):
            try:
                receipt = await self.engine(member).submit(signed)
            except UnavailableError:
                continue
            assert receipt.result.ok, receipt.result.code
            self.sent += 1
            return receipt
        raise AssertionError("no receipt")

    async def act(self, member: Member, kind: str, payload: dict[str, Any]) -> Receipt:
        signed = member.transaction(kind, payload, next(self.nonces[member.name]), self.now_ms)
        return await self.accepted(member, signed)

    async def round(self, *members: Member) -> int:
        """An update by each member at once; the highest block of theirs."""
        receipts = await asyncio.gather(
            *(self.accepted(one, self.cluster.update(one, next(self.nonces[one.name]))) for one in members or MEMBERS)
        )
        return max(receipt.height for receipt in receipts)

    async def vote(self) -> int:
        """Schema 3 is decided; its first block."""
        height = self.engine(ALPHA).status().height + AHEAD
        content = SchemaUpgrade(schema=3, height=height).to_json()
        opened = await self.act(ALPHA, "schema.upgrade", content)
        name = motion_id(CHAIN, "schema.upgrade", content)
        await self.level(opened.height)
        for member in (BETA, GAMMA):
            at = motion_of(self.engine(member).state, name).opened_height
            last = await self.act(
                member, "member.vote", MotionVote(motion=name, opened_height=at, ballot="yes").to_json()
            )
        assert last.height < height, "the vote came too late for its own height"
        return height

    async def level(self, height: int) -> None:
        """Every running node has this block."""
        engines = self.cluster.engines.values()
        assert all(await asyncio.gather(*(engine._chain.wait_height(height) for engine in engines)))

    async def restart(self, member: Member, *, wiped: bool = False) -> None:
        """Node and engine stop and come back over their files; meanwhile the others go on.

        Alpha or delta: they share a third of the power, and without beta or gamma there are no blocks. ``wiped``: the
        node's own database is gone, so that the engine plays every block to it from the first on.
        """
        await self.cluster.engines.pop(member.did).stop()
        if wiped:
            for file in (self.cluster.folder / member.name).glob("ledger.db*"):
                file.unlink()
            (self.cluster.folder / member.name / "height").unlink()
        others = [one for one in MEMBERS if one != member]
        height = await self.round(*others)
        await self.cluster.engine(member).start()
        await self.level(height)

    def schemas(self) -> set[int]:
        found = [engine.state.get(NETWORK_KEY) for engine in self.cluster.engines.values()]
        return {one["schema"] for one in found if one is not None}


def replayed(cluster: Cluster, engine: CometEngine, top: int) -> dict[int, int]:
    """A new machine executes every block from genesis and has each application hash; the schema after each height."""
    machine, schemas = Machine(cluster.genesis), {}
    for height in range(1, top + 1):
        block = engine._chain.store.block(height)
        assert block is not None
        machine.execute_block(height, block.time_ms, list(block.wire_transactions()))
        assert machine.app_hash() == block.app_hash, height
        machine.commit()
        schemas[height] = machine.schema
    return schemas


async def test_schema_3_comes_into_force_with_transactions_flowing(tmp_path: Path) -> None:
    ed25519, p256 = transaction_signer(ED25519_PUB, sha256_raw(b"e")), transaction_signer(P256_PUB, sha256_raw(b"p"))
    national = transaction_signer(SM2_PUB, sm2.generate())
    ann = Person("ann", ed=ed25519, p256=p256)
    bank = Person("bank", ed=ed25519, p256=p256, sm2=national)
    cluster = Cluster(tmp_path, schema=2)
    await cluster.start()
    traffic = Traffic(cluster)
    try:
        await traffic.accepted(BETA, ann.create("#ed", traffic.now_ms))
        await traffic.level(await traffic.round())
        early = ann.update("#p256", traffic.engine(BETA), traffic.now_ms)
        for refused in (early, bank.create("#sm2", traffic.now_ms)):
            answer = await traffic.engine(BETA).submit(refused)
            assert not answer.result.ok and answer.height == 0, "schema 2 knows neither"

        upgrade = await traffic.vote()
        await traffic.restart(ALPHA)  # between the vote and its height
        assert traffic.schemas() == {2}
        top = await traffic.round()
        while top < upgrade:
            top = await traffic.round()
        await traffic.level(top)
        assert traffic.schemas() == {3}

        receipts = [
            await traffic.accepted(ALPHA, bank.create("#sm2", traffic.now_ms)),
            await traffic.accepted(ALPHA, bank.update("#p256", traffic.engine(ALPHA), traffic.now_ms)),
            await traffic.accepted(ALPHA, bank.update("#sm2", traffic.engine(ALPHA), traffic.now_ms)),
        ]
        assert min(one.height for one in receipts) >= upgrade
        await traffic.level(receipts[-1].height)
        late = ann.update("#p256", traffic.engine(BETA), traffic.now_ms)
        await traffic.accepted(BETA, late)  # a P-256 key from before signs from now on (ADR 0025)

        await traffic.restart(DELTA)
        await traffic.restart(ALPHA, wiped=True)
        await traffic.accepted(DELTA, bank.update("#sm2", traffic.engine(DELTA), traffic.now_ms))
        top = await traffic.round()
        await traffic.level(top)

        engines = list(cluster.engines.values())
        stored = [[engine._chain.store.block(height) for height in range(1, top + 1)] for engine in engines]
        assert stored[0] == stored[1] == stored[2] == stored[3]
        assert sum(len(block.wire_transactions()) for block in stored[0] if block is not None) == traffic.sent
        for engine in engines:
            assert read_did(engine.state, bank.did).version == 4
            assert read_did(engine.state, ann.did).version == 2
        schemas = replayed(cluster, engines[0], top)
        assert {height for height, schema in schemas.items() if schema == 3} == set(range(upgrade, top + 1))
        assert schemas[upgrade - 1] == 2
    finally:
        await cluster.stop()
