"""One command's talk with the running node that ``--config`` names."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["ID", "Config", "Json", "ask_node", "check_new", "save_new", "segment"]

Config = Annotated[Path, typer.Option(help="node.toml of the running node.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document; errors as problem+json on standard error.")]
ID = {"ignore_unknown_options": True}
"""Settings of a command that takes an id: one in 64 of those begins with a dash, and is no option for that."""
T = TypeVar("T")
_SEGMENT = re.compile(r"(?!\.+\Z)[A-Za-z0-9._:-]{1,200}")


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


def check_new(path: Path) -> None:
    """Nothing stands at ``path`` yet, so that an act is not done whose result could not be kept.

    Raises ``ConfigError`` ``file_exists``.
    """
    from lianzheng.errors import ConfigError

    if path.exists():
        raise ConfigError("file_exists", f"{path} exists already.", next_step="Name another file.")


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


def segment(text: str) -> str:
    """``text`` where it can be one segment of a path: what is typed names no other route.

    Raises ``FormatError`` ``name_malformed``; the text is not quoted.
    """
    from lianzheng.errors import FormatError

    if not _SEGMENT.fullmatch(text):
        raise FormatError(
            "name_malformed",
            "An id has letters, digits and . _ : - only.",
            next_step="The `list` commands show the ids there are.",
        )
    return text
