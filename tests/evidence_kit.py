"""A ledger of one signer from the ledger's own parts and the slice's real rule; no sockets, no disk.

The real engine is used in ``tests/unit/verify``; here a test must be able to stop between any two steps.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.evidence import SqlEvidenceRepository
from lianzheng.clock import ManualClock
from lianzheng.crypto import ed25519
from lianzheng.encoding.model import Record
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import LianzhengError, NotFoundError, RefusedError, UnavailableError
from lianzheng.evidence.model import AnchorPayload, CaptureContext, Document
from lianzheng.evidence.rules import RULES
from lianzheng.evidence.service import EvidenceService
from lianzheng.ledger.apphash import app_hash
from lianzheng.ledger.block import Head, SignedHead, head_hash, head_signing_bytes
from lianzheng.ledger.context import BlockContext, Sender
from lianzheng.ledger.genesis import Genesis, GenesisMember, Sequencer, genesis_digest
from lianzheng.ledger.history import Standing
from lianzheng.ledger.merkle import MerkleTree
from lianzheng.ledger.ports import LogProof, Receipt, TxResult
from lianzheng.ledger.state import MemoryState
from lianzheng.ledger.transaction import TransactionBody

NETWORK = "test-1"
START_MS = 1_790_000_000_000


def did_of(name: str, network: str = NETWORK) -> str:
    """A DID-shaped name; 44 base58 characters."""
    return f"did:lz:{network}:z" + (name.replace("l", "L").replace("o", "p") * 44)[:44]


MEMBER = did_of("brokerA")
OTHER = did_of("brokerB")


class NoMembers:
    """The rule under test asks for no member."""

    def get(self, did: str) -> None:
        return None

    def all(self) -> tuple[()]:
        return ()


def make_genesis(key: bytes, network: str = NETWORK, time_ms: int = START_MS) -> Genesis:
    founder = GenesisMember(
        did_operation={"v": 1},
        name="甲证券",
        type="broker",
        uscc="91310000MA1K000000",
        address="Shanghai",
        licences=(),
        pilot_licences=(),
        filing_state="filed",
        control_group="a",
        endpoint=None,
        certificate=b"x",
        roles=(),
    )
    return Genesis(
        chain_id=network,
        time_ms=time_ms,
        registry=bytes(32),
        parameters={},
        agreement=bytes(32),
        members=(founder,),
        sequencer=Sequencer(did=did_of("brokerA", network), key=encode_multikey(ED25519_PUB, key)),
    )


class LocalLedger:
    """State, evidence log and signed heads; one block per accepted or refused anchor."""

    def __init__(self, clock: ManualClock, network: str = NETWORK, seed: bytes = b"\x07" * 32) -> None:
        self.clock = clock
        self.seed = seed
        self.genesis = make_genesis(ed25519.public_key(seed), network)
        self.state = MemoryState()
        self.log = MerkleTree("sha256")
        self.entries: list[bytes] = []
        self.next_seed: bytes | None = None
        self.changes: list[SignedHead] = []
        self.down = False
        self.lose_answer = False
        self.in_flight = False
        self.head = self._seal(bytes(32), genesis_digest(self.genesis), 0, START_MS)

    def block(self, payload: AnchorPayload | None = None, sender: str = MEMBER) -> Receipt:
        """One block with one anchor, or an empty one."""
        last = self.head.head
        height, time_ms = last.height + 1, max(last.time_ms + 1, self.clock.now_ms())
        result = TxResult("ok") if payload is None else self._execute(payload, sender, height, time_ms)
        self.head = self._seal(result.code.encode().ljust(32, b"\0"), head_hash(last), height, time_ms)
        return Receipt(bytes(32), height, 0, time_ms, result)

    def _execute(self, payload: AnchorPayload, sender: str, height: int, time_ms: int) -> TxResult:
        chain_id = self.genesis.chain_id
        body = TransactionBody(
            chain_id=chain_id, kind="evidence.anchor", sender=sender, key_id="#node", nonce=height,
            expires_at=time_ms + 1000, payload=payload.to_json(),
        )  # fmt: skip
        context = BlockContext(chain_id, height, time_ms, START_MS, NoMembers(), self.log.size)
        try:
            effects = RULES[0].rule(self.state, Sender(sender, "#node", "member"), payload, body, context)
        except LianzhengError as error:
            return TxResult(error.code)
        self.state.apply(effects.writes)
        for entry in effects.log:
            self.log.append(entry)
            self.entries.append(entry)
        return TxResult("ok", effects.data)

    def _seal(self, results_root: bytes, previous: bytes, height: int, time_ms: int) -> SignedHead:
        signer = self.seed
        if self.next_seed is not None:
            self.seed, self.next_seed = self.next_seed, None
        head = Head(
            chain_id=self.genesis.chain_id,
            height=height,
            time_ms=time_ms,
            previous=previous,
            txs_root=bytes(32),
            results_root=results_root,
            app_hash=app_hash(1, self.log.root(), self.log.size, self.state.root()),
            next_signer=encode_multikey(ED25519_PUB, ed25519.public_key(self.seed)),
        )
        signed = SignedHead(head=head, signature=ed25519.sign(signer, head_signing_bytes(head)))
        if signer != self.seed:
            self.changes.append(signed)
        return signed

    async def send(self, kind: str, payload: Record) -> Receipt:
        """``AnchorSender``."""
        if self.down:
            raise UnavailableError("ledger_unavailable", "The ledger does not answer.")
        if self.in_flight:  # a copy sent before a crash is ordered just before this one
            self.block(AnchorPayload.from_json(payload.to_json()))
        receipt = self.block(AnchorPayload.from_json(payload.to_json()))
        if self.lose_answer:
            self.lose_answer = False
            raise UnavailableError("ledger_unavailable", "The answer was lost.")
        if not receipt.result.ok:
            raise RefusedError("anchor_previous_mismatch", "Refused.")
        return receipt

    @property
    def history(self) -> LocalLedger:
        """``LedgerEngine``; the ledger is its own."""
        return self

    async def standing(self, log_size: int = 0) -> Standing:
        """``LedgerHistory``."""
        if self.log.size < log_size:
            raise NotFoundError("log_entry_unknown", "No such entry.")
        return Standing(
            schema_version=1,
            log_root=self.log.root(),
            log_size=self.log.size,
            state_root=self.state.root(),
            head=self.head.to_json(),
            head_chain=tuple(change.to_json() for change in self.changes if change != self.head),
        )

    def log_entry(self, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        """``LedgerHistory``."""
        return self.entries[index], self.log.inclusion_path(index, size)

    async def prove_log(self, index: int) -> LogProof:
        """``LedgerEngine``."""
        if index >= self.log.size:
            raise NotFoundError("log_entry_unknown", "No such entry.")
        return LogProof(
            entry=self.entries[index],
            index=index,
            log_size=self.log.size,
            log_root=self.log.root(),
            state_root=self.state.root(),
            schema=1,
            path=self.log.inclusion_path(index),
            head=self.head.to_json(),
            head_chain=tuple(change.to_json() for change in self.changes),
        )


NODE_SEED = b"\x21" * 32
CONTEXT = CaptureContext(system="counter", software_version="0.1", channel="branch", local_time_ms=START_MS)


def documents(*texts: str) -> tuple[Document, ...]:
    return tuple(Document(f"{number}.txt", "text/plain", text.encode()) for number, text in enumerate(texts))


class Site:
    """One member: database file, repository, service on a local ledger."""

    def __init__(self, folder: Path, ledger: LocalLedger, member: str = MEMBER) -> None:
        folder.mkdir(exist_ok=True)
        self.database = Database(sqlite_url(folder / "node.db"))
        self.repository = SqlEvidenceRepository(self.database)
        self.ledger = ledger
        self.service = EvidenceService(
            repository=self.repository,
            engine=ledger,  # type: ignore[arg-type]
            sender=ledger,
            sign=lambda data: ed25519.sign(NODE_SEED, data),
            clock=ledger.clock,
            genesis=ledger.genesis,
            member=member,
        )

    async def record(self, case: str = "case-1", scene: str = "suitability-test", *texts: str) -> None:
        await self.service.record(case, scene, "clerk", CONTEXT, documents(*(texts or (os.urandom(8).hex(),))))

    async def __aenter__(self) -> Self:
        await self.database.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.database.close()
