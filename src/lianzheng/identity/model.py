"""did:lz records and the payloads of the identity kinds (ID-3, ID-7, B4, B12).

DID:  ``did:lz:<network>:<id>``, id = multibase base58btc of SHA-256(tag ``did`` ‖ JCS(creation operation))
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.binary import multibase_encode
from lianzheng.encoding.model import Bytes, Bytes32, Bytes48, Bytes96, Natural, Record, Seq
from lianzheng.encoding.multikey import ED25519_PUB, decode_multikey, encode_multikey
from lianzheng.errors import FormatError, NotFoundError
from lianzheng.ids import ChainId, Did, KeyId, check_did
from lianzheng.zk.spseq import Signature

__all__ = [
    "CreationOperation",
    "DidCreate",
    "DidKey",
    "DidRecord",
    "DidService",
    "IssuerKeyRecord",
    "IssuerPublish",
    "Purpose",
    "Sigma",
    "credential_key_id",
    "did_of",
    "did_record",
    "did_state_key",
    "ed25519_key",
    "issuer_state_key",
    "public_key",
]

Purpose = Literal["authentication", "assertionMethod"]
"""Verification relationships of DID 1.1 that this network uses."""


class DidKey(Record):
    """One verification method: an Ed25519 Multikey and what it may be used for."""

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
        names = [key.id for key in self.keys] + [service.id for service in self.services]
        if len(set(names)) != len(names):
            raise ValueError("key and service ids must be distinct")
        return self


class DidRecord(Record):
    """State entry ``did/<did>``: what the DID's document is made from."""

    did: Did
    version: Natural
    status: Literal["active"] = "active"
    keys: Annotated[tuple[DidKey, ...], Seq]
    services: Annotated[tuple[DidService, ...], Seq] = ()
    created_ms: Natural
    updated_ms: Natural


class DidCreate(Record):
    """Payload of ``did.create``."""

    operation: CreationOperation


class IssuerPublish(Record):
    """Payload of ``issuer.publish``: the one credential key of sender and period (ID-7, EQ-1)."""

    period: Natural
    key: Annotated[Bytes, Field(min_length=288, max_length=288)]
    pop: Annotated[Bytes, Field(min_length=1, max_length=512)]


class IssuerKeyRecord(Record):
    """State entry ``issuer/<did>/<period>``."""

    issuer: Did
    period: Natural
    key: Annotated[Bytes, Field(min_length=288, max_length=288)]
    published_ms: Natural


class Sigma(Record):
    """An SPS-EQ signature on the wire (B10)."""

    z: Bytes48
    y: Bytes48
    y2: Bytes96

    @classmethod
    def of(cls, signature: Signature) -> Sigma:
        """Wire form of a signature."""
        return cls(z=signature.z.to_bytes(), y=signature.y.to_bytes(), y2=signature.y2.to_bytes())

    def decode(self) -> Signature:
        """Its points, checked (CON-4). Raises ``FormatError`` ``point_*``."""
        return Signature.from_bytes(self.z + self.y + self.y2)


def did_of(operation: CreationOperation) -> str:
    """The DID that certifies ``operation`` (ID-3, B4).

    Raises ``FormatError`` ``did_invalid`` for the rare digest whose text is too short for ``ids.Did``: draw
    another salt.
    """
    return check_did(f"did:lz:{operation.network}:{multibase_encode(sha256('did', operation.to_bytes()))}")


def did_record(operation: CreationOperation, time_ms: int) -> DidRecord:
    """The first version of the record that ``operation`` creates at a block time."""
    return DidRecord(
        did=did_of(operation),
        version=1,
        keys=operation.keys,
        services=operation.services,
        created_ms=time_ms,
        updated_ms=time_ms,
    )


def ed25519_key(key_id: str, public: bytes, *purposes: Purpose) -> DidKey:
    """A DID key of raw Ed25519 bytes."""
    return DidKey(id=key_id, multikey=encode_multikey(ED25519_PUB, public), purposes=tuple(sorted(purposes)))


def public_key(record: DidRecord, key_id: str, purpose: Purpose) -> bytes:
    """Raw Ed25519 key of ``key_id``; raises ``NotFoundError`` ``key_unknown`` where it may not serve ``purpose``."""
    for key in record.keys:
        if key.id == key_id and purpose in key.purposes:
            return decode_multikey(key.multikey, ED25519_PUB)
    raise NotFoundError("key_unknown", "The DID has no key of this name for this purpose.")


def did_state_key(did: str) -> str:
    """Where the record of a DID stands in the ledger's state."""
    return f"did/{did}"


def issuer_state_key(issuer: str, period: int) -> str:
    """Where the credential key of an issuer and period stands in the ledger's state."""
    return f"issuer/{issuer}/{period}"


def credential_key_id(issuer: str, period: int) -> str:
    """Name of a credential key: ``<issuer DID>#cred-<period>`` (B12)."""
    return f"{issuer}#cred-{period}"
