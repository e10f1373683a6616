"""``lianzheng init``: a member's home folder, then the genesis of a network."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from lianzheng.clock import SystemClock

if TYPE_CHECKING:
    from lianzheng.crypto.sealing import CipherName

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Make a member's home folder, then the genesis of a network.")
_CONSOLE = Console(highlight=False, soft_wrap=True)


@app.command("member")
def member(
    out: Annotated[Path, typer.Option("--dir", help="New folder for keys, certificate and configuration.")],
    chain_id: Annotated[str, typer.Option(help="Name of the network: a-z, 0-9 and '-', at most 32.")],
    name: Annotated[str, typer.Option(help="Legal name of the institution.")],
    uscc: Annotated[str, typer.Option(help="Unified social credit code, 18 characters (GB 32100).")],
    control_group: Annotated[str, typer.Option(help="Common controlling shareholder; votes count groups.")],
    address: Annotated[str, typer.Option(help="Registered address.")] = "—",
    member_type: Annotated[str, typer.Option("--type", help="Kind of institution.")] = "broker",
    host: Annotated[
        str, typer.Option(help="Name or IPv4 address at which the other members reach the node.")
    ] = "127.0.0.1",
    internal_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the internal API.")] = 8420,
    peer_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the peer API (mutual TLS).")] = 8421,
    key_cipher: Annotated[
        str, typer.Option(help="Cipher of the key file, for good: aes-256-gcm or sm4-gcm.")
    ] = "aes-256-gcm",
    hsm_module: Annotated[Path | None, typer.Option(help="PKCS#11 library: keys that sign stand in its token.")] = None,
    hsm_token: Annotated[str, typer.Option(help="Label of the token in the hardware module.")] = "",
    hsm_pin_file: Annotated[Path | None, typer.Option(help="File with the token's PIN, mode 0600.")] = None,
) -> None:
    """Make a member's home: sealed key store, passphrase file, API token, certificate, card, node.toml.

    The passphrase file protects copies of the key store that travel without it (backups), not one beside it.
    Send `member.json` to the founders; it holds nothing secret.
    """
    from lianzheng.identity.idnorm import normalise_number
    from lianzheng.identity.model import CreationOperation, did_of
    from lianzheng.node.keys import KeyChoice
    from lianzheng.node.setup import MemberProfile, create_home

    normalise_number("USCC", "CN", uscc)
    profile = MemberProfile(name=name, type=member_type, uscc=uscc, address=address, control_group=control_group)
    choice = KeyChoice(_cipher(key_cipher), hsm_module, hsm_token, hsm_pin_file)
    card = create_home(out, profile, chain_id, host, internal_port, peer_port, keys=choice)
    did = did_of(CreationOperation.from_json(card.did_operation))
    _CONSOLE.print(f"home    {out}\nDID     {did}\ncard    {out / 'member.json'}", markup=False)
    _CONSOLE.print("next    lianzheng init network --member …/member.json … --out genesis.json", markup=False)


def _cipher(text: str) -> CipherName:
    known: dict[str, CipherName] = {"aes-256-gcm": "aes-256-gcm", "sm4-gcm": "sm4-gcm"}
    if text in known:
        return known[text]
    raise typer.BadParameter("Name aes-256-gcm or sm4-gcm.", param_hint="--key-cipher")


@app.command("witness")
def witness(
    out: Annotated[Path, typer.Option("--dir", help="New folder for keys, certificate and configuration.")],
    name: Annotated[str, typer.Option(help="Name on its signatures, such as regulator.example/w1.")],
    host: Annotated[str, typer.Option(help="Name or IPv4 address at which members reach it.")] = "127.0.0.1",
    internal_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of its internal API.")] = 8420,
    peer_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of its peer API (mutual TLS).")] = 8421,
) -> None:
    """Make the home of a regulator's or auditor's node that follows the chain without a vote and cosigns checkpoints.

    Put the network's genesis.json into it. Members who let it follow add what is printed to their node.toml.
    """
    from lianzheng.node.setup import create_witness_home

    key = create_witness_home(out, name, host, internal_port, peer_port)
    _CONSOLE.print(f"home    {out}\nnext    lianzheng node run --config {out}/node.toml", markup=False)
    _CONSOLE.print("members add, with a copy of its peer.crt.pem:\n", markup=False)
    _CONSOLE.print(
        f'[[ledger.witness]]\nname = "{name}"\nkey = "{key}"\ncertificate = "witness.crt.pem"\n'
        f'endpoint = "https://{host}:{peer_port}"',
        markup=False,
    )


@app.command("application")
def application(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="node.toml of the new member's home.")],
    genesis: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="genesis.json of the network.")],
    materials: Annotated[
        Path,
        typer.Option(exists=True, dir_okay=False, help="Its papers; only their digest goes in."),
    ],
    out: Annotated[Path, typer.Option(help="New file to write; nothing is overwritten.")] = Path("application.json"),
) -> None:
    """Sign an application to a network that runs. A member brings it in: `lianzheng alliance apply`."""
    from lianzheng.adapters.files import write_new
    from lianzheng.ledger.genesis import Genesis
    from lianzheng.limits import GENESIS_BYTES_MAX
    from lianzheng.node.application import create_application

    network = Genesis.from_bytes(genesis.read_bytes(), GENESIS_BYTES_MAX)
    write_new(out, create_application(config, network, materials.read_bytes()).to_bytes(), 0o644)
    _CONSOLE.print(f"application {out}", markup=False)
    _CONSOLE.print("next        a member: lianzheng alliance apply application.json --config node.toml", markup=False)


@app.command("network")
def network(
    chain_id: Annotated[str, typer.Option(help="Name of the network, as in the members' cards.")],
    cards: Annotated[list[Path], typer.Option("--member", help="A founder's member.json; the first one sequences.")],
    agreement: Annotated[
        Path, typer.Option(exists=True, dir_okay=False, help="The alliance agreement that every founder signs.")
    ],
    out: Annotated[Path, typer.Option(help="New file to write; nothing is overwritten.")] = Path("genesis.json"),
    test_network: Annotated[
        bool, typer.Option(help="Admit sample people (area 99xxxx); for ever a test network.")
    ] = False,
) -> None:
    """Make genesis from the founders' cards. Every founder copies it beside its node.toml and compares the digest."""
    from lianzheng.ledger.genesis import genesis_digest
    from lianzheng.node.setup import create_genesis, load_card, save_genesis

    members = tuple(load_card(path) for path in cards)
    genesis = create_genesis(
        chain_id, members, agreement.read_bytes(), {"test_network": int(test_network)}, SystemClock()
    )
    save_genesis(out, genesis)
    _CONSOLE.print(f"genesis {out}\ndigest  {genesis_digest(genesis).hex()}", markup=False)
    _CONSOLE.print("next    lianzheng node run --config node.toml   (each founder, the first one first)", markup=False)
