"""Which engine orders this node's ledger, by its configuration and the network's genesis."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from lianzheng.adapters.consensus.cometbft import CometEngine, CometFiles
from lianzheng.adapters.consensus.cometbft.freshness import Ring
from lianzheng.adapters.consensus.cometbft.supervisor import find_engine
from lianzheng.adapters.consensus.embedded import EmbeddedFollower, EmbeddedSequencer
from lianzheng.adapters.transport.client import PeerClient
from lianzheng.adapters.transport.links import PeerLedgerLink
from lianzheng.clock import Clock
from lianzheng.contracts.machine import Machine
from lianzheng.errors import ConfigError
from lianzheng.governance.validators import validator_powers, validators_by_member
from lianzheng.identity.model import CreationOperation, DidRecord, did_of, did_state_key, public_key
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Genesis
from lianzheng.node.config import LedgerConfig, NodeConfig

__all__ = ["Engine", "build_engine", "comet_engine", "require_engine", "ring_of"]

Engine = EmbeddedSequencer | EmbeddedFollower | CometEngine


def build_engine(
    config: NodeConfig, clock: Clock, genesis: Genesis, sign: Callable[[bytes], bytes], peers: PeerClient
) -> Engine:
    """The engine, not started; ``sign`` is by the member's ``#node`` key.

    Raises ``ConfigError``: ``engine_mismatch``, ``engine_missing``.
    """
    require_engine(config.ledger, genesis)
    return (
        comet_engine(config.ledger, config.data_dir, config.did, clock, genesis, sign, peers)
        if genesis.ordering is None
        else _embedded(config, clock, genesis, sign, peers)
    )


def require_engine(ledger: LedgerConfig, genesis: Genesis) -> None:
    """Return only if the configured engine is the network's. Raises ``ConfigError`` ``engine_mismatch``."""
    if (ledger.engine == "cometbft") != (genesis.ordering is None):
        raise ConfigError(
            "engine_mismatch",
            "The configuration's [ledger] engine is not the one that this network's genesis was made for.",
            next_step='A genesis with a sequencer needs engine = "embedded", one without engine = "cometbft".',
        )


def ring_of(state: StateView) -> Ring:
    """Validators and node keys at a head (GATE-4)."""
    keys = validators_by_member(state)
    records = {did: DidRecord.from_json(state.get(did_state_key(did))) for did in keys}
    node_keys = {did: public_key(record, "#node", "authentication") for did, record in records.items()}
    return Ring(keys=keys, powers=validator_powers(state), node_keys=node_keys)


def comet_engine(
    ledger: LedgerConfig,
    data_dir: Path,
    name: str,
    clock: Clock,
    genesis: Genesis,
    sign: Callable[[bytes], bytes],
    peers: PeerClient,
) -> CometEngine:
    """CometBFT's engine, not started; ``name`` is a member's DID or a witness's. Raises ``ConfigError``
    ``engine_missing``.
    """
    files = CometFiles(
        binary=find_engine(ledger.binary),
        home=ledger.home,
        database=data_dir / "ledger.db",
        height_file=data_dir / "ledger.height",
    )
    return CometEngine(
        Machine(genesis),
        genesis,
        files,
        validator_powers,
        ring_of,
        clock,
        did=name,
        sign=sign,
        source=partial(PeerLedgerLink, peers),
        keep_blocks=ledger.keep_blocks,
    )


def _embedded(
    config: NodeConfig, clock: Clock, genesis: Genesis, sign: Callable[[bytes], bytes], peers: PeerClient
) -> EmbeddedSequencer | EmbeddedFollower:
    machine = Machine(genesis)
    database, height_file = config.data_dir / "ledger.db", config.data_dir / "ledger.height"
    if config.did == genesis.sequencer.did:
        return EmbeddedSequencer(
            machine,
            genesis,
            database=database,
            height_file=height_file,
            sign=sign,
            clock=clock,
            heartbeat_ms=config.ledger.heartbeat_ms,
        )
    others = [
        did
        for did, member in ((did_of(CreationOperation.from_json(m.did_operation)), m) for m in genesis.members)
        if member.endpoint is not None and did not in (config.did, genesis.sequencer.did)
    ]
    link = PeerLedgerLink(peers, genesis.sequencer.did)
    return EmbeddedFollower(
        machine,
        genesis,
        link,
        did=config.did,
        sign=sign,
        database=database,
        height_file=height_file,
        clock=clock,
        witnesses=[PeerLedgerLink(peers, did) for did in others],
        snapshot=link if config.ledger.begin == "snapshot" else None,
    )
