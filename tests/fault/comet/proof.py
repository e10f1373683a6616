"""What the independent checker is told, and what it says."""

from __future__ import annotations

import asyncio
import base64
import sys
from collections.abc import Mapping
from pathlib import Path

from fault.comet.ground import Ground, PromiseError
from lianzheng.encoding.canonical import JsonObject, encode, parse

__all__ = ["check", "reached", "write_claims"]

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
