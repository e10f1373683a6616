"""Typed configuration of a node, read from one TOML file; an error names the file, the field and the fix."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from lianzheng.errors import ConfigError
from lianzheng.ids import Did
from lianzheng.limits import GATE_WORKERS_MAX, KEEP_BLOCKS_MIN, WITNESSES_MAX

__all__ = [
    "CredentialsConfig",
    "GateConfig",
    "InternalConfig",
    "KeysConfig",
    "KeystoreConfig",
    "LedgerConfig",
    "NodeConfig",
    "OpenIdConfig",
    "PeerConfig",
    "WitnessConfig",
    "WitnessPeer",
    "load_any_config",
    "load_config",
    "with_address",
]

Port = Annotated[int, Field(strict=True, ge=0, le=65535)]


WitnessName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9./_-]{0,119}$")]
"""As on a witness's signature lines; no colon, so that it is never taken for a DID."""


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class InternalConfig(_Section):
    """The broker's own side: internal API, DID resolver and the wallets' inbox, on plain HTTP inside the house."""

    host: str = "127.0.0.1"
    port: Port
    token_file: Path
    """Holds the bearer token of the operator's API (mode 0600)."""


class PeerConfig(_Section):
    """The alliance's side: mutual TLS under the certificate that the ledger names."""

    host: str = "127.0.0.1"
    port: Port
    certificate: Path
    private_key: Path


class WitnessPeer(_Section):
    """A regulator's or auditor's node that may follow the chain and cosigns checkpoints, without a vote (EV-6)."""

    name: WitnessName
    """As on its signature lines, such as ``regulator.example/w1``; no colon, so that it is never taken for a DID."""
    key: Annotated[str, Field(max_length=400)]
    """Its verifier key (C2SP signed-note), as ``lianzheng init witness`` shows it."""
    certificate: Path
    """PEM of its peer certificate: who shows it may follow."""
    endpoint: Annotated[str, Field(pattern=r"^https://[A-Za-z0-9.\[\]:_-]{1,200}$")] | None = None
    """Where it is asked for cosignatures; without one it only follows."""
    control_group: Annotated[str, Field(min_length=1, max_length=120)] | None = None
    """Whose it is, if not its own (CON-7)."""


class LedgerConfig(_Section):
    """The engine and where its files stand."""

    engine: Literal["embedded", "cometbft"] = "embedded"
    genesis: Path
    home: Path = Path("cometbft")
    """CometBFT's own folder; its settings, keys and data stand there."""
    binary: Path | None = None
    """CometBFT's program, where it is not the one of `make cometbft` or on the path."""
    heartbeat_ms: Annotated[int, Field(strict=True, ge=1000)] = 600_000
    """An empty block at least this often, so that block time never stands still for longer; of the embedded engine
    alone, CometBFT keeps its own setting."""
    begin: Literal["blocks", "snapshot"] = "blocks"
    """How a new follower of the embedded engine begins: by executing every block, or with the sequencer's newest
    snapshot under its signed head; then it believes that signature for everything before (LED-8)."""
    archive: bool = False
    """This node keeps every block for good, and refuses to be told otherwise; one member's at least (LED-8)."""
    keep_blocks: Annotated[int, Field(strict=True, ge=KEEP_BLOCKS_MIN)] | None = None
    """Whole blocks that this node keeps, of CometBFT alone; without it, all."""
    checkpoint_hours: Annotated[int, Field(strict=True, ge=0, le=24 * 365)] = 24
    """How often this node collects cosignatures on a checkpoint; with 0 only on command (EV-6)."""
    witness: Annotated[tuple[WitnessPeer, ...], Field(max_length=WITNESSES_MAX)] = ()


class KeystoreConfig(_Section):
    """The sealed key file and the file that holds its passphrase (mode 0600)."""

    path: Path
    passphrase_file: Path


class KeysConfig(_Section):
    """Where keys that sign stand: in the sealed file, or in a hardware module. Scalars always stand in the file."""

    store: Literal["file", "pkcs11"] = "file"
    module: Path | None = None
    """The PKCS#11 library of the module's maker."""
    token: Annotated[str, Field(max_length=32)] = ""
    """Label of the token."""
    pin_file: Path | None = None
    """Holds the user's PIN (mode 0600); a node never asks for it."""
    prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] = "lianzheng"
    """Before the labels of this node's keys, so that several nodes can share a token."""

    @model_validator(mode="after")
    def _complete(self) -> KeysConfig:
        given = (self.module is not None, bool(self.token), self.pin_file is not None)
        if self.store == "pkcs11" and not all(given):
            raise ValueError("with store = pkcs11 it needs module, token and pin_file")
        if self.store == "file" and any(given):
            raise ValueError("module, token and pin_file have no effect without store = pkcs11")
        return self


class GateConfig(_Section):
    """Limits that this member sets for itself."""

    requests_per_minute: Annotated[int, Field(strict=True, ge=1)] = 60_000
    """Per requesting member (GATE-1)."""
    workers: Annotated[int, Field(strict=True, ge=0, le=GATE_WORKERS_MAX)] = 0
    """Processes for the curve work of batches, best one a core; with 0 the node's own process does it."""


class SuitabilityConfig(_Section):
    """Which line of the dated policy table applies."""

    product_line: str = "securities"


