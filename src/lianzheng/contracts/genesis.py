"""The state that a genesis describes, the same at every node."""

from __future__ import annotations

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError
from lianzheng.governance.groups import GroupRecord, group_key
from lianzheng.governance.model import (
    NETWORK_KEY,
    SEQUENCER_KEY,
    MemberRecord,
    NetworkRecord,
    Parameter,
    fingerprint_of,
    member_key,
    parameter_key,
)
from lianzheng.identity.model import CreationOperation, did_of, did_record, did_state_key
from lianzheng.ids import chain_of_did
from lianzheng.ledger.genesis import Genesis, GenesisMember, genesis_digest

__all__ = ["founder_did", "genesis_writes"]


def founder_did(member: GenesisMember) -> str:
    """The DID of a founder's creation operation (ID-3)."""
    return did_of(CreationOperation.from_json(member.did_operation))


def genesis_writes(genesis: Genesis) -> list[tuple[str, JsonObject | None]]:
    """DIDs and records of the founders (active at once), parameters, the network record.

    Raises ``FormatError`` for a malformed operation; ``ConfigError`` ``genesis_invalid`` for two founders of one
    DID or certificate, a DID of another network, or a sequencer that is no founder.
    """
    writes: list[tuple[str, JsonObject | None]] = []
    fingerprints: set[bytes] = set()
    dids: set[str] = set()
    for founder in genesis.members:
        did = founder_did(founder)
        fingerprint = fingerprint_of(founder.certificate)
        if did in dids or fingerprint in fingerprints or chain_of_did(did) != genesis.chain_id:
            raise ConfigError(
                "genesis_invalid",
                "Two founders share a DID or a certificate, or a DID is of another network.",
                next_step="Correct genesis.json: one creation operation and one certificate for each member.",
            )
        dids.add(did)
        fingerprints.add(fingerprint)
        writes += _founder_writes(founder, did, fingerprint, genesis)
    if genesis.ordering is not None and genesis.ordering.did not in dids:
        raise ConfigError(
            "genesis_invalid", "The sequencer is not a founder.", next_step="Name a founder's DID as sequencer."
        )
    for name in sorted(genesis.parameters):
        writes.append((parameter_key(name), Parameter(version=0, value=genesis.parameters[name]).to_json()))
    network = NetworkRecord(
        version=0,
        chain_id=genesis.chain_id,
        phase="running",
        schema=genesis.schema_version,
        genesis=genesis_digest(genesis),
        genesis_time_ms=genesis.time_ms,
        registry=genesis.registry,
        agreement=genesis.agreement,
    )
    writes.append((NETWORK_KEY, network.to_json()))
    if genesis.ordering is not None:
        writes.append((SEQUENCER_KEY, {"did": genesis.ordering.did}))
    return writes + _group_writes(genesis)


def _group_writes(genesis: Genesis) -> list[tuple[str, JsonObject | None]]:
    """Control groups in the order of the founders: share indices, and the first founder of each as its voice (B35)."""
    voices: dict[str, str] = {}
    for founder in genesis.members:
        voices.setdefault(founder.control_group, founder_did(founder))
    records = (
        GroupRecord(version=0, name=name, index=index, voice=voice)
        for index, (name, voice) in enumerate(voices.items(), 1)
    )
    return [(group_key(record.name), record.to_json()) for record in records]


def _founder_writes(
    founder: GenesisMember, did: str, fingerprint: bytes, genesis: Genesis
) -> list[tuple[str, JsonObject | None]]:
    operation = CreationOperation.from_json(founder.did_operation)
    fields = dict(founder)
    del fields["did_operation"]
    record = MemberRecord(**fields, version=0, did=did, phase="active", fingerprint=fingerprint)
    return [
        (did_state_key(did), did_record(operation, genesis.time_ms).to_json()),
        (member_key(did), record.to_json()),
    ]
