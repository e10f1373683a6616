"""Credential keys and the payloads of the identity kinds (ID-7, B12); those of did:lz stand in ``did/model.py``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lianzheng.encoding.model import Bytes, Bytes48, Bytes96, Natural, Record
from lianzheng.identity.did.model import (
    CreationOperation,
    DidCreate,
    DidKey,
    DidRecord,
    DidService,
    Purpose,
    did_of,
    did_record,
    did_state_key,
    ed25519_key,
    public_key,
)
from lianzheng.ids import Did
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


def issuer_state_key(issuer: str, period: int) -> str:
    """Where the credential key of an issuer and period stands in the ledger's state."""
    return f"issuer/{issuer}/{period}"


def credential_key_id(issuer: str, period: int) -> str:
    """Name of a credential key: ``<issuer DID>#cred-<period>`` (B12)."""
    return f"{issuer}#cred-{period}"
