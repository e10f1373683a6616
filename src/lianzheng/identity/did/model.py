"""Records and payloads of did:lz (ID-3, LED-3, B4, B8).

DID:         ``did:lz:<network>:<id>``, id = multibase base58btc of SHA-256(tag ``did`` ‖ JCS(creation operation))
Commitment:  SHA-256(tag ``did-commitment`` ‖ ``next`` or ``recovery`` ‖ multikey)
prev:        SHA-256(tag ``record`` ‖ JCS(record))
Approval:    signature over tag ``did-approval`` ‖ chain id ‖ JCS(payload without approvals)
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, model_serializer, model_validator

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.binary import multibase_encode
from lianzheng.encoding.canonical import encode
from lianzheng.encoding.framing import tagged
from lianzheng.encoding.model import Bytes32, Bytes64, Natural, Record, Seq
from lianzheng.encoding.multikey import (
    BLS12381_G2_PUB,
    ED25519_PUB,
    SM2_PUB,
    X25519_PUB,
    decode_any_multikey,
    decode_multikey,
    encode_multikey,
)
from lianzheng.errors import FormatError, NotFoundError
from lianzheng.ids import ChainId, Did, KeyId, check_did

__all__ = [
    "Approval",
    "CreationOperation",
    "CreationOperation2",
    "DidContent",
    "DidControl",
    "DidCreate",
    "DidCreate2",
    "DidCreateSchema2",
    "DidDeactivate",
    "DidKey",
    "DidRecord",
    "DidRecover",
    "DidRecoverSchema2",
    "DidService",
    "DidUpdate",
    "DidUpdateSchema2",
    "MethodKey",
    "Purpose",
    "Relationship",
    "approval_bytes",
    "commitment",
    "did_of",
    "did_record",
    "did_record_hash",
    "did_state_key",
    "did_version_key",
    "ed25519_key",
    "first_keys",
    "is_ed25519",
    "public_key",
]

Purpose = Literal["authentication", "assertionMethod"]
"""Verification relationships of an operation of version 1."""
Relationship = Literal[
    "assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation", "keyAgreement"
]
"""Verification relationships of DID 1.1."""
Ed25519Key = Annotated[str, StringConstraints(min_length=40, max_length=64)]
Commitments = Annotated[tuple[Bytes32, ...], Seq, Field(max_length=8)]
Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]{0,31}:[!-~]{1,300}$")]
_RESERVED = ("#node", "#validator")
"""Keys that the network itself signs with: always Ed25519."""
_ONLY = {X25519_PUB: ("keyAgreement",), BLS12381_G2_PUB: ("assertionMethod",)}
"""What a key of these types is able to do; all others sign and never agree."""


class MethodKey(Record):
    """One verification method: a Multikey of any known type and what it may be used for."""

    id: KeyId
    multikey: Annotated[str, StringConstraints(max_length=160)]
    purposes: Annotated[tuple[Relationship, ...], Seq, Field(min_length=1, max_length=5)]

    @model_validator(mode="after")
    def _well_formed(self) -> MethodKey:
        try:
            codec, _ = decode_any_multikey(self.multikey)
        except FormatError as error:
            raise ValueError(error.code) from None
        if list(self.purposes) != sorted(set(self.purposes)):
            raise ValueError("purposes must be sorted and distinct")
        fits = self.purposes == _ONLY[codec] if codec in _ONLY else "keyAgreement" not in self.purposes
        if codec == SM2_PUB:
            fits = {*self.purposes} <= {"assertionMethod", "authentication"}
        if not fits or (self.id in _RESERVED and codec != ED25519_PUB):
            raise ValueError("a key of this type cannot serve this purpose")
        return self


class DidKey(Record):
    """One verification method of an operation of version 1: an Ed25519 Multikey."""

    id: KeyId
    multikey: Annotated[str, StringConstraints(max_length=64)]
    purposes: Annotated[tuple[Purpose, ...], Seq, Field(min_length=1, max_length=2)]

    @model_validator(mode="after")
    def _well_formed(self) -> DidKey:
        try:
            decode_multikey(self.multikey, ED25519_PUB)
        except FormatError as error:
            raise ValueError(error.code) from None
        if list(self.purposes) != sorted(set(self.purposes)):
            raise ValueError("purposes must be sorted and distinct")
        return self


class DidService(Record):
    """A service entry of the DID document."""

    id: KeyId
    type: Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{1,40}$")]
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[!-~]{1,300}$")]


class CreationOperation(Record):
    """What a DID is the digest of: keys, network and salt, nothing about a person (ID-3)."""

    v: Literal[1] = 1
    network: ChainId
    keys: Annotated[tuple[DidKey, ...], Seq, Field(min_length=1, max_length=8)]
    salt: Bytes32
    services: Annotated[tuple[DidService, ...], Seq, Field(max_length=4)] = ()

    @model_validator(mode="after")
    def _distinct(self) -> CreationOperation:
        _require_distinct(self.keys, self.services)
        return self


class DidControl(Record):
    """Who may change a DID beyond its own keys, and what its next keys must be."""

    controllers: Annotated[tuple[Did, ...], Seq, Field(max_length=4)] = ()
    threshold: Annotated[int, Field(ge=1, le=8)] = 1
    """Distinct keys and controllers that must agree to a change of keys or control."""
    next: Commitments = ()
    """Commitments to the keys of the next rotation; empty: present keys rotate."""
    recovery: Bytes32 | None = None
    """Commitment to the recovery key."""
    also_known_as: Annotated[tuple[Uri, ...], Seq, Field(max_length=4)] = ()

    @model_validator(mode="after")
    def _sorted(self) -> DidControl:
        texts = (self.controllers, self.also_known_as)
        if list(self.next) != sorted(set(self.next)) or any(list(one) != sorted(set(one)) for one in texts):
            raise ValueError("controllers, commitments and names must be sorted and distinct")
        return self


class DidContent(Record):
    """Everything that an operation of version 2 says of a DID."""

    keys: Annotated[tuple[MethodKey, ...], Seq, Field(max_length=8)]
    services: Annotated[tuple[DidService, ...], Seq, Field(max_length=4)] = ()
    control: DidControl = DidControl()

    @model_validator(mode="after")
    def _distinct(self) -> DidContent:
        _require_distinct(self.keys, self.services)
        return self


class CreationOperation2(Record):
    """A creation with control: commitments, controllers, keys of every type (ID-3)."""

    v: Literal[2] = 2
    network: ChainId
    salt: Bytes32
    content: DidContent


class DidRecord(Record):
    """State entry ``did/<did>``: what the DID's document is made from.

    ``control`` is left out of the encoding while there is none: such a record is as version 1 wrote it.
    """

    did: Did
    version: Natural
    status: Literal["active", "deactivated"] = "active"
    keys: Annotated[tuple[MethodKey, ...], Seq]
    services: Annotated[tuple[DidService, ...], Seq] = ()
    created_ms: Natural
    updated_ms: Natural
    control: DidControl | None = None

    @model_serializer(mode="wrap")
    def _plain(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        value: dict[str, Any] = handler(self)
        if self.control is None:
            del value["control"]
        return value

    @property
    def controls(self) -> DidControl:
        """The control in force: without a word on it, the DID's own keys."""
        return self.control or DidControl()


