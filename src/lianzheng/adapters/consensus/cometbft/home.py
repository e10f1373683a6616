"""The folder of CometBFT: its keys, its genesis and the settings that matter; everything else keeps its default.

``--profile lan`` is tuned for a few milliseconds between members, ``wan`` stays nearer the engine's defaults
(``ledger.md`` has the measurements).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from lianzheng.adapters.files import write_new
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject, encode
from lianzheng.limits import BLOCK_BYTES_MAX, TRANSACTION_BYTES_MAX

__all__ = [
    "CometPorts",
    "CometSettings",
    "GenesisValidator",
    "Profile",
    "SyncTrust",
    "address_of",
    "node_id",
    "write_home",
]

Profile = Literal["lan", "wan"]
_PUB = "tendermint/PubKeyEd25519"
_PRIV = "tendermint/PrivKeyEd25519"


@dataclass(frozen=True, slots=True)
class CometPorts:
    """Where the engine listens: its own interface on loopback, its peers' on ``host``."""

    host: str
    p2p: int
    rpc: int


@dataclass(frozen=True, slots=True)
class GenesisValidator:
    """One line of the engine's genesis."""

    name: str
    public: bytes
    power: int


@dataclass(frozen=True, slots=True)
class CometSettings:
    """What all members of one network have in common."""

    chain_id: str
    genesis_time_ms: int
    genesis_digest: bytes
    validators: tuple[GenesisValidator, ...]
    profile: Profile
    heartbeat_ms: int


@dataclass(frozen=True, slots=True)
class SyncTrust:
    """Where a new node begins: a header that it trusts, and engines whose light-client interface it can reach."""

    servers: tuple[str, ...]
    """Two or more ``host:port``."""
    height: int
    block_hash: bytes


def address_of(public: bytes) -> str:
    """The engine's name for a key: the first 20 bytes of its SHA-256 in upper-case hexadecimal."""
    return hashlib.sha256(public).digest()[:20].hex().upper()


def node_id(public: bytes) -> str:
    """The engine's name for a node's connection key."""
    return hashlib.sha256(public).digest()[:20].hex()


def write_home(
    folder: Path,
    settings: CometSettings,
    *,
    name: str,
    validator_seed: bytes,
    node_seed: bytes,
    ports: CometPorts,
    peers: Sequence[str],
    trust: SyncTrust | None = None,
    genesis: bytes | None = None,
) -> None:
    """A new folder for the engine; ``peers`` are ``id@host:port``, secrets mode 0600. Raises ``FileExistsError``.

    With ``trust`` it begins with a snapshot of the others' instead of block 1; ``genesis`` is the engine's file of a
    network that runs already.
    """
    config, data = folder / "config", folder / "data"
    config.mkdir(parents=True, mode=0o700)
    data.mkdir(mode=0o700)
    public = ed25519.public_key(validator_seed)
    write_new(config / "config.toml", (_config_text(settings, name, ports, peers) + _sync_text(trust)).encode(), 0o644)
    write_new(config / "genesis.json", genesis or encode(_genesis(settings)), 0o644)
    write_new(config / "node_key.json", encode({"priv_key": _key(_PRIV, _expanded(node_seed))}), 0o600)
    validator = {
        "address": address_of(public),
        "pub_key": _key(_PUB, public),
        "priv_key": _key(_PRIV, _expanded(validator_seed)),
    }
    write_new(config / "priv_validator_key.json", encode(validator), 0o600)
    write_new(data / "priv_validator_state.json", encode({"height": "0", "round": 0, "step": 0}), 0o600)


def _genesis(settings: CometSettings) -> JsonObject:
    seconds, milliseconds = divmod(settings.genesis_time_ms, 1000)
    time = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return {
        "genesis_time": f"{time}.{milliseconds:03d}Z",
        "chain_id": settings.chain_id,
        "initial_height": "1",
        "consensus_params": {
            "block": {"max_bytes": str(BLOCK_BYTES_MAX), "max_gas": "-1"},
            "evidence": {"max_age_num_blocks": "100000", "max_age_duration": "172800000000000", "max_bytes": "1048576"},
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": "0"},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": [
            {
                "address": address_of(one.public),
                "pub_key": _key(_PUB, one.public),
                "power": str(one.power),
                "name": one.name,
            }
            for one in settings.validators
        ],
        "app_hash": "",
        "app_state": {"genesis": settings.genesis_digest.hex()},
    }


def _config_text(settings: CometSettings, name: str, ports: CometPorts, peers: Sequence[str]) -> str:
    lan = settings.profile == "lan"
    return f"""# CometBFT settings that differ from its defaults; written by `lianzheng network init`.
proxy_app = "unix://abci.sock"
moniker = "{name}"
log_level = "error"
log_format = "json"
abci = "socket"

[rpc]
laddr = "tcp://127.0.0.1:{ports.rpc}"   # this node's own use: never reachable from outside

[p2p]
laddr = "tcp://{ports.host}:{ports.p2p}"
persistent_peers = "{",".join(peers)}"
addr_book_strict = false
allow_duplicate_ip = true
pex = true
flush_throttle_timeout = "{"10ms" if lan else "50ms"}"
send_rate = 20480000
recv_rate = 20480000
max_packet_msg_payload_size = 16384   # the same at every member: a larger packet than its own a peer refuses

[mempool]
size = 10000
max_tx_bytes = {TRANSACTION_BYTES_MAX}
cache_size = 20000
recheck = false                  # what no longer fits is refused in its block; a flood costs one look each

[consensus]
timeout_propose = "{"1s" if lan else "3s"}"
timeout_propose_delta = "500ms"
timeout_commit = "{"100ms" if lan else "500ms"}"
create_empty_blocks = false
create_empty_blocks_interval = "{settings.heartbeat_ms}ms"
peer_gossip_sleep_duration = "{"10ms" if lan else "50ms"}"

[storage]
discard_abci_responses = true    # the node's own store has them

[tx_index]
indexer = "null"                 # the node's own store finds transactions; nothing asks the engine for one
"""


def _sync_text(trust: SyncTrust | None) -> str:
    if trust is None:
        return ""
    return f"""
[statesync]
enable = true
rpc_servers = "{",".join(trust.servers)}"
trust_height = {trust.height}
trust_hash = "{trust.block_hash.hex().upper()}"
trust_period = "168h0m0s"
discovery_time = "5s"
"""


def _key(kind: str, value: bytes) -> JsonObject:
    return {"type": kind, "value": base64.b64encode(value).decode("ascii")}


def _expanded(seed: bytes) -> bytes:
    return seed + ed25519.public_key(seed)
