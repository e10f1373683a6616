"""``lianzheng dataset``: load, offer and open this member's data, through its running node."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from lianzheng.cli.session import Config, ask_node
from lianzheng.clock import DAY_MS, SystemClock, day_of

__all__ = ["app"]


class Retrieval(StrEnum):
    """How requesters read the tables (PIR-2)."""

    PIR = "pir"
    TABLE = "table"


app = typer.Typer(no_args_is_help=True, help="Load, offer and open this member's data, through its running node.")


_Source = Annotated[
    Path, typer.Argument(exists=True, dir_okay=False, help="CSV or Parquet file of customers; see docs/guides.")
]
_Mapping = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="TOML: which column holds which field; see docs/spec/sources.md."),
]
_Json = Annotated[bool, typer.Option("--json", help="One JSON object.")]


@app.command("check")
def check(
    source: _Source,
    mapping: _Mapping = None,
    test_network: Annotated[bool, typer.Option(help="Accept sample people (area 99xxxx).")] = False,
    bad_rows: Annotated[
        Path | None, typer.Option(help="Write all bad rows, with reasons, to this new file: it holds personal data.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Read a source without loading it; every problem is named with row, column and reason. Needs no node."""
    from lianzheng.cli.sources import check_file

    check_file(source, mapping, bad_rows, test_network=test_network, as_json=as_json)


@app.command("load")
def load(
    dataset: Annotated[str, typer.Argument(help="Name of the data set: a-z, 0-9 and '-'.")],
    source: _Source,
    config: Config,
    mapping: _Mapping = None,
    accept_bad: Annotated[
        int, typer.Option(min=0, help="Leave out the bad rows, if they are exactly so many; see `dataset check`.")
    ] = 0,
    as_json: _Json = False,
) -> None:
    """Load a source as a job of the node, or refuse it and change nothing. Ctrl-C cancels the job."""
    from lianzheng.cli.sources import load_file

    loaded = ask_node(config, lambda node: load_file(node, dataset, source, mapping, accept_bad, quiet=as_json), 600)
    if as_json:
        from lianzheng.encoding.canonical import encode

        typer.echo(encode(loaded).decode())
        return
    left_out = f", {loaded['skipped']} bad rows left out" if loaded["skipped"] else ""
    typer.echo(f"{loaded['people']} customers in {dataset}{left_out}, sha256 {loaded['sha256']}")


@app.command("publish")
def publish(
    dataset: Annotated[str, typer.Argument(help="Name of the data set.")],
    config: Config,
    title: Annotated[str, typer.Option(help="What the other members read.")],
    view: Annotated[list[str], typer.Option(help="bundle/form offered, such as wealth/bands; may be repeated.")],
    purpose: Annotated[list[str], typer.Option(help="Purpose, such as suitability-assessment; may be repeated.")],
    retrieval: Annotated[
        Retrieval, typer.Option(help="pir: asked in private; table: downloaded whole. See `dataset advise`.")
    ] = Retrieval.PIR,
) -> None:
    """Offer a data set to the alliance on the ledger."""
    offer = {
        "dataset": dataset,
        "title": title,
        "as_of": day_of(SystemClock().now_ms()),
        "views": sorted(f"{dataset}/{one}" for one in view),
        "purposes": sorted(purpose),
        "functions": ["hidden-query"],
        "retrieval": retrieval.value,
        "issuers": None,
    }
    receipt = ask_node(config, lambda node: node.post("/api/v1/datasets", offer), 600)
    typer.echo(f"{dataset} offered, ledger height {receipt['height']}")


@app.command("open")
def open_epoch(
    view: Annotated[str, typer.Argument(help="dataset/bundle/form")],
    config: Config,
    days: Annotated[int, typer.Option(min=1, max=92, help="How long the epoch answers.")] = 30,
    renew: Annotated[
        bool | None, typer.Option("--renew/--no-renew", help="Open the next one by itself before each ends, or stop.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Build and publish a new epoch of a view under a fresh key, as a job of the node.

    Ctrl-C cancels the job; opening the epoch again carries on with what was finished.
    """
    from lianzheng.cli.epochs import open_and_watch
    from lianzheng.encoding.canonical import encode

    until_ms = SystemClock().now_ms() + days * DAY_MS
    opened = ask_node(config, lambda node: open_and_watch(node, view, until_ms, renew, quiet=as_json), 600)
    if as_json:
        typer.echo(encode(opened).decode())
        return
    typer.echo(f"epoch {opened['epoch']} of {opened['view']}: {opened['entries']} entries")


@app.command("advise")
def advise(
    people: Annotated[int, typer.Option(min=1, max=20_000_000, help="People with an entry in the view.")],
    lookups: Annotated[int, typer.Option(min=0, help="People that one requester looks up in one epoch.")],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Which retrieval moves fewer bytes for a number of lookups an epoch. Needs no node. Neither shows who is asked."""
    from lianzheng.compute.protocols.hidden_query.retrieval import advise as advice_of
    from lianzheng.encoding.canonical import encode

    found = advice_of(people, lookups)
    if as_json:
        members = {
            "cheaper": found.cheaper,
            "lookups": found.lookups,
            "pir_bytes": found.pir_bytes,
            "pir_lookup_bytes": found.pir_lookup_bytes,
            "pir_lookups_max": found.pir_lookups_max,
            "pir_once_bytes": found.pir_once_bytes,
            "table_bytes": found.table_bytes,
        }
        typer.echo(encode(members).decode())
        return
    typer.echo(f"cheaper for {lookups} lookups: {found.cheaper}")
    typer.echo(f"table: {_mib(found.table_bytes)} once")
    each = f"{_mib(found.pir_once_bytes)} once and {found.pir_lookup_bytes / 1024:.1f} KiB a lookup"
    typer.echo(f"pir:   {_mib(found.pir_bytes)}: {each}; moves less up to {found.pir_lookups_max} lookups")


def _mib(size: int) -> str:
    return f"{size / 2**20:.1f} MiB"
