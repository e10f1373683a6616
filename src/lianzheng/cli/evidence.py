"""``lianzheng evidence``: bundles and trust files out of a running node, for whoever checks them elsewhere."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app", "ask_node", "save_new"]

app = typer.Typer(no_args_is_help=True, help="Take bundles and trust files out of a running node.")
Config = Annotated[Path, typer.Option(exists=True, dir_okay=False, help="node.toml of the running node.")]
Out = Annotated[Path, typer.Option("--out", help="New file to write; nothing is overwritten.")]
T = TypeVar("T")


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


def save_new(path: Path, data: bytes) -> None:
    """``data`` in a new file; raises ``ConfigError`` ``file_exists``."""
    from lianzheng.adapters.files import write_new
    from lianzheng.errors import ConfigError

    try:
        write_new(path, data, 0o644)
    except FileExistsError as error:
        raise ConfigError("file_exists", f"{path} exists already.", next_step="Name another file.") from error
    typer.echo(f"wrote {path}")


def ask_node(config: Path, call: Callable[[NodeClient], Awaitable[T]]) -> T:
    """What ``call`` gives at the running node of a member or a witness."""
    from lianzheng.adapters.keystore.passphrase import load_passphrase
    from lianzheng.client.http import NodeClient
    from lianzheng.node.config import load_any_config

    settings = load_any_config(config).internal
    token = load_passphrase(settings.token_file).decode()

    async def run() -> T:
        async with NodeClient(f"http://{settings.host}:{settings.port}", token) as node:
            return await call(node)

    return asyncio.run(run())
