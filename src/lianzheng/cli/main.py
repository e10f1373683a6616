"""Entry point: every error of ours ends as two lines on standard error and a documented exit status.

Commands import what they run inside their functions: `verify` starts without the node's web server and database.
"""

from __future__ import annotations

import sys
from typing import Any

import typer
from typer.core import TyperGroup

from lianzheng import __version__
from lianzheng.cli import (
    alliance,
    assess,
    conformance,
    consent,
    credential,
    dataset,
    did,
    enrol,
    evidence,
    init,
    network,
    node,
    query,
    task,
    wallet,
)
from lianzheng.cli.demo import demo
from lianzheng.cli.exits import INTERRUPTED, exit_status
from lianzheng.cli.output import explain, problem
from lianzheng.cli.verify import verify
from lianzheng.errors import ConfigError, LianzhengError

__all__ = ["app", "main"]


class _Root(TyperGroup):
    """Ctrl-C in any command: one line and status 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            typer.echo("interrupted", err=True)
            raise typer.Exit(INTERRUPTED) from None


app = typer.Typer(
    name="lianzheng",
    cls=_Root,
    help="Investor suitability across brokers (联证): with consent, without moving records, with proof.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)
app.add_typer(init.app, name="init")
app.add_typer(network.app, name="network")
app.add_typer(node.app, name="node")
app.add_typer(alliance.app, name="alliance")
app.add_typer(did.app, name="did")
app.add_typer(dataset.app, name="dataset")
app.add_typer(enrol.app, name="enrol")
app.add_typer(consent.app, name="consent")
app.add_typer(task.app, name="task")
app.add_typer(query.app, name="query")
app.add_typer(assess.app, name="assess")
app.add_typer(evidence.app, name="evidence")
app.add_typer(credential.app, name="credential")
app.add_typer(wallet.app, name="wallet")
app.add_typer(conformance.app, name="conformance")
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
    """Run the command line; exit statuses as in :mod:`lianzheng.cli.exits`."""
    as_json = "--json" in sys.argv[1:]
    try:
        app(prog_name="lianzheng")
    except LianzhengError as error:
        sys.exit(_end(error, as_json))
    except OSError as error:
        text = f"{error.filename or 'A file'}: {error.strerror or type(error).__name__}."
        sys.exit(_end(ConfigError("file_error", text), as_json))


def _end(error: LianzhengError, as_json: bool) -> int:
    (problem if as_json else explain)(error)
    return exit_status(error)
