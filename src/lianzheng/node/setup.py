"""Making a member's home folder and a network's genesis: keys, certificate, card, configuration.

The home of a member holds ``node.toml``, the sealed key store and its passphrase file, the operator's API
token, the peer certificate with its key, and ``member.json``, the public card that founders exchange.
"""

from __future__ import annotations

import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from lianzheng import registry
from lianzheng.adapters.files import sync_folder, write_new
from lianzheng.adapters.transport.certificates import create_certificate
from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.binary import b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import ConfigError, FormatError
from lianzheng.governance.validators import VALIDATOR_KEY_ID
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key
from lianzheng.ledger.checkpoint import cosigner_key
from lianzheng.ledger.genesis import Genesis, GenesisMember, Sequencer
from lianzheng.limits import SCHEMA_DEFAULT
from lianzheng.node.keys import NODE_KEY, KeyChoice, create_keystore

__all__ = [
    "NODE_KEY",
    "MemberProfile",
    "create_genesis",
    "create_home",
    "create_witness_home",
    "load_card",
    "save_genesis",
]

_CHAIN_ID = re.compile(r"[a-z0-9-]{1,32}\Z")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,252}[A-Za-z0-9])?\Z")


@dataclass(frozen=True, slots=True)
class MemberProfile:
    """What the register of institutions asks of a member (F83)."""

    name: str
    type: str
    uscc: str
    address: str
    control_group: str
    licences: tuple[str, ...] = ()
    pilot_licences: tuple[str, ...] = ()
    filing_state: str = "filed"


