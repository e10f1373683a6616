"""One command's talk with the running node that ``--config`` names."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["Config", "Json", "ask_node", "save_new"]

Config = Annotated[Path, typer.Option(help="node.toml of the running node.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document; errors as problem+json on standard error.")]
T = TypeVar("T")


def ask_node(config: Path, call: Callable[[NodeClient], Awaitable[T]], timeout_s: int = 60) -> T:
    """What ``call`` gives at the running node of a member or a witness.

    Raises ``ConfigError`` for what is wrong with the configuration or the token file, and what ``call`` raises.
    """
    from lianzheng.adapters.keystore.passphrase import load_passphrase
    from lianzheng.client.http import NodeClient
    from lianzheng.node.config import load_any_config

    settings = load_any_config(config).internal
    token = load_passphrase(settings.token_file).decode()

    async def run() -> T:
        async with NodeClient(f"http://{settings.host}:{settings.port}", token, timeout_s=timeout_s) as node:
            return await call(node)

    return asyncio.run(run())


def save_new(path: Path, data: bytes, *, private: bool = False, quiet: bool = False) -> None:
    """``data`` in a new file, for this user alone if it is ``private``; raises ``ConfigError`` ``file_exists``."""
    from lianzheng.adapters.files import write_new
    from lianzheng.errors import ConfigError

    try:
        write_new(path, data, 0o600 if private else 0o644)
    except FileExistsError as error:
        raise ConfigError("file_exists", f"{path} exists already.", next_step="Name another file.") from error
    if not quiet:
        typer.echo(f"wrote {path}")
