"""Heads signed by keys of the test's own, a network with validators, and an engine of its own over real files."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ledger_kit import make_genesis, update_payload
from lianzheng.adapters.consensus.cometbft import CometEngine, CometFiles
from lianzheng.adapters.consensus.cometbft.home import (
    CometPorts,
    CometSettings,
    GenesisValidator,
    SyncTrust,
    node_id,
    write_home,
)
from lianzheng.clock import SystemClock
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.errors import UnavailableError
from lianzheng.governance.validators import validator_powers
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key
from lianzheng.ledger.cometbft import (
    BlockId,
    CometHead,
    CometHeader,
    CometStatement,
    CommitSignature,
    CommitVotes,
    Time,
    Validator,
)
from lianzheng.ledger.cometbft.encoding import address_of, header_hash, validators_hash, vote_bytes
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody
from lianzheng.node.engines import ring_of
from ports_kit import free_ports

BINARY = Path(__file__).resolve().parent.parent / ".tools" / "cometbft"
needs_engine = pytest.mark.skipif(not BINARY.is_file(), reason="CometBFT is not built: make cometbft (needs Go)")
CHAIN = "test-ledger"


def seed(name: str) -> bytes:
    """A fixed Ed25519 seed."""
    return sha256_raw(f"comet {name}".encode())


@dataclass(frozen=True)
class Member:
    """A member with a node key and a validator key, the same in every run."""

    name: str
    chain_id: str = CHAIN

    @property
    def operation(self) -> CreationOperation:
        node = ed25519_key("#node", ed25519.public_key(seed(f"node {self.name}")), "assertionMethod", "authentication")
        validator = ed25519_key("#validator", self.validator, "assertionMethod")
        for attempt in range(100):  # a rare digest gives a text too short for a DID
            salt = sha256_raw(f"{self.name} {attempt}".encode())
            operation = CreationOperation(network=CHAIN, keys=(node, validator), salt=salt)
            try:
                did_of(operation)
            except Exception:  # noqa: S112 - another salt
                continue
            return operation
        raise AssertionError("no salt gives a DID")

    @property
    def did(self) -> str:
        return did_of(self.operation)

    @property
    def validator_seed(self) -> bytes:
        return seed(f"validator {self.name}")

    @property
    def validator(self) -> bytes:
        return ed25519.public_key(self.validator_seed)

    def sign(self, message: bytes) -> bytes:
        """By the ``#node`` key."""
        return ed25519.sign(seed(f"node {self.name}"), message)

    def transaction(self, kind: str, payload: dict[str, object], nonce: int | None, now_ms: int) -> Transaction:
        body = TransactionBody(
            chain_id=CHAIN,
            kind=kind,
            sender=self.did,
            key_id="#node",
            nonce=nonce,
            expires_at=now_ms + 3_600_000,
            payload=payload,
        )
        return sign_transaction(body, self.sign)


MEMBERS = tuple(Member(name) for name in ("alpha", "beta", "gamma", "delta"))


def comet_genesis(members: Sequence[Any] = MEMBERS, **changes: Any) -> Genesis:
    """A genesis without a sequencer; every ``Member`` runs a validator (alpha and delta are one control group)."""
    return make_genesis(tuple(members), sequencer=None, **changes)


def ordered(powers: dict[bytes, int]) -> tuple[Validator, ...]:
    """A validator set in the engine's order."""
    return tuple(
        Validator(key=key, power=power)
        for key, power in sorted(powers.items(), key=lambda one: (-one[1], address_of(one[0])))
    )


def make_head(
    signers: Sequence[Member],
    validators: tuple[Validator, ...],
    *,
    height: int = 7,
    app_hash: bytes = b"\7" * 32,
    following: tuple[Validator, ...] | None = None,
    chain_id: str = CHAIN,
) -> CometHead:
    """A head that exactly ``signers`` have signed, in validator order."""
    header = CometHeader(
        version_block=11,
        version_app=1,
        chain_id=chain_id,
        height=height,
        time=Time(seconds=1_790_000_000 + height, nanos=123_456_789),
        last_block_id=BlockId(hash=b"\1" * 32, parts_total=1, parts_hash=b"\2" * 32),
        last_commit_hash=b"\3" * 32,
        data_hash=b"\4" * 32,
        validators_hash=validators_hash(validators),
        next_validators_hash=validators_hash(following or validators),
        consensus_hash=b"\5" * 32,
        app_hash=app_hash,
        last_results_hash=b"\x08" * 32,
        evidence_hash=b"\x09" * 32,
        proposer_address=address_of(validators[0].key),
    )
    block_id = BlockId(hash=header_hash(header), parts_total=1, parts_hash=b"\6" * 32)
    seeds = {member.validator: member.validator_seed for member in signers}
    signatures = []
    for index, one in enumerate(validators):
        if one.key not in seeds:
            continue
        blank = CommitSignature(validator=index, time=header.time, signature=bytes(64))
        votes = CommitVotes(round=0, block_id=block_id, signatures=(blank,))
        signature = ed25519.sign(seeds[one.key], vote_bytes(chain_id, height, votes, blank))
        signatures.append(blank.model_copy(update={"signature": signature}))
    commit = CommitVotes(round=0, block_id=block_id, signatures=tuple(signatures))
    return CometHead(header=header, commit=commit, validators=validators)


