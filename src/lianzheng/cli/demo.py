"""``lianzheng demo``: the whole scene with three real nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lianzheng.clock import SystemClock

__all__ = ["demo"]


def demo(
    people: Annotated[
        int, typer.Option(min=20, max=5000, help="Synthetic people; below 100 tokens are less anonymous.")
    ] = 120,
    seed: Annotated[int, typer.Option(help="Seed of the sample people; keys and nonces are always fresh.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for homes, bundles and the trust file.")] = Path("demo-out"),
    serve: Annotated[
        bool, typer.Option("--serve", help="Leave the nodes up afterwards, with their OpenAPI pages.")
    ] = False,
    host: Annotated[str, typer.Option(help="Address that the three nodes listen on.")] = "127.0.0.1",
) -> None:
    """Three brokers on this machine assess their customers together: consent, hidden query, evidence, refusals.

    Exit status: 0 everything was as it must be, 1 something was not, 130 interrupted. Takes about 30 seconds.
    """
    from lianzheng.demo.scene import play
    from lianzheng.demo.stage import Settings

    settings = Settings(people=people, seed=seed, out=out, host=host)
    raise typer.Exit(play(settings, SystemClock(), Console(highlight=False, soft_wrap=True), serve=serve))
