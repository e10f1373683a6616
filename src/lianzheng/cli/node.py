"""``lianzheng node``: run a member's node."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(no_args_is_help=True, help="Run a member's node.")


@app.callback()
def group() -> None:
    """Run a member's node."""


@app.command("run")
def run(
    config: Annotated[Path, typer.Option(help="The node.toml that `lianzheng init member` wrote.")],
    host: Annotated[str | None, typer.Option(help="Listen here instead of where the file says.")] = None,
    port: Annotated[int | None, typer.Option(help="Port of the internal API instead of the file's.")] = None,
    peer_port: Annotated[int | None, typer.Option(help="Port of the peer API instead of the file's.")] = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C. Logs are JSON lines on standard output; keys are never asked for at a prompt."""
    from lianzheng.node.config import NodeConfig, load_any_config, with_address
    from lianzheng.node.run import run_node

    found = load_any_config(config)
    if isinstance(found, NodeConfig):
        asyncio.run(run_node(with_address(found, host, port, peer_port)))
    else:
        asyncio.run(run_node(with_address(found, host, port, peer_port)))
