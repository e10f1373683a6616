"""Holders of did:lz identifiers with numbered keys, and a machine to send their operations to."""

from __future__ import annotations

from typing import Any

from ledger_kit import CHAIN, PARTIES, START_MS, Party, make_genesis
from lianzheng.contracts.machine import Machine
from lianzheng.crypto import ed25519
from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.multikey import ED25519_PUB, encode_multikey
from lianzheng.errors import FormatError
from lianzheng.identity.did.model import (
    Approval,
    CreationOperation2,
    DidContent,
    DidControl,
    DidCreate2,
    DidDeactivate,
    DidRecord,
    DidRecover,
    DidUpdate,
    MethodKey,
    approval_bytes,
    commitment,
    did_of,
    did_record,
    did_record_hash,
)
from lianzheng.identity.resolver import read_did
from lianzheng.ledger.context import StateView
from lianzheng.ledger.ports import StateProof
from lianzheng.ledger.sender import sign_transaction
from lianzheng.ledger.transaction import Transaction, TransactionBody

Signer = int | str


class Holder:
    """A DID of version 2: key 0 is present, keys 1… are committed, key ``r`` recovers."""

    did: str
    operation: Any

    def __init__(
        self,
        name: str = "holder",
        next_keys: int = 0,
        recovery: bool = False,
        control: dict[str, Any] | None = None,
        services: tuple[Any, ...] = (),
        chain: str = CHAIN,
    ) -> None:
        self.name, self.next_keys, self.recovery, self.key_id = name, next_keys, recovery, "#key-1"
        self.control_changes = control or {}
        content = DidContent(keys=(self.key(0),), services=services, control=self.control())
        for attempt in range(100):
            salt = sha256_raw(f"salt {name} {attempt}".encode())
            self.operation = CreationOperation2(network=chain, salt=salt, content=content)
            try:
                self.did = did_of(self.operation)
            except FormatError:  # a rare digest gives a text too short for a DID
                continue
            break

    @classmethod
    def of(cls, party: Party) -> Holder:
        """A founder of the kit's network as a holder."""
        holder = cls(party.name)
        holder.did, holder.key_id, holder.operation = party.did, "#node", party.operation
        return holder

    @classmethod
    def named(cls, name: str) -> Holder:
        """The founder of this name."""
        return cls.of(next(party for party in PARTIES if party.name == name))

    @staticmethod
    def person(name: str) -> Party:
        """Somebody with a DID of version 1."""
        return Party(name, key_id="#key-1")

    def seed(self, number: Signer) -> bytes:
        """Secret of a numbered key; key 0 of a founder is its node key."""
        founder = self.key_id == "#node" and number == 0
        return sha256_raw(f"seed {self.name}".encode() if founder else f"key {self.name} {number}".encode())

    def multikey(self, number: Signer) -> str:
        """Public text of a numbered key."""
        return encode_multikey(ED25519_PUB, ed25519.public_key(self.seed(number)))

    def key(self, number: Signer, key_id: str = "#key-1") -> MethodKey:
        """A numbered key as a verification method."""
        return MethodKey(id=key_id, multikey=self.multikey(number), purposes=("assertionMethod", "authentication"))

    def control(self, **changes: Any) -> DidControl:
        """The control that the DID is created with."""
        digests = sorted(commitment("next", self.multikey(one + 1)) for one in range(self.next_keys))
        recovery = commitment("recovery", self.multikey("r")) if self.recovery else None
        fields: dict[str, Any] = {"next": tuple(digests), "recovery": recovery}
        return DidControl(**(fields | self.control_changes | changes))

    def first(self) -> DidRecord:
        """The record as created."""
        return did_record(self.operation, START_MS)