class DidCreate(Record):
    """Payload of ``did.create`` under schema 1."""

    operation: CreationOperation


class DidCreate2(Record):
    """Payload of ``did.create`` from schema 3 on, and what :class:`DidCreateSchema2` narrows."""

    operation: Annotated[CreationOperation | CreationOperation2, Field(union_mode="left_to_right")]


class Approval(Record):
    """Another key's agreement; ``method`` is ``<did>#<key>`` of the DID itself or of one of its controllers."""

    method: Annotated[str, StringConstraints(max_length=200)]
    signature: Bytes64


class DidCreateSchema2(DidCreate2):
    """Payload of ``did.create`` under schema 2, which has no SM2 keys (LED-7)."""

    @model_validator(mode="after")
    def _known(self) -> DidCreateSchema2:
        _refuse_sm2(first_keys(self.operation))
        return self


class _Change(Record):
    """What every change of a DID carries in place of a nonce (LED-3)."""

    did: Did
    version: Natural
    """The number of the version that this makes."""
    prev: Bytes32
    approvals: Annotated[tuple[Approval, ...], Seq, Field(max_length=8)] = ()


class DidUpdate(_Change):
    """Payload of ``did.update``: the whole new content."""

    content: DidContent


class DidRecover(_Change):
    """Payload of ``did.recover``, signed by the recovery key, which is hereby used up."""

    key: Ed25519Key
    content: DidContent


