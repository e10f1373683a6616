"""A small network for ledger tests: fixed keys, a genesis, engines over real files, a link without sockets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.clock import ManualClock
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import UnavailableError
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key
from lianzheng.ledger.genesis import Genesis, GenesisMember, Sequencer
from lianzheng.ledger.receipt import encode_receipt
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.statement import HeadStatement
from lianzheng.ledger.transaction import Transaction, TransactionBody

CHAIN = "test-ledger"
START_MS = 1_790_000_000_000
AGREEMENT = sha256_raw(b"the agreement")


@dataclass(frozen=True)
class Party:
    """A member or person with one key, made from a name alone so that every run has the same."""

    name: str
    chain_id: str = CHAIN
    key_id: str = "#node"
    seed: bytes = field(init=False)
    operation: CreationOperation = field(init=False)
    did: str = field(init=False)

    def __post_init__(self) -> None:
        seed = sha256_raw(f"seed {self.name}".encode())
        key = ed25519_key(self.key_id, ed25519.public_key(seed), "assertionMethod", "authentication")
        for attempt in range(100):  # a rare digest gives a text too short for a DID
            salt = sha256_raw(f"salt {self.name} {attempt}".encode())
            operation = CreationOperation(network=self.chain_id, keys=(key,), salt=salt)
            try:
                did = did_of(operation)
            except Exception:  # noqa: S112 - another salt
                continue
            break
        object.__setattr__(self, "seed", seed)
        object.__setattr__(self, "operation", operation)
        object.__setattr__(self, "did", did)

    def sign(self, message: bytes) -> bytes:
        return ed25519.sign(self.seed, message)

    def transaction(
        self, kind: str, payload: JsonObject, nonce: int | None, *, now_ms: int = START_MS, **changes: Any
    ) -> Transaction:
        fields: dict[str, Any] = {
            "chain_id": self.chain_id,
            "kind": kind,
            "sender": self.did,
            "key_id": self.key_id,
            "nonce": nonce,
            "expires_at": now_ms + 3_600_000,
            "payload": payload,
        }
        return sign_transaction(TransactionBody(**(fields | changes)), self.sign)


ALPHA, BETA, GAMMA, DELTA = (Party(name) for name in ("alpha", "beta", "gamma", "delta"))
PARTIES = (ALPHA, BETA, GAMMA, DELTA)


def make_genesis(parties: tuple[Party, ...] = PARTIES, **changes: Any) -> Genesis:
    """Founders alpha to delta; alpha and delta are one control group; alpha sequences."""
    members = tuple(
        GenesisMember(
            did_operation=party.operation.to_json(),
            name=f"Broker {party.name}",
            type="broker",
            uscc="91110000MA00000000",
            address="Example street 1",
            licences=("securities brokerage",),
            pilot_licences=(),
            filing_state="filed",
            control_group="alpha" if party.name == "delta" else party.name,
            endpoint=None if party.name == "delta" else f"https://127.0.0.1:{7000 + index}",
            certificate=f"certificate of {party.name}".encode(),
            roles=("requester", "provider"),
        )
        for index, party in enumerate(parties)
    )
    fields: dict[str, Any] = {
        "chain_id": parties[0].chain_id,
        "time_ms": START_MS,
        "registry": sha256_raw(b"registry"),
        "parameters": {"token_version_min": 1},
        "agreement": AGREEMENT,
        "members": members,
        "sequencer": Sequencer(did=parties[0].did, key=parties[0].operation.keys[0].multikey),
    }
    return Genesis(**(fields | changes))


def agreement_payload() -> JsonObject:
    """Payload that any member's first ``agreement.sign`` is accepted with."""
    from lianzheng.governance.model import AgreementSign

    return AgreementSign(agreement=AGREEMENT).to_json()


def update_payload(number: int, who: str = "x") -> JsonObject:
    """Payload of a ``member.update`` that is always accepted."""
    from lianzheng.governance.model import MemberUpdate

    return MemberUpdate(
        endpoint=f"https://127.0.0.1:{number % 60000}",
        certificate=f"new certificate of {who}".encode(),
        licences=("securities brokerage",),
        pilot_licences=(),
    ).to_json()


def anchor_payload(previous: bytes | None, fill: int = 1) -> JsonObject:
    """Payload of an ``evidence.anchor`` following ``previous``."""
    from lianzheng.evidence.model import AnchorPayload

    return AnchorPayload(
        root_sha256=bytes([fill]) * 32, root_sm3=bytes([fill]) * 32, count=1, previous_anchor=previous
    ).to_json()


def make_sequencer(
    folder: Path, clock: ManualClock, genesis: Genesis | None = None, **options: Any
) -> EmbeddedSequencer:
    """A sequencer over files in ``folder`` that hurries."""
    genesis = genesis or make_genesis()
    return EmbeddedSequencer(
        options.pop("machine", None) or Machine(genesis),
        genesis,
        database=folder / "ledger.sqlite",
        height_file=folder / "height",
        sign=ALPHA.sign,
        clock=clock,
        **({"interval_ms": 1} | options),
    )


def make_follower(
    folder: Path, link: object, clock: ManualClock, party: Party = BETA, genesis: Genesis | None = None, **options: Any
) -> EmbeddedFollower:
    """A follower over files in ``folder``."""
    genesis = genesis or make_genesis()
    return EmbeddedFollower(
        options.pop("machine", None) or Machine(genesis),
        genesis,
        link,  # type: ignore[arg-type]
        did=party.did,
        sign=party.sign,
        database=folder / "ledger.sqlite",
        height_file=folder / "height",
        clock=clock,
        **({"poll_ms": 2} | options),
    )


class DirectLink:
    """``SequencerLink`` by direct calls, with faults that a test may switch on."""

    def __init__(self, sequencer: EmbeddedSequencer) -> None:
        self.sequencer = sequencer
        self.cut = False
        self.change_blocks: Callable[[list[bytes]], list[bytes]] = lambda blocks: blocks
        self.change_statement: Callable[[HeadStatement], HeadStatement] = lambda statement: statement

    async def submit(self, transaction: bytes) -> JsonObject:
        self._check()
        return encode_receipt(await self.sequencer.submit_bytes(transaction))

    async def blocks(self, from_height: int, limit: int) -> list[bytes]:
        self._check()
        return self.change_blocks(await self.sequencer.blocks(from_height, limit))

    async def head_statement(self, nonce: bytes) -> HeadStatement:
        self._check()
        return self.change_statement(await self.sequencer.head_statement(nonce))

    def _check(self) -> None:
        if self.cut:
            raise UnavailableError("peer_unreachable", "The link is cut.")
