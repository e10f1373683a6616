"""``lianzheng dataset``: load, offer and open this member's data, through its running node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.clock import DAY_MS, SystemClock, day_of

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]


class Retrieval(StrEnum):
    """How requesters read the tables (PIR-2)."""

    PIR = "pir"
    TABLE = "table"


app = typer.Typer(no_args_is_help=True, help="Load, offer and open this member's data, through its running node.")
Config = Annotated[Path, typer.Option(help="node.toml of the running node.")]


@app.command("check")
def check(
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV file; see docs/spec/sources.md.")],
    test_network: Annotated[bool, typer.Option(help="Accept sample people (area 99xxxx).")] = False,
) -> None:
    """Read a source without loading it; every problem is named with row, column and reason. Needs no node."""
    from lianzheng.adapters.sources.csv import read_csv

    found = read_csv(source, as_of=day_of(SystemClock().now_ms()), test_network=test_network)
    found.raise_if_refused()
    typer.echo(f"{len(found.records)} customers, sha256 {found.digest.hex()}")


@app.command("load")
def load(
    dataset: Annotated[str, typer.Argument(help="Name of the data set: a-z, 0-9 and '-'.")],
    source: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV file of customers.")],
    config: Config,
) -> None:
    """Load a source whole, or refuse it and change nothing."""
    from lianzheng.limits import SOURCE_BYTES_MAX

    with source.open("rb") as file:
        data = file.read(SOURCE_BYTES_MAX + 1)  # the node refuses what is longer
    loaded = _call(config, lambda node: node.post_bytes(f"/api/v1/datasets/{dataset}/source", data, "text/csv"))
    typer.echo(f"{loaded['people']} customers in {dataset}, sha256 {loaded['sha256']}")


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
    receipt = _call(config, lambda node: node.post("/api/v1/datasets", offer))
    typer.echo(f"{dataset} offered, ledger height {receipt['height']}")


@app.command("open")
def open_epoch(
    view: Annotated[str, typer.Argument(help="dataset/bundle/form")],
    config: Config,
    days: Annotated[int, typer.Option(min=1, max=92, help="How long the epoch answers.")] = 30,
) -> None:
    """Build and publish a new epoch of a view under a fresh key."""
    until_ms = SystemClock().now_ms() + days * DAY_MS
    opened = _call(config, lambda node: node.post("/api/v1/epochs", {"view": view, "until_ms": until_ms}))
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


def _call(config: Path, call: Callable[[NodeClient], Awaitable[Any]]) -> Any:
    from lianzheng.adapters.keystore.passphrase import load_passphrase
    from lianzheng.client.http import NodeClient
    from lianzheng.node.config import load_config

    settings = load_config(config).internal
    token = load_passphrase(settings.token_file).decode()

    async def run() -> Any:
        async with NodeClient(f"http://{settings.host}:{settings.port}", token, timeout_s=600) as node:
            return await call(node)

    return asyncio.run(run())