class DidUpdateSchema2(DidUpdate):
    """Payload of ``did.update`` under schema 2, which has no SM2 keys (LED-7)."""

    @model_validator(mode="after")
    def _known(self) -> DidUpdateSchema2:
        _refuse_sm2(self.content.keys)
        return self


class DidRecoverSchema2(DidRecover):
    """Payload of ``did.recover`` under schema 2, which has no SM2 keys (LED-7)."""

    @model_validator(mode="after")
    def _known(self) -> DidRecoverSchema2:
        _refuse_sm2(self.content.keys)
        return self


class DidDeactivate(_Change):
    """Payload of ``did.deactivate``; ``key`` reveals a committed key where there are commitments."""

    key: Ed25519Key | None = None


def did_of(operation: CreationOperation | CreationOperation2) -> str:
    """The DID that certifies ``operation`` (ID-3, B4).

    Raises ``FormatError`` ``did_invalid`` for the rare digest whose text is too short for ``ids.Did``: draw
    another salt.
    """
    return check_did(f"did:lz:{operation.network}:{multibase_encode(sha256('did', operation.to_bytes()))}")


def did_record(operation: CreationOperation | CreationOperation2, time_ms: int, did: str | None = None) -> DidRecord:
    """The first version of the record that ``operation`` creates at a block time; ``did`` if it is known already."""
    if isinstance(operation, CreationOperation2):
        services = operation.content.services
        control: DidControl | None = operation.content.control
    else:
        services, control = operation.services, None
    return DidRecord(
        did=did or did_of(operation),
        version=1,
        keys=first_keys(operation),
        services=services,
        created_ms=time_ms,
        updated_ms=time_ms,
        control=control,
    )


def first_keys(operation: CreationOperation | CreationOperation2) -> tuple[MethodKey, ...]:
    """The keys that ``operation`` gives its DID."""
    if isinstance(operation, CreationOperation2):
        return operation.content.keys
    return tuple(MethodKey(id=one.id, multikey=one.multikey, purposes=one.purposes) for one in operation.keys)


def did_record_hash(record: DidRecord) -> bytes:
    """``prev`` of the next change (LED-3, B8): the record says its version, so no two versions share a hash."""
    return sha256("record", record.to_bytes())


def commitment(use: Literal["next", "recovery"], multikey: str) -> bytes:
    """The digest that commits to a key without showing it."""
    return sha256("did-commitment", use, multikey)


def approval_bytes(chain_id: str, payload: DidUpdate | DidDeactivate) -> bytes:
    """What an approval signs: the change, which names DID, version and ``prev``."""
    plain = {name: value for name, value in payload.to_json().items() if name != "approvals"}
    return tagged("did-approval", chain_id, encode(plain))


def ed25519_key(key_id: str, public: bytes, *purposes: Purpose) -> DidKey:
    """A DID key of raw Ed25519 bytes."""
    return DidKey(id=key_id, multikey=encode_multikey(ED25519_PUB, public), purposes=tuple(sorted(purposes)))


def is_ed25519(multikey: str) -> bool:
    """Whether the key signs transactions under every schema, approvals, and what nodes ask each other."""
    return decode_any_multikey(multikey)[0] == ED25519_PUB


def public_key(record: DidRecord, key_id: str, purpose: Purpose) -> bytes:
    """Raw Ed25519 key of ``key_id``; raises ``NotFoundError`` ``key_unknown`` where it may not serve ``purpose``."""
    for key in record.keys:
        if key.id == key_id and purpose in key.purposes and is_ed25519(key.multikey):
            return decode_multikey(key.multikey, ED25519_PUB)
    raise NotFoundError("key_unknown", "The DID has no key of this name for this purpose.")


def did_state_key(did: str) -> str:
    """Where the record of a DID stands in the ledger's state."""
    return f"did/{did}"


def did_version_key(did: str, version: int) -> str:
    """Where a version of a DID that has been followed by another stands in the ledger's state."""
    return f"did-version/{did}/{version:08d}"


def _refuse_sm2(keys: tuple[MethodKey, ...]) -> None:
    if any(decode_any_multikey(key.multikey)[0] == SM2_PUB for key in keys):
        raise ValueError("multikey_invalid")


def _require_distinct(keys: tuple[DidKey, ...] | tuple[MethodKey, ...], services: tuple[DidService, ...]) -> None:
    names = [key.id for key in keys] + [service.id for service in services]
    if len(set(names)) != len(names):
        raise ValueError("key and service ids must be distinct")
