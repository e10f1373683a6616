"""A local network of several members under CometBFT: one folder a member, and how it is getting on."""

from __future__ import annotations

import asyncio
import base64
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lianzheng.adapters.consensus.cometbft.engine import CometFiles
from lianzheng.adapters.consensus.cometbft.heads import parse_time
from lianzheng.adapters.consensus.cometbft.home import (
    CometPorts,
    CometSettings,
    GenesisValidator,
    Profile,
    SyncTrust,
    node_id,
    write_home,
)
from lianzheng.adapters.consensus.cometbft.rpc import CometRpc
from lianzheng.adapters.consensus.cometbft.snapshots import SnapshotFolder
from lianzheng.clock import Clock
from lianzheng.crypto import ed25519
from lianzheng.encoding.canonical import JsonObject, parse
from lianzheng.errors import ConfigError, UnavailableError
from lianzheng.identity.idnorm import make_sample_uscc
from lianzheng.ledger.cometbft.powers import genesis_validators
from lianzheng.ledger.genesis import Genesis, GenesisMember, genesis_digest
from lianzheng.limits import GENESIS_BYTES_MAX, VALIDATORS_MAX
from lianzheng.node.config import NodeConfig, load_any_config, load_config
from lianzheng.node.setup import MemberProfile, create_genesis, create_home, create_witness_home, save_genesis

__all__ = ["MemberStatus", "NetworkPlan", "add_member", "add_witness", "create_network", "network_status"]

_PORTS_A_MEMBER = 10
_SYNC_SERVERS_MIN = 2
"""The engine's light client compares what two say."""
_RECENT_MS = 10_000
"""A block younger than this: the network is not idle."""


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What ``network init`` is asked for."""

    members: int
    chain_id: str
    host: str = "127.0.0.1"
    base_port: int = 26600
    profile: Profile = "lan"
    heartbeat_ms: int = 600_000
    keep_blocks: int | None = None
    """Blocks that the nodes keep, the first member's excepted: it is the archive (LED-8)."""

    def ledger_lines(self, index: int) -> str:
        """What a member's node.toml says of keeping blocks."""
        if index == 0:
            return "archive = true                  # keeps every block for good: one member's node must\n"
        return "" if self.keep_blocks is None else f"keep_blocks = {self.keep_blocks}\n"

    def ports(self, index: int) -> tuple[int, int, int, int]:
        """Internal API, peer API, engine's peers, engine's own interface of a member."""
        first = self.base_port + _PORTS_A_MEMBER * index
        return first, first + 1, first + 2, first + 3


@dataclass(frozen=True, slots=True)
class MemberStatus:
    """One member's line of ``network status``."""

    name: str
    height: int
    lag: int
    peers: int
    validator: bool
    why_idle: str | None

    def to_json(self) -> JsonObject:
        """As ``--json`` prints it."""
        return {
            "name": self.name,
            "height": self.height,
            "lag": self.lag,
            "peers": self.peers,
            "validator": self.validator,
            "why_idle": self.why_idle,
        }


def create_network(out: Path, plan: NetworkPlan, clock: Clock) -> Genesis:
    """Homes of all members in ``out``, each of a control group of its own, with one genesis: a test network.

    Raises ``ConfigError``: ``members_invalid``, ``home_exists``, ``chain_id_invalid``, ``host_invalid``,
    ``port_invalid``.
    """
    if not 1 <= plan.members <= VALIDATORS_MAX:
        raise ConfigError(
            "members_invalid", f"A network has 1 to {VALIDATORS_MAX} members.", next_step="Give --members 4."
        )
    if plan.base_port < 1 or plan.ports(plan.members - 1)[-1] > 65535:
        raise ConfigError(
            "port_invalid", "Each member takes ten ports from --base-port on.", next_step="Name a lower --base-port."
        )
    seeds = [ed25519.generate() for _ in range(plan.members)]
    folders = [out / f"member{number}" for number in range(1, plan.members + 1)]
    cards = tuple(_home(folder, plan, index, seeds[index]) for index, folder in enumerate(folders))
    genesis = create_genesis(
        plan.chain_id, cards, b"the agreement of a test network", {"test_network": 1}, clock, engine="cometbft"
    )
    node_seeds = [ed25519.generate() for _ in folders]
    settings = _settings(genesis, plan, folders, seeds)
    for index, folder in enumerate(folders):
        save_genesis(folder / "genesis.json", genesis)
        _, _, p2p, rpc = plan.ports(index)
        write_home(
            folder / "cometbft",
            settings,
            name=folder.name,
            validator_seed=seeds[index],
            node_seed=node_seeds[index],
            ports=CometPorts(plan.host, p2p, rpc),
            peers=[
                f"{node_id(ed25519.public_key(seed))}@{plan.host}:{plan.ports(other)[2]}"
                for other, seed in enumerate(node_seeds)
                if other != index
            ],
        )
    return genesis


