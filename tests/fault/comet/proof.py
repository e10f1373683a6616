"""What the independent checker is told, and what it says."""

from __future__ import annotations

import asyncio
import base64
import sqlite3
import sys
from collections.abc import Iterable, Mapping
from contextlib import closing
from pathlib import Path

from fault.comet.ground import Ground, Node, PromiseError
from lianzheng.encoding.canonical import JsonObject, encode, parse

__all__ = ["check", "level", "reached", "write_claims"]

_ROOT = Path(__file__).resolve().parents[3]


def write_claims(ground: Ground, until: Mapping[str, int]) -> Path:
    """``until`` names nodes that went astray, with the last height at which they had not."""
    validators = {base64.b64encode(one.public).decode(): one.power for one in ground.settings.validators}
    asked = [node for node in ground.nodes.values() if node.name not in until]
    nodes: list[JsonObject] = [
        {
            "name": node.name,
            "database": str(node.home / "data" / "ledger.db"),
            "height_file": str(node.home / "data" / "ledger.height"),
            "rpc": node.rpc if node in asked else None,
            "kept": str(ground.folder / f"{node.name}.engine.json"),
            "share": asked.index(node) if node in asked else 0,
            "shares": len(asked),
            "validators": validators,
            "until": until.get(node.name),
        }
        for node in ground.nodes.values()
    ]
    path = ground.folder / "claims.json"
    path.write_bytes(
        encode(
            {
                "genesis": str(ground.folder / "genesis.json"),
                "nodes": nodes,
                "receipts": str(ground.folder / "acks.log"),
                "proofs": str(ground.folder / "proofs"),
                "heights": str(ground.folder / "heights.log"),
            }
        )
    )
    return path


def reached(ground: Ground) -> int:
    """The highest height that a receipt names."""
    lines = (ground.folder / "acks.log").read_bytes().splitlines()
    return max((int(parse(line)["height"]) for line in lines), default=0)


def level(nodes: Iterable[Node]) -> bool:
    """Whether all have the same blocks and no more will come: the engine makes one more while the state changes.

    Read from the files: what the checker keeps of the engines' headers must still fit them when it looks again.
    """
    tops = set()
    for node in nodes:
        with closing(sqlite3.connect(f"file:{node.home / 'data' / 'ledger.db'}?mode=ro", uri=True)) as database:
            last = database.execute("SELECT height, app_hash FROM blocks ORDER BY height DESC LIMIT 2").fetchall()
        if len(last) < 2 or last[0][1] != last[1][1]:
            return False
        tops.add(last[0])
    return len(tops) == 1


async def check(claims: Path) -> str:
    """The checker's last line. Raises :class:`PromiseError` with all of them."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tools.checker.comet",
        str(claims),
        cwd=_ROOT,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    out, _ = await process.communicate()
    text = out.decode().strip()
    if process.returncode:
        raise PromiseError(text)
    return text.rpartition("\n")[2]
