"""Members as the ledger keeps them (``member/<did>``) and the payloads of the governance kinds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from lianzheng.crypto.digest import sha256_raw
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.model import Bytes, Bytes32, Natural, Record, TimeMs
from lianzheng.ids import ChainId, Did
from lianzheng.ledger.genesis import Endpoint, MemberFields, Texts
from lianzheng.limits import SCHEMA_MAX

__all__ = [
    "NETWORK_KEY",
    "REACHABLE",
    "SEQUENCER_KEY",
    "Agreement",
    "AgreementSign",
    "MemberPhase",
    "MemberRecord",
    "MemberUpdate",
    "NetworkPhase",
    "NetworkRecord",
    "Parameter",
    "agreement_key",
    "fingerprint_of",
    "member_key",
    "parameter_key",
]

MemberPhase = Literal["applied", "assessed", "admitted", "active", "suspended", "leaving", "left", "expelled"]
NetworkPhase = Literal[
    "running",
    "contained",
    "winding_down_planned",
    "winding_down_started",
    "winding_down_frozen",
    "winding_down_disconnected",
    "winding_down_closed",
]
REACHABLE: tuple[MemberPhase, ...] = ("admitted", "active", "suspended", "leaving")
"""Phases in which a member's node is spoken to: it must hear what was decided, and may still report and anchor."""
NETWORK_KEY = "network"
SEQUENCER_KEY = "sequencer"
"""``{did}``: who orders transactions under the embedded engine; it cannot be removed by vote."""
Certificate = Annotated[Bytes, Field(min_length=1, max_length=8192)]


class MemberRecord(MemberFields):
    """One member (state ``member/<did>``); ``fingerprint`` is the SHA-256 of the certificate's DER."""

    version: Natural
    did: Did
    phase: MemberPhase
    fingerprint: Bytes32


class NetworkRecord(Record):
    """The network as a whole (state ``network``)."""

    version: Natural
    chain_id: ChainId
    phase: NetworkPhase
    schema_version: int = Field(alias="schema", ge=1, le=SCHEMA_MAX)
    genesis: Bytes32
    genesis_time_ms: TimeMs
    registry: Bytes32
    agreement: Bytes32

    model_config = ConfigDict(serialize_by_alias=True)


class Parameter(Record):
    """A number that a vote may change (state ``param/<name>``)."""

    version: Natural
    value: Natural


class AgreementSign(Record):
    """Payload of ``agreement.sign``: the digest of the alliance agreement that the sender joins."""

    agreement: Bytes32


class Agreement(Record):
    """A member's signature under the agreement (state ``agreement/<digest>/<did>``)."""

    agreement: Bytes32
    member: Did
    height: Natural
    time_ms: TimeMs


class MemberUpdate(Record):
    """Payload of ``member.update``: all that a member may change of its own record, each as a whole."""

    endpoint: Endpoint | None
    certificate: Certificate
    licences: Texts
    pilot_licences: Texts


def member_key(did: str) -> str:
    """State key of a member's record."""
    return f"member/{did}"


def parameter_key(name: str) -> str:
    """State key of a parameter."""
    return f"param/{name}"


def agreement_key(digest: bytes, did: str) -> str:
    """State key of a member's signature under the agreement with this digest."""
    return f"agreement/{b64u_encode(digest)}/{did}"


def fingerprint_of(certificate: bytes) -> bytes:
    """SHA-256 of a certificate's DER: what the peer API recognises a member by."""
    return sha256_raw(certificate)