async def add_member(folder: Path, profile: Profile, heartbeat_ms: int) -> Path:
    """A home for one more member of a network that `network init` wrote, to be admitted by vote; its folder.

    If two members run here and have a snapshot, its engine begins with it (LED-8), else with block 1.
    Raises ``ConfigError``: ``network_missing``, ``home_exists``, ``port_invalid``.
    """
    homes = _homes(folder)
    first = load_config(homes[0] / "node.toml")
    genesis = Genesis.from_bytes((homes[0] / "genesis.json").read_bytes(), GENESIS_BYTES_MAX)
    index, host = len(_folders(folder)), first.peer.host
    plan = NetworkPlan(index + 1, genesis.chain_id, host, first.internal.port, profile, heartbeat_ms)
    seed, node_seed = ed25519.generate(), ed25519.generate()
    target = folder / f"member{index + 1}"
    trust = await _trust(homes)
    _home(target, plan, index, seed)
    save_genesis(target / "genesis.json", genesis)
    _, _, p2p, rpc = plan.ports(index)
    write_home(
        target / "cometbft",
        _settings(genesis, plan, [], []),
        name=target.name,
        validator_seed=seed,
        node_seed=node_seed,
        ports=CometPorts(host, p2p, rpc),
        peers=[_peer(home) for home in homes],
        trust=trust,
        genesis=(homes[0] / "cometbft" / "config" / "genesis.json").read_bytes(),
    )
    return target


async def add_witness(folder: Path, name: str, profile: Profile, heartbeat_ms: int) -> tuple[Path, str]:
    """The home of a witness of a network that `network init` wrote: it follows, has no vote and cosigns (EV-6).

    Its folder, and what the members add to their configuration. Its engine begins with block 1: what it cosigns, it
    has executed. Raises ``ConfigError``: ``network_missing``, ``home_exists``, ``port_invalid``; ``FormatError``
    ``note_key_malformed``.
    """
    homes, index = _homes(folder), len(_folders(folder))
    first = load_config(homes[0] / "node.toml")
    genesis = Genesis.from_bytes((homes[0] / "genesis.json").read_bytes(), GENESIS_BYTES_MAX)
    host = first.peer.host
    plan = NetworkPlan(index + 1, genesis.chain_id, host, first.internal.port, profile, heartbeat_ms)
    target = folder / f"witness{index + 1}"
    internal, peer, p2p, rpc = plan.ports(index)
    key = create_witness_home(target, name, host, internal, peer, "cometbft")
    save_genesis(target / "genesis.json", genesis)
    write_home(
        target / "cometbft",
        _settings(genesis, plan, [], []),
        name=target.name,
        validator_seed=ed25519.generate(),
        node_seed=ed25519.generate(),
        ports=CometPorts(host, p2p, rpc),
        peers=[_peer(home) for home in homes],
        genesis=(homes[0] / "cometbft" / "config" / "genesis.json").read_bytes(),
    )
    listed = (
        f'[[ledger.witness]]\nname = "{name}"\nkey = "{key}"\n'
        f'certificate = "../{target.name}/peer.crt.pem"\nendpoint = "https://{host}:{peer}"\n'
    )
    return target, listed


async def _trust(homes: Sequence[Path]) -> SyncTrust | None:
    """The newest header that a member here has, and the engines that run here; None with fewer than two."""
    running: list[tuple[str, int, bytes]] = []
    for home in homes:
        address = _files(home).rpc_address()
        rpc = CometRpc(address)
        try:
            sync = (await rpc.call("status"))["sync_info"]
            height, block_hash = int(sync["latest_block_height"]), bytes.fromhex(sync["latest_block_hash"])
            running.append((address.removeprefix("tcp://"), height, block_hash))
        except UnavailableError:
            continue
        finally:
            await rpc.close()
    if not any(SnapshotFolder.beside(_files(home).database).offers() for home in homes):
        return None  # a young network has none yet, and the engine would wait for one
    _, height, block_hash = min(running, key=lambda one: one[1], default=("", 0, b""))
    if len(running) < _SYNC_SERVERS_MIN or not height:
        return None
    return SyncTrust(tuple(server for server, _, _ in running), height, block_hash)


def _peer(home: Path) -> str:
    """``id@host:port`` of a member's engine, by its own files."""
    config = home / "cometbft" / "config"
    key = parse((config / "node_key.json").read_bytes())["priv_key"]["value"]
    listening = tomllib.loads((config / "config.toml").read_text("utf-8"))["p2p"]["laddr"]
    return f"{node_id(base64.b64decode(key)[32:])}@{listening.removeprefix('tcp://')}"


async def network_status(folder: Path, clock: Clock) -> tuple[str, tuple[MemberStatus, ...]]:
    """Chain id and one line for each member's folder in ``folder``. Raises ``ConfigError`` ``network_missing``."""
    homes = _homes(folder)
    genesis = Genesis.from_bytes((homes[0] / "genesis.json").read_bytes(), GENESIS_BYTES_MAX)
    found = await asyncio.gather(*(_ask(home) for home in homes))
    top = max(one.height for one in found)
    reasons = _why_idle(found, clock.now_ms())
    lines = tuple(
        MemberStatus(one.name, one.height, top - one.height, one.peers, one.validator, reason)
        for one, reason in zip(found, reasons, strict=True)
    )
    return genesis.chain_id, lines


