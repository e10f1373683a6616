"""``lianzheng evidence``: bundles and trust files out of a running node, for whoever checks them elsewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

import typer

from lianzheng.cli.session import Config, ask_node, save_new

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Take bundles and trust files out of a running node.")
Out = Annotated[Path, typer.Option("--out", help="New file to write; nothing is overwritten.")]


@app.command("bundle")
def bundle(
    case_id: Annotated[str, typer.Argument(help="Id of the case.")],
    config: Config,
    out: Out,
    checkpoint: Annotated[
        str | None,
        typer.Option("--checkpoint", help="latest, or a checkpoint's height: what is older than a year needs one."),
    ] = None,
) -> None:
    """Write the bundle of a case; `lianzheng verify` checks it anywhere, without a node."""
    if checkpoint is not None and not re.fullmatch(r"latest|[0-9]{1,15}", checkpoint):
        raise typer.BadParameter("latest, or a height", param_hint="--checkpoint")
    under = "" if checkpoint is None else f"?checkpoint={checkpoint}"
    save_new(out, ask_node(config, lambda node: node.get_bytes(f"/api/v1/cases/{case_id}/bundle{under}")))


@app.command("trust")
def trust(
    config: Config,
    out: Out,
    witnesses: Annotated[
        bool, typer.Option("--witnesses", help="With the keys of everybody who cosigns checkpoints.")
    ] = False,
) -> None:
    """Write the network's trust file as this node sees it; hand it over apart from any bundle."""
    path = "/api/v1/network/trust" + ("/witnesses" if witnesses else "")
    save_new(out, ask_node(config, lambda node: node.get_bytes(path)))