def create_home(
    folder: Path,
    profile: MemberProfile,
    chain_id: str,
    host: str,
    internal_port: int,
    peer_port: int | None,
    validator: bytes | None = None,
    ledger: str = "",
    keys: KeyChoice | None = None,
) -> GenesisMember:
    """A new home in ``folder`` and the member's public card; nothing that exists is overwritten.

    ``peer_port`` None makes a member without a node; ``validator`` is the Ed25519 key of its validator where the
    network is ordered by CometBFT, ``ledger`` are further lines for [ledger], ``keys`` where its keys stand. The
    folder appears whole or not at all.
    Raises ``ConfigError``: ``home_exists``, ``chain_id_invalid``, ``host_invalid``; ``FormatError`` ``field_invalid``.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ConfigError("home_exists", f"{folder} exists and is not an empty folder.", next_step="Name a new folder.")
    if not _CHAIN_ID.match(chain_id):
        raise ConfigError(
            "chain_id_invalid",
            "A network's name has 1 to 32 of a-z, 0-9 and '-'.",
            next_step="Name it as the others do.",
        )
    if not _HOST.match(host) or host == "0.0.0.0":  # noqa: S104 - refused, not bound
        raise ConfigError(
            "host_invalid",
            "The host must be a name or an IPv4 address at which the other members reach this node.",
            next_step="To listen on more addresses, start it with `lianzheng node run --host 0.0.0.0`.",
        )
    _card(profile, {}, host, peer_port, b"none yet")  # refuses what no ledger would take, before anything is made
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.partial")
    partial.mkdir(mode=0o700)
    keystore = None
    try:
        keystore, section = create_keystore(partial, keys or KeyChoice())
        lines = (ledger, section)
        card = _fill(partial, keystore, profile, chain_id, host, internal_port, peer_port, validator, lines)
        partial.rename(folder)  # replaces an empty folder, refuses a full one
        sync_folder(folder.parent)
    except BaseException:
        try:
            if keystore is not None:
                keystore.erase(NODE_KEY)  # one in a hardware module would outlive the folder
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        raise
    return card


def _fill(
    folder: Path,
    keystore: KeyStore,
    profile: MemberProfile,
    chain_id: str,
    host: str,
    internal_port: int,
    peer_port: int | None,
    validator: bytes | None,
    lines: tuple[str, str],
) -> GenesisMember:
    public = keystore.generate_signing_key(NODE_KEY)
    keys = [ed25519_key("#node", public, "assertionMethod", "authentication")]
    if validator is not None:
        keys.append(ed25519_key(VALIDATOR_KEY_ID, validator, "assertionMethod"))
    operation = CreationOperation(network=chain_id, keys=tuple(keys), salt=secrets.token_bytes(32))
    certificate, private_key = create_certificate(profile.name, host)
    write_new(folder / "peer.crt.pem", certificate.pem, 0o644)
    write_new(folder / "peer.key.pem", private_key, 0o600)
    write_new(folder / "api-token", b64u_encode(secrets.token_bytes(32)).encode() + b"\n", 0o600)
    card = _card(profile, operation.to_json(), host, peer_port, certificate.der)
    write_new(folder / "member.json", card.to_bytes(), 0o644)
    if peer_port is not None:
        engine = "embedded" if validator is None else "cometbft"
        text = _config_text(did_of(operation), host, internal_port, peer_port, engine, lines[0])
        write_new(folder / "node.toml", (text + lines[1]).encode(), 0o644)
    return card


def create_witness_home(
    folder: Path,
    name: str,
    host: str,
    internal_port: int,
    peer_port: int,
    engine: Literal["embedded", "cometbft"] = "embedded",
) -> str:
    """A new home of a witness's node in ``folder``; its verifier key. Nothing that exists is overwritten.

    Raises ``ConfigError`` ``home_exists``, ``host_invalid``; ``FormatError`` ``note_key_malformed``.
    """
    if folder.is_symlink() or (folder.exists() and (not folder.is_dir() or any(folder.iterdir()))):
        raise ConfigError("home_exists", f"{folder} exists and is not an empty folder.", next_step="Name a new folder.")
    if not _HOST.match(host):
        raise ConfigError(
            "host_invalid", "The host must be a name or an IPv4 address.", next_step="Name one that members reach."
        )
    cosigner_key(name, bytes(32))  # refuses what no signature line could carry, before anything is made
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keystore, _ = create_keystore(folder, KeyChoice())
    public = keystore.generate_signing_key(NODE_KEY)
    certificate, private_key = create_certificate(name, host)
    write_new(folder / "peer.crt.pem", certificate.pem, 0o644)
    write_new(folder / "peer.key.pem", private_key, 0o600)
    write_new(folder / "api-token", b64u_encode(secrets.token_bytes(32)).encode() + b"\n", 0o600)
    text = _config_text("", host, internal_port, peer_port, engine)
    first = f'# A witness\'s node: it follows without a vote.\nrole = "witness"\nname = "{name}"\n'
    write_new(folder / "node.toml", (first + text.partition('did = ""\n')[2]).encode(), 0o644)
    return cosigner_key(name, public).to_text()


def _card(
    profile: MemberProfile, operation: JsonObject, host: str, peer_port: int | None, certificate: bytes
) -> GenesisMember:
    members = asdict(profile) | {
        "did_operation": operation,
        "endpoint": None if peer_port is None else f"https://{host}:{peer_port}",
        "certificate": certificate,
        "roles": ("provider", "requester", "issuer"),
    }
    return GenesisMember.from_json(members)


def load_card(path: Path) -> GenesisMember:
    """The public card in ``path``. Raises ``ConfigError`` ``card_unreadable``, ``card_invalid``."""
    try:
        return GenesisMember.from_bytes(path.read_bytes())
    except OSError as error:
        raise ConfigError("card_unreadable", f"{path} cannot be read.", next_step="Name a member.json file.") from error
    except FormatError as error:
        raise ConfigError(
            "card_invalid",
            f"{path} is no member's card: {error.text}",
            next_step="Ask that member for its member.json.",
        ) from error


def create_genesis(
    chain_id: str,
    members: tuple[GenesisMember, ...],
    agreement: bytes,
    parameters: dict[str, int],
    clock: Clock,
    engine: Literal["embedded", "cometbft"] = "embedded",
) -> Genesis:
    """Genesis of a network; ``agreement`` is the document itself. If ``embedded``, the first founder's node sequences.

    Raises ``ConfigError``: ``card_other_network``, ``member_duplicate``, ``sequencer_without_node``.
    """
    operations = [CreationOperation.from_json(member.did_operation) for member in members]
    for member, one in zip(members, operations, strict=True):
        if one.network != chain_id:
            raise ConfigError(
                "card_other_network",
                f"The card of {member.name} was made for the network {one.network}, not {chain_id}.",
                next_step="Ask for a card made with `lianzheng init member --chain-id` of this network.",
            )
    dids, codes = {did_of(one) for one in operations}, {member.uscc for member in members}
    if len(dids) < len(members) or len(codes) < len(members):
        raise ConfigError("member_duplicate", "Two cards are of the same member.", next_step="Name each card once.")
    if engine == "embedded" and members[0].endpoint is None:
        raise ConfigError(
            "sequencer_without_node", "The first founder runs no node.", next_step="Name one with a node first."
        )
    operation = operations[0]
    return Genesis(
        schema=SCHEMA_DEFAULT,
        chain_id=chain_id,
        time_ms=clock.now_ms(),
        registry=registry.digest(),
        parameters=parameters,
        agreement=sha256("agreement", agreement),
        members=members,
        sequencer=Sequencer(did=did_of(operation), key=operation.keys[0].multikey) if engine == "embedded" else None,
    )


def save_genesis(path: Path, genesis: Genesis) -> None:
    """``genesis`` in a new file. Raises ``ConfigError`` ``genesis_exists``, ``genesis_unwritable``."""
    try:
        write_new(path, genesis.to_bytes(), 0o644)
    except FileExistsError as error:
        raise ConfigError("genesis_exists", f"{path} exists already.", next_step="Name another file.") from error
    except OSError as error:
        raise ConfigError(
            "genesis_unwritable", f"{path} cannot be written.", next_step="Name a file in a folder of yours."
        ) from error


def _config_text(did: str, host: str, internal_port: int, peer_port: int, engine: str, ledger: str = "") -> str:
    return f"""# One member's node. Paths are relative to this file.
did = "{did}"
data_dir = "data"

[internal]                      # the broker's own side; keep it inside the house
host = "{host}"
port = {internal_port}
token_file = "api-token"

[peer]                          # the alliance's side: mutual TLS, only the ledger's certificates
host = "{host}"
port = {peer_port}
certificate = "peer.crt.pem"
private_key = "peer.key.pem"

[ledger]
engine = "{engine}"
genesis = "genesis.json"
{ledger}
[keystore]
path = "keys.sealed"
passphrase_file = "passphrase"  # protects a copy of the key store that travels without it, not one beside it
"""
