"""``lianzheng dataset``: load, offer and open this member's data, through its running node."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from lianzheng.clock import DAY_MS, SystemClock, day_of

if TYPE_CHECKING:
    from lianzheng.client.http import NodeClient

__all__ = ["app"]

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
) -> None:
    """Offer a data set to the alliance on the ledger."""
    offer = {
        "dataset": dataset,
        "title": title,
        "as_of": day_of(SystemClock().now_ms()),
        "views": sorted(f"{dataset}/{one}" for one in view),
        "purposes": sorted(purpose),
        "functions": ["hidden-query"],
        "retrieval": "table",
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
