"""What a wallet keeps, sealed (AUTH-7). Everything that must survive a lost device derives from ``seed``."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, Text, TimeMs
from lianzheng.identity.enrolment import IdentityDocument
from lianzheng.identity.model import CreationOperation, Sigma
from lianzheng.ids import ChainId, Did

__all__ = ["AccessEntry", "HeldConsent", "HeldCredential", "HeldToken", "WalletState"]


class HeldCredential(Record):
    """An issuer's signature on (G, U, V) that the wallet has verified under the ledger's key."""

    issuer: Did
    period: Natural
    document: IdentityDocument
    sigma_i: Sigma
    credential: dict[str, Any]


class HeldToken(Record):
    """What is needed to withdraw one token; τ itself is kept by the requester."""

    provider: Did
    index: Natural
    """The consent key is the ``index``-th of the seed."""
    cid: Bytes32
    h: Bytes32
    not_after: Text


class HeldConsent(Record):
    """One named consent and its tokens. ``status`` is the wallet's own view."""

    consent_id: Text
    named: dict[str, Any]
    tokens: Annotated[tuple[HeldToken, ...], Seq]
    status: Literal["signed", "paused", "withdrawn"]


class AccessEntry(Record):
    """Who asked what, when, why, and which bands came back."""

    time_ms: TimeMs
    requester: Did
    provider: Did
    purpose: Text
    views: Annotated[tuple[Text, ...], Seq]
    bands: dict[str, Natural]
    cid: Bytes32


class WalletState(Record):
    """The sealed content of one wallet."""

    v: Literal[1] = 1
    chain_id: ChainId
    seed: Annotated[Bytes32, Field(repr=False)]
    operation: CreationOperation
    next_index: Natural = 0
    credentials: Annotated[tuple[HeldCredential, ...], Seq] = ()
    consents: Annotated[tuple[HeldConsent, ...], Seq] = ()
    access_log: Annotated[tuple[AccessEntry, ...], Seq] = ()
