"""Write ``tests/golden/cli.txt``: every command with its options and their help, apart from any terminal's width.

Run by ``make golden``; a test compares the file with the commands.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from lianzheng.cli.main import app

FILE = Path(__file__).resolve().parent.parent / "tests" / "golden" / "cli.txt"


def text() -> str:
    """The whole file."""
    return "".join(f"{line}\n" for line in _lines(typer.main.get_command(app), "lianzheng"))


def _lines(command: Any, path: str) -> Iterator[str]:
    inner = getattr(command, "commands", {})
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    words = [one.metavar or one.name.upper() for one in arguments]
    shown = [word if one.required else f"[{word}]" for word, one in zip(words, arguments, strict=True)]
    yield " ".join([path, *shown, *(["COMMAND"] if inner else [])])
    yield from (f"    {line}" if line else "" for line in (command.help or "").strip().splitlines())
    for one in command.params:
        if one.name not in ("install_completion", "show_completion"):
            yield f"  {_names(one)}: {one.help}"
    yield ""
    for name in sorted(inner):
        yield from _lines(inner[name], f"{path} {name}")


def _names(one: Any) -> str:
    if one.param_type_name == "argument":
        return str(one.metavar or one.name.upper())
    names = "/".join((*one.opts, *one.secondary_opts))
    return f"{names} (required)" if one.required else names


if __name__ == "__main__":
    FILE.write_text(text(), "utf-8")
