"""Entry point: every error of ours ends as two lines on standard error and a documented exit status.

Commands import what they run inside their functions: `verify` starts without the node's web server and database.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.text import Text

from lianzheng import __version__
from lianzheng.cli import alliance, dataset, evidence, init, network, node
from lianzheng.cli.demo import demo
from lianzheng.cli.verify import verify
from lianzheng.errors import LianzhengError

__all__ = ["app", "main"]

EXIT_REFUSED = 1
"""Refused, failed or not accepted; 2 is wrong usage, 3 is `verify` without a trust file."""
EXIT_INTERRUPTED = 130

app = typer.Typer(
    name="lianzheng",
    help="Investor suitability across brokers (联证): with consent, without moving records, with proof.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.add_typer(init.app, name="init")
app.add_typer(network.app, name="network")
app.add_typer(node.app, name="node")
app.add_typer(alliance.app, name="alliance")
app.add_typer(dataset.app, name="dataset")
app.add_typer(evidence.app, name="evidence")
app.command("verify")(verify)
app.command("demo")(demo)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"lianzheng {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Print the version."),
) -> None:
    """Investor suitability across brokers (联证)."""


def main() -> None:
    """Run the command line; exit status 0 done, 1 refused or failed, 2 usage, 3 unanchored, 130 interrupted."""
    try:
        app()
    except LianzhengError as error:
        _explain(error.code, error.text, error.next_step)
        sys.exit(EXIT_REFUSED)
    except OSError as error:
        _explain("file_error", f"{error.filename or 'A file'}: {error.strerror or type(error).__name__}.", "")
        sys.exit(EXIT_REFUSED)
    except KeyboardInterrupt:
        sys.exit(EXIT_INTERRUPTED)


def _explain(code: str, text: str, next_step: str) -> None:
    # Code and texts may come from a node: they are shown as they are, never read as colours or control characters.
    console = Console(stderr=True, soft_wrap=True, highlight=False)
    console.print(Text.assemble((code, "bold red"), ": ", _printable(text)))
    if next_step:
        console.print(Text(f"  → {_printable(next_step)}"))


def _printable(text: str) -> str:
    return "".join(one if one.isprintable() or one == "\n" else "\ufffd" for one in text)