class Cluster:
    """Engines of several members in this process, each with a real CometBFT process of its own."""

    def __init__(
        self,
        folder: Path,
        members: Sequence[Member] = MEMBERS,
        snapshot_blocks: int = 1000,
        founders: Sequence[Any] | None = None,
        **changes: Any,
    ) -> None:
        """``founders`` may hold members without a node; ``changes`` are of the genesis."""
        self.members = tuple(members)
        self.snapshot_blocks = snapshot_blocks
        self.clock = SystemClock()
        self.genesis = comet_genesis(founders or self.members, time_ms=self.clock.now_ms(), **changes)
        self.folder = folder
        self.engines: dict[str, CometEngine] = {}
        powers = validator_powers(Machine(self.genesis).committed_state)
        self.settings = CometSettings(
            chain_id=self.genesis.chain_id,
            genesis_time_ms=self.genesis.time_ms,
            genesis_digest=genesis_digest(self.genesis),
            validators=tuple(
                GenesisValidator(one.name, one.validator, powers[one.validator])
                for one in self.members
                if one.validator in powers
            ),
            profile="lan",
            heartbeat_ms=600_000,
        )
        ports = free_ports(2 * len(self.members))
        self.ports = {one.name: CometPorts("127.0.0.1", *ports[2 * i : 2 * i + 2]) for i, one in enumerate(members)}
        for one in self.members:
            self.write_home(one)

    def write_home(self, member: Member, trust: SyncTrust | None = None) -> None:
        """The engine's folder of a member, connected to all the others; with ``trust`` one that joins by state sync."""
        if member.name not in self.ports:
            self.ports[member.name] = CometPorts("127.0.0.1", *free_ports(2))
        write_home(
            self.folder / member.name / "cometbft",
            self.settings,
            name=member.name,
            validator_seed=member.validator_seed,
            node_seed=seed(f"p2p {member.name}"),
            ports=self.ports[member.name],
            peers=[
                f"{node_id(ed25519.public_key(seed(f'p2p {other.name}')))}@127.0.0.1:{self.ports[other.name].p2p}"
                for other in self.members
                if other != member
            ],
            trust=trust,
        )

    def engine(self, member: Member) -> CometEngine:
        """A new engine object over the member's files."""
        home = self.folder / member.name
        self.engines[member.did] = CometEngine(
            Machine(self.genesis),
            self.genesis,
            CometFiles(BINARY, home / "cometbft", home / "ledger.db", home / "height"),
            validator_powers,
            ring_of,
            self.clock,
            did=member.did,
            sign=member.sign,
            source=lambda did: DirectSource(self.engines, did),
            snapshot_blocks=self.snapshot_blocks,
        )
        return self.engines[member.did]

    async def start(self) -> list[CometEngine]:
        """All of them."""
        engines = [self.engine(one) for one in self.members]
        await asyncio.gather(*(engine.start() for engine in engines))
        return engines

    async def stop(self) -> None:
        """All of them."""
        await asyncio.gather(*(engine.stop() for engine in self.engines.values()))

    def update(self, member: Member, nonce: int) -> Transaction:
        """A transaction that is accepted."""
        return member.transaction("member.update", update_payload(nonce, member.name), nonce, self.clock.now_ms())


class DirectSource:
    """``StatementSource`` by a direct call."""

    def __init__(self, engines: dict[str, CometEngine], did: str) -> None:
        self._engines, self._did = engines, did

    async def comet_statement(self, nonce: bytes) -> CometStatement:
        engine = self._engines.get(self._did)
        if engine is None:
            raise UnavailableError("peer_unreachable", "It does not run.")
        return await engine.head_statement(nonce)
