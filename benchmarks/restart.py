"""Starting the embedded engine over 100 thousand transactions: all executed again, or from checkpoint and deltas.

The same files are opened twice, first without the checkpoints and block deltas beside them. Prints JSON.

    python benchmarks/restart.py [--transactions 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sqlite3
import tempfile
import time
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson

from lianzheng.clock import SystemClock
from lianzheng.ledger.genesis import Genesis

LEDGER = import_module("ledger")
"""The benchmark beside this one: its members and its engine."""


async def start_s(genesis: Genesis, members: list[Any], folder: Path) -> tuple[float, bytes]:
    """Seconds until the engine takes transactions, and its application hash."""
    engine = LEDGER.open_engine(genesis, members, folder)
    began = time.perf_counter()
    await engine.start()
    taken, status = time.perf_counter() - began, engine.status()
    await engine.stop()
    return taken, status.app_hash


async def measure(count: int, folder: Path) -> dict[str, object]:
    """Fill a ledger, then start it in both ways."""
    members = [LEDGER.Member(number) for number in range(LEDGER.MEMBERS)]
    genesis = LEDGER.build(members).model_copy(update={"schema_version": 2})
    expires_at = SystemClock().now_ms() + 3_600_000
    chains = [member.anchors(count // LEDGER.MEMBERS, expires_at) for member in members]
    engine = LEDGER.open_engine(genesis, members, folder)
    await engine.start()
    taken, _ = await LEDGER.feed(engine, chains, None)
    height, expected = engine.status().height, engine.status().app_hash
    await engine.stop()
    database = folder / "ledger.sqlite"
    with sqlite3.connect(database) as connection:
        (deltas,) = connection.execute("SELECT count(*) FROM deltas").fetchone()
    checkpoint_s, first = await start_s(genesis, members, folder)
    shutil.rmtree(folder / "ledger.sqlite.checkpoints", ignore_errors=True)
    with sqlite3.connect(database) as connection:
        connection.execute("DELETE FROM deltas")
    executing_s, second = await start_s(genesis, members, folder)
    if not first == second == expected:
        raise SystemExit("the ways lead to different states")
    return {
        "transactions": count,
        "blocks": height,
        "blocks_after_checkpoint": deltas,
        "filled_per_second": round(count / taken),
        "start_executing_s": round(executing_s, 2),
        "start_from_checkpoint_s": round(checkpoint_s, 2),
        "database_mb": round(database.stat().st_size / 1e6),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--transactions", type=int, default=100_000, help="a multiple of 8 (default 100000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measured = asyncio.run(measure(options.transactions // LEDGER.MEMBERS * LEDGER.MEMBERS, Path(folder)))
    report = {"benchmark": "restart"} | measured
    print(orjson.dumps(report, option=orjson.OPT_INDENT_2).decode())


if __name__ == "__main__":
    main()
