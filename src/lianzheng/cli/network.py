"""``lianzheng network``: a local network of several members under CometBFT, and how it is getting on."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from lianzheng.clock import SystemClock
from lianzheng.errors import ConfigError

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Make a network of several members, and see how it is getting on.")
_CONSOLE = Console(highlight=False, soft_wrap=True)
_UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


@app.command("init")
def init(
    out: Annotated[Path, typer.Option("--out", help="New folder; it gets one folder a member.")],
    members: Annotated[int, typer.Option(min=1, help="Members, each of a control group of its own.")] = 4,
    chain_id: Annotated[str, typer.Option(help="Name of the network: a-z, 0-9 and '-', at most 32.")] = "local-network",
    host: Annotated[
        str, typer.Option(help="Name or IPv4 address at which the members reach each other.")
    ] = "127.0.0.1",
    base_port: Annotated[
        int, typer.Option(min=1, max=65535, help="First of ten ports a member, of which four are used.")
    ] = 26600,
    profile: Annotated[
        Literal["lan", "wan"], typer.Option(help="Engine settings: lan is quicker, wan nearer CometBFT's defaults.")
    ] = "lan",
    heartbeat: Annotated[str, typer.Option(help="An empty block after this much quiet, such as 10m or 30s.")] = "10m",
    keep_blocks: Annotated[
        int | None, typer.Option(min=1000, help="Blocks that nodes keep, the first excepted: it is the archive.")
    ] = None,
) -> None:
    """Write a test network: keys, genesis, certificates and settings of every member. Nothing is overwritten."""
    from lianzheng.ledger.genesis import genesis_digest
    from lianzheng.node.network import NetworkPlan, create_network

    plan = NetworkPlan(members, chain_id, host, base_port, profile, _milliseconds(heartbeat), keep_blocks)
    genesis = create_network(out, plan, SystemClock())
    _CONSOLE.print(f"genesis {genesis_digest(genesis).hex()}", markup=False)
    for number in range(1, members + 1):
        _CONSOLE.print(f"next    lianzheng node run --config {out}/member{number}/node.toml", markup=False)
    _CONSOLE.print(f"then    lianzheng network status --dir {out}", markup=False)
    if members < 4:
        _CONSOLE.print("note    fewer than four control groups tolerate no loss", markup=False)


@app.command("add")
def add(
    folder: Annotated[Path, typer.Option("--dir", exists=True, file_okay=False, help="The --out of `network init`.")],
    profile: Annotated[
        Literal["lan", "wan"], typer.Option(help="Engine settings, as the network was made with.")
    ] = "lan",
    heartbeat: Annotated[str, typer.Option(help="Heartbeat, as the network was made with.")] = "10m",
    witness: Annotated[
        str | None, typer.Option(help="Instead of a member a witness of this name: no vote, it cosigns checkpoints.")
    ] = None,
) -> None:
    """Write the folder of one more member; it follows the chain at once and orders when it was admitted by vote.

    If two members run here and have a snapshot, its engine begins with it, otherwise with block 1.
    """
    from lianzheng.node.network import add_member, add_witness

    if witness is not None:
        home, listed = asyncio.run(add_witness(folder, witness, profile, _milliseconds(heartbeat)))
        _CONSOLE.print(f"home    {home}\nnext    lianzheng node run --config {home}/node.toml", markup=False)
        _CONSOLE.print(f"members add to node.toml, and restart:\n\n{listed}", markup=False)
        return
    home = asyncio.run(add_member(folder, profile, _milliseconds(heartbeat)))
    _CONSOLE.print(f"home    {home}", markup=False)
    _CONSOLE.print(f"next    lianzheng node run --config {home}/node.toml", markup=False)


@app.command("status")
def status(
    folder: Annotated[Path, typer.Option("--dir", exists=True, file_okay=False, help="The --out of `network init`.")],
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON instead of a table.")] = False,
) -> None:
    """Height, lag, peers of each member, whether it is a validator, and why there are no blocks if there are none."""
    from lianzheng.encoding.canonical import encode
    from lianzheng.node.network import network_status

    chain_id, members = asyncio.run(network_status(folder, SystemClock()))
    if as_json:
        typer.echo(encode({"chain_id": chain_id, "members": [member.to_json() for member in members]}).decode())
        return
    table = Table(title=chain_id, title_justify="left")
    for column in ("member", "height", "lag", "peers", "validator", "why no blocks"):
        table.add_column(column)
    for one in members:
        yes = "yes" if one.validator else "no"
        table.add_row(one.name, str(one.height), str(one.lag), str(one.peers), yes, one.why_idle or "–")
    _CONSOLE.print(table)


@app.command("checkpoint")
def checkpoint(
    config: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="node.toml of the running node.")],
    out: Annotated[Path, typer.Option("--out", help="New file for the note; nothing is overwritten.")],
) -> None:
    """Have the other members and the witnesses cosign a checkpoint now, keep it, and write the note (C2SP)."""
    from lianzheng.cli.session import ask_node, save_new

    found = ask_node(config, lambda node: node.post("/api/v1/ledger/checkpoints"))
    save_new(out, str(found["note"]).encode())
    _CONSOLE.print(f"height {found['height']}, cosigned by {', '.join(found['groups'])}", markup=False)
    for name, code in sorted(found["failed"].items()):
        _CONSOLE.print(f"not by {name}: {code}", markup=False)


def _milliseconds(text: str) -> int:
    found = re.fullmatch(r"([0-9]{1,9})(ms|s|m|h)", text)
    value = int(found[1]) * _UNITS[found[2]] if found else 0
    if not 1000 <= value <= 24 * 3_600_000:
        raise ConfigError(
            "heartbeat_invalid",
            "--heartbeat must be a number with ms, s, m or h, from 1s to 24h.",
            next_step="Give for example --heartbeat 10m.",
        )
    return value
