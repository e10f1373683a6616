"""Making a member's home folder and a network's genesis: keys, certificate, card, configuration.

The home of a member holds ``node.toml``, the sealed key store and its passphrase file, the operator's API
token, the peer certificate with its key, and ``member.json``, the public card that founders exchange.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from lianzheng import registry
from lianzheng.adapters.keystore.passphrase import create_passphrase_file
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.adapters.transport.certificates import create_certificate
from lianzheng.clock import Clock
from lianzheng.crypto.digest import sha256
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import ConfigError
from lianzheng.identity.model import CreationOperation, did_of, ed25519_key
from lianzheng.ledger.genesis import Genesis, GenesisMember, Sequencer

__all__ = ["NODE_KEY", "MemberProfile", "create_home", "create_genesis", "load_card"]

NODE_KEY = "node"
"""Name in the key store of the key behind ``#node``."""


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
    folder: Path, profile: MemberProfile, chain_id: str, host: str, internal_port: int, peer_port: int | None
) -> GenesisMember:
    """A new home in ``folder`` and the member's public card; nothing that exists is overwritten.

    ``peer_port`` None makes a member without a node. Raises ``ConfigError`` ``home_exists``.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ConfigError("home_exists", f"{folder} is not empty.", next_step="Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    passphrase = create_passphrase_file(folder / "passphrase")
    keystore = SealedFileKeyStore.create(folder / "keys.sealed", passphrase)
    public = keystore.generate_signing_key(NODE_KEY)
    key = ed25519_key("#node", public, "assertionMethod", "authentication")
    operation = CreationOperation(network=chain_id, keys=(key,), salt=secrets.token_bytes(32))
    certificate, private_key = create_certificate(profile.name, host)
    _write(folder / "peer.crt.pem", certificate.pem, 0o644)
    _write(folder / "peer.key.pem", private_key, 0o600)
    _write(folder / "api-token", b64u_encode(secrets.token_bytes(32)).encode() + b"\n", 0o600)
    card = GenesisMember(
        did_operation=operation.to_json(),
        name=profile.name,
        type=profile.type,
        uscc=profile.uscc,
        address=profile.address,
        licences=profile.licences,
        pilot_licences=profile.pilot_licences,
        filing_state=profile.filing_state,
        control_group=profile.control_group,
        endpoint=None if peer_port is None else f"https://{host}:{peer_port}",
        certificate=certificate.der,
        roles=("provider", "requester", "issuer"),
    )
    _write(folder / "member.json", card.to_bytes(), 0o644)
    if peer_port is not None:
        text = _config_text(did_of(operation), host, internal_port, peer_port)
        _write(folder / "node.toml", text.encode(), 0o644)
    return card


def load_card(path: Path) -> GenesisMember:
    """The public card in ``path``. Raises ``ConfigError`` ``card_unreadable`` or a ``FormatError``."""
    try:
        return GenesisMember.from_bytes(path.read_bytes())
    except OSError as error:
        raise ConfigError("card_unreadable", f"{path} cannot be read.", next_step="Name a member.json file.") from error


def create_genesis(
    chain_id: str, members: tuple[GenesisMember, ...], agreement: bytes, parameters: dict[str, int], clock: Clock
) -> Genesis:
    """Genesis of a network whose first founder's node sequences; ``agreement`` is the document itself."""
    operation = CreationOperation.from_json(members[0].did_operation)
    return Genesis(
        chain_id=chain_id,
        time_ms=clock.now_ms(),
        registry=registry.digest(),
        parameters=parameters,
        agreement=sha256("agreement", agreement),
        members=members,
        sequencer=Sequencer(did=did_of(operation), key=operation.keys[0].multikey),
    )


def _write(path: Path, data: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _config_text(did: str, host: str, internal_port: int, peer_port: int) -> str:
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
engine = "embedded"
genesis = "genesis.json"

[keystore]
path = "keys.sealed"
passphrase_file = "passphrase"  # protects a copy of the key store that travels without it, not one beside it
"""