def _folders(folder: Path) -> list[Path]:
    """Of every node, members' and witnesses'."""
    return sorted(path.parent for path in folder.glob("*/node.toml"))


def _homes(folder: Path) -> list[Path]:
    homes = [home for home in _folders(folder) if isinstance(load_any_config(home / "node.toml"), NodeConfig)]
    if not homes:
        raise ConfigError(
            "network_missing", f"{folder} holds no member's folder.", next_step="Name the --out of `network init`."
        )
    return homes


@dataclass(frozen=True, slots=True)
class _Seen:
    name: str
    running: bool
    height: int
    time_ms: int = 0
    peers: int = 0
    validator: bool = False
    catching_up: bool = False
    waiting: int = 0
    power: int = 0
    total: int = 0
    round: int = 0


async def _ask(home: Path) -> _Seen:
    files = _files(home)
    rpc = CometRpc(files.rpc_address())
    try:
        status, network, waiting, validators, state = await asyncio.gather(
            rpc.call("status"),
            rpc.call("net_info"),
            rpc.call("num_unconfirmed_txs"),
            rpc.call("validators", per_page="100"),
            rpc.call("consensus_state"),
        )
        return _seen(home.name, status, network, waiting, validators, state)
    except UnavailableError:
        return _Seen(home.name, running=False, height=_known_height(files.height_file))
    except (KeyError, TypeError, ValueError) as error:
        raise UnavailableError("engine_answer_malformed", "An answer of the engine is malformed.") from error
    finally:
        await rpc.close()


def _files(home: Path) -> CometFiles:
    config = load_config(home / "node.toml")
    return CometFiles(Path(), config.ledger.home, config.data_dir / "ledger.db", config.data_dir / "ledger.height")


def _known_height(path: Path) -> int:
    """What a node that does not run had applied, by the file beside its database; 0 where there is none."""
    try:
        return int(path.read_bytes()[:20])
    except (OSError, ValueError):
        return 0


def _seen(name: str, status: Any, network: Any, waiting: Any, validators: Any, state: Any) -> _Seen:
    sync, me = status["sync_info"], status["validator_info"]
    powers = {one["address"]: int(one["voting_power"]) for one in validators["validators"]}
    return _Seen(
        name=name,
        running=True,
        height=int(sync["latest_block_height"]),
        time_ms=parse_time(sync["latest_block_time"]).ms,
        peers=int(network["n_peers"]),
        validator=me["address"] in powers,
        catching_up=bool(sync["catching_up"]),
        waiting=int(waiting["n_txs"]),
        power=powers.get(me["address"], 0),
        total=sum(powers.values()),
        round=int(state["round_state"]["height/round/step"].split("/")[1]),
    )


def _why_idle(found: Sequence[_Seen], now_ms: int) -> list[str | None]:
    """For each member why it makes no blocks now; None where it does."""
    running = [one for one in found if one.running]
    total = max((one.total for one in running), default=0)
    power = sum(one.power for one in running)
    validators = sum(1 for one in running if one.validator)
    return [_reason(one, power, total, validators, now_ms) for one in found]


def _reason(one: _Seen, power: int, total: int, validators: int, now_ms: int) -> str | None:
    if not one.running:
        return "the node does not run: start it with `lianzheng node run`"
    if one.catching_up and one.height:
        return "it is fetching blocks that the others have"
    if 3 * power <= 2 * total:
        return f"no quorum: {validators} running validators hold {power} of {total}, and more than 2/3 is needed"
    if now_ms - one.time_ms <= _RECENT_MS and one.height:
        return None
    if not one.peers and power > one.power:
        return "it has no connection to any other member's engine"
    if one.waiting or one.round:
        return f"{one.waiting} transactions wait, and the members do not agree yet (round {one.round})"
    return "no transaction waits: an empty block comes with the next heartbeat only"


def _home(folder: Path, plan: NetworkPlan, index: int, seed: bytes) -> GenesisMember:
    internal, peer, _, _ = plan.ports(index)
    number = index + 1
    profile = MemberProfile(
        name=f"Sample member {number}",
        type="broker",
        uscc=make_sample_uscc(number),
        address=f"Sample street {number}",
        control_group=f"group-{number}",
    )
    key, lines = ed25519.public_key(seed), plan.ledger_lines(index)
    return create_home(folder, profile, plan.chain_id, plan.host, internal, peer, validator=key, ledger=lines)


def _settings(genesis: Genesis, plan: NetworkPlan, folders: Sequence[Path], seeds: Sequence[bytes]) -> CometSettings:
    names = {ed25519.public_key(seed): folder.name for seed, folder in zip(seeds, folders, strict=True)}
    return CometSettings(
        chain_id=genesis.chain_id,
        genesis_time_ms=genesis.time_ms,
        genesis_digest=genesis_digest(genesis),
        validators=tuple(
            GenesisValidator(names.get(one.key, ""), one.key, one.power) for one in genesis_validators(genesis)
        ),
        profile=plan.profile,
        heartbeat_ms=plan.heartbeat_ms,
    )
