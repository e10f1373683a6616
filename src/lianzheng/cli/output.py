"""What commands print: one JSON document for machines, short tables for people, errors on standard error."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import typer

from lianzheng.errors import LianzhengError

__all__ = ["explain", "printable", "problem", "say", "show", "show_json", "table"]


def show_json(found: Any) -> None:
    """One line with one JSON document."""
    from lianzheng.encoding.canonical import encode

    typer.echo(encode(found).decode())


def show(found: Any, as_json: bool, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """``found`` as JSON, or ``rows`` as a table."""
    if as_json:
        show_json(found)
    else:
        table(titles, rows)


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A plain table."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    made = Table(*titles, box=None, pad_edge=False)
    for row in rows:
        made.add_row(*(Text(printable(cell)) for cell in row))  # texts of others: never read as colours
    Console(highlight=False, soft_wrap=True).print(made)


def say(*lines: str, err: bool = False) -> None:
    """Lines for people, whatever they hold."""
    typer.echo("\n".join(printable(line) for line in lines), err=err)


def explain(error: LianzhengError) -> None:
    """Code and text in red, the next step below, on standard error."""
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble((error.code, "bold red"), ": ", printable(error.text)))
    if error.next_step:
        console.print(Text(f"  → {printable(error.next_step)}"))


def problem(error: LianzhengError) -> None:
    """The error as problem+json on one line of standard error, with the members that the API's problems have."""
    from lianzheng.encoding.canonical import encode

    body = {"type": f"urn:lianzheng:problem:{error.code}", "title": error.text, "status": error.status}
    body |= {"code": error.code} | ({"next_step": error.next_step} if error.next_step else {})
    typer.echo(encode(body).decode(), err=True)


def printable(text: str) -> str:
    """``text`` without what would move a terminal's cursor or change its colours."""
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