class CredentialsConfig(_Section):
    """Credentials that this member issues."""

    status_url: Annotated[str, Field(pattern=r"^https://[!-~]{1,250}[^/]$")] | None = None
    """Where others find its status lists, below which ``/status-lists/NAME`` stands; by default its peer endpoint."""


class OpenIdConfig(_Section):
    """The listener for wallets of others (OpenID4VCI, OpenID4VP); plain HTTP behind the house's own TLS."""

    enabled: bool = False
    base_url: Annotated[
        str,
        Field(
            pattern=r"^(https://[A-Za-z0-9.-]{1,200}|http://(127\.0\.0\.1|localhost))(:[0-9]{1,5})?(/[a-z0-9-]{1,60}){0,4}$"
        ),
    ]
    """Under which wallets reach it, without a slash at its end; plain http on loopback only, for trials."""
    host: str = "127.0.0.1"
    port: Port
    requests_per_minute: Annotated[int, Field(strict=True, ge=1)] = 600
    """Of one address; behind a proxy all wallets have one."""


class NodeConfig(_Section):
    """One member's node. Relative paths are taken from the folder of the file."""

    did: Did
    data_dir: Path
    internal: InternalConfig
    peer: PeerConfig
    ledger: LedgerConfig
    keystore: KeystoreConfig
    keys: KeysConfig = KeysConfig()
    gate: GateConfig = GateConfig()
    suitability: SuitabilityConfig = SuitabilityConfig()
    credentials: CredentialsConfig = CredentialsConfig()
    openid: OpenIdConfig | None = None


class WitnessConfig(_Section):
    """The node of a regulator or auditor: it follows the chain, has no vote, and cosigns checkpoints (EV-6)."""

    role: Literal["witness"]
    name: WitnessName
    data_dir: Path
    internal: InternalConfig
    peer: PeerConfig
    ledger: LedgerConfig
    keystore: KeystoreConfig
    keys: KeysConfig = KeysConfig()


_OF_ONE_ENGINE = {
    "begin": (
        "embedded",
        "Remove it: `lianzheng network add` says in CometBFT's config.toml whether it syncs a state.",
    ),
    "heartbeat_ms": (
        "embedded",
        "Remove it, and set create_empty_blocks_interval in the engine's config.toml, as `network init` does.",
    ),
    "archive": ("cometbft", "Remove it: under the embedded engine every node keeps all blocks."),
    "keep_blocks": ("cometbft", "Remove it: under the embedded engine every node keeps all blocks."),
}
"""Settings under [ledger] that the other engine would pass over in silence, and what to do instead."""


Config = TypeVar("Config", NodeConfig, WitnessConfig)


def load_config(path: Path) -> NodeConfig:
    """A member's configuration in ``path``. Raises ``ConfigError``: ``config_unreadable``, ``config_invalid``."""
    return _validated(NodeConfig, path, _read(path))


def load_any_config(path: Path) -> NodeConfig | WitnessConfig:
    """That of a member or, with ``role = "witness"``, of a witness; errors as :func:`load_config`."""
    raw = _read(path)
    return _validated(WitnessConfig, path, raw) if raw.get("role") == "witness" else _validated(NodeConfig, path, raw)


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(
            "config_unreadable", f"{path} cannot be read.", next_step="Name the file that `lianzheng init` wrote."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(
            "config_unreadable", f"{path} is not TOML: {error}.", next_step="Correct the line it names."
        ) from error


def _validated(form: type[Config], path: Path, raw: dict[str, Any]) -> Config:
    try:
        config = form.model_validate(raw)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            "config_invalid", f"{path}, field {field}: {first['msg']}.", next_step="Correct this field and start again."
        ) from None
    for field, (engine, fix) in _OF_ONE_ENGINE.items():
        if field in config.ledger.model_fields_set and config.ledger.engine != engine:
            raise ConfigError(
                "config_invalid",
                f'{path}, field ledger.{field}: it has no effect with engine = "{config.ledger.engine}".',
                next_step=fix,
            )
    if raw.get("role") == "witness" and config.ledger.begin != "blocks":
        raise ConfigError(
            "config_invalid",
            f"{path}, field ledger.begin: a witness cosigns what it has executed itself, so it begins with block 1.",
            next_step="Remove begin.",
        )
    if config.ledger.archive and config.ledger.keep_blocks is not None:
        raise ConfigError(
            "config_invalid",
            f"{path}, field ledger.keep_blocks: this node is an archive, which keeps every block.",
            next_step="Remove keep_blocks, or set archive = false where another member's node is an archive.",
        )
    return _anchored(config, path.resolve().parent)


def _anchored(config: Config, folder: Path) -> Config:
    def at(section: _Section) -> dict[str, object]:
        return {name: placed(value) for name, value in section}

    def placed(value: object) -> object:
        if isinstance(value, tuple):
            return tuple(map(placed, value))
        return folder / value if isinstance(value, Path) else at(value) if isinstance(value, _Section) else value

    return config.model_validate(at(config))


def with_address(config: Config, host: str | None, port: int | None, peer_port: int | None) -> Config:
    """The configuration with the addresses that the command line names."""
    internal = {"host": host or config.internal.host, "port": config.internal.port if port is None else port}
    peer = {"host": host or config.peer.host, "port": config.peer.port if peer_port is None else peer_port}
    return config.model_copy(
        update={
            "internal": config.internal.model_copy(update=internal),
            "peer": config.peer.model_copy(update=peer),
        }
    )