class Network:
    """A machine of the kit's founders; every transaction is a block."""

    def __init__(self, schema: int = 2) -> None:
        self.machine = Machine(make_genesis(schema=schema))
        self.height, self.time_ms = 0, START_MS
        self.sent: list[Transaction] = []

    @property
    def state(self) -> StateView:
        return self.machine.state

    def record(self, holder: Holder) -> DidRecord:
        return read_did(self.state, holder.did)

    def send(self, transaction: Transaction) -> str:
        self.sent.append(transaction)
        self.height, self.time_ms = self.height + 1, self.time_ms + 1000
        code = self.machine.execute_block(self.height, self.time_ms, [transaction.to_bytes()])[0].code
        self.machine.commit()
        return code

    def create(self, holder: Holder, nonce: int = 1) -> str:
        payload = DidCreate2(operation=holder.operation)
        return self.send(self._sign("did.create", payload, holder, holder.key_id, holder.seed(0), nonce))

    def created(self, holder: Holder) -> Holder:
        code = self.create(holder)
        if code != "ok":
            raise RuntimeError(code)
        return holder

    def payload(self, holder: Holder, kind: Any = DidUpdate, record: DidRecord | None = None, **changes: Any) -> Any:
        """The change of ``holder`` that follows its present record, with members replaced."""
        record = record or self.record(holder)
        control = changes.pop("control", record.controls)
        content = DidContent(
            keys=changes.pop("keys", record.keys),
            services=changes.pop("services", record.services),
            control=control if isinstance(control, DidControl) else DidControl(**control),
        )
        fields = {"did": holder.did, "version": record.version + 1, "prev": did_record_hash(record)}
        if kind is not DidDeactivate:
            fields["content"] = content
        return kind(**(fields | changes))

    def update(
        self,
        holder: Holder,
        *,
        signer: Signer = 0,
        sender: Holder | None = None,
        seed: bytes | None = None,
        key_id: str | None = None,
        nonce: int | None = None,
        approvals: tuple[Holder, ...] = (),
        spoil: bool = False,
        **changes: Any,
    ) -> str:
        by = sender or holder
        payload = self.payload(holder, **changes)
        if approvals:
            message = approval_bytes(CHAIN, payload) + (b"!" if spoil else b"")
            found = [
                Approval(method=one.did + one.key_id, signature=ed25519.sign(one.seed(0), message)) for one in approvals
            ]
            payload = payload.model_copy(update={"approvals": tuple(found)})
        return self.send(self._sign("did.update", payload, by, key_id or by.key_id, seed or by.seed(signer), nonce))

    def recover(self, holder: Holder, *, signer: Signer = "r", **changes: Any) -> str:
        payload = self.payload(holder, DidRecover, key=holder.multikey(signer), **changes)
        return self.send(self._sign("did.recover", payload, holder, "#recovery", holder.seed(signer), None))

    def deactivate(
        self, holder: Holder, *, reveal: Signer | None = None, signer: Signer = 0, show: Signer | None = None
    ) -> str:
        shown = reveal if show is None else show
        key = None if shown is None else holder.multikey(shown)
        payload = self.payload(holder, DidDeactivate, key=key)
        key_id = holder.key_id if reveal is None else "#recovery"
        seed = holder.seed(signer if reveal is None else reveal)
        return self.send(self._sign("did.deactivate", payload, holder, key_id, seed, None))

    def _sign(
        self, kind: str, payload: Any, sender: Holder, key_id: str, seed: bytes, nonce: int | None
    ) -> Transaction:
        body = TransactionBody(
            chain_id=CHAIN,
            kind=kind,
            sender=sender.did,
            key_id=key_id,
            nonce=nonce,
            expires_at=self.time_ms + 3_600_000,
            payload=payload.to_json(),
        )
        return sign_transaction(body, lambda message: ed25519.sign(seed, message))


class MachineLedger:
    """``ProvingLedger`` over a network's machine: the real trees, under a head that nobody signed."""

    def __init__(self, network: Network) -> None:
        self._machine = network.machine

    @property
    def state(self) -> StateView:
        return self._machine.committed_state

    async def prove_state(self, key: str, height: int | None = None) -> StateProof:
        value, path = self._machine.state_path(key, height)
        roots = self._machine.roots(height)
        return StateProof(
            key=key,
            value=value,
            path=path,
            log_size=roots.log_size,
            log_root=roots.log_root,
            state_root=roots.state_root,
            schema=roots.schema,
            head={"height": roots.height},
        )


__all__ = ["Holder", "MachineLedger", "Network"]
