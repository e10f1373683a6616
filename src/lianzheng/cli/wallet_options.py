"""Options that several commands of ``lianzheng wallet`` share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Folder", "MaybeNodes", "Nodes", "Shares"]

Folder = Annotated[
    Path,
    typer.Option(
        "--wallet", help="The wallet's folder. Its file `passphrase` opens it: keep backups of the two apart."
    ),
]
Nodes = Annotated[
    list[str],
    typer.Option(
        "--node",
        envvar="LIANZHENG_NODES",
        help="Address of a member's node, such as http://host:8420. Name several members': the wallet goes on only "
        "where they agree.",
    ),
]
MaybeNodes = Annotated[
    list[str] | None,
    typer.Option(
        "--node",
        envvar="LIANZHENG_NODES",
        help="Address of a member's node. The members that your consents name are asked where they are named here.",
    ),
]
Shares = Annotated[
    tuple[Path, Path] | None,
    typer.Option("--shares", metavar="FILE FILE", help="Two recovery shares of one set, written by `wallet shares`."),
]
