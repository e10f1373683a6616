"""``kill -9`` at any moment loses no acknowledged transaction, and the chain goes on from there."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ledger_kit import BETA, START_MS, DirectLink, make_follower, make_sequencer, update_payload
from lianzheng.clock import ManualClock

SCRIPT = """
import asyncio, sys
from pathlib import Path
from ledger_kit import *

async def main():
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(Path(sys.argv[1]), clock)
    await engine.start()
    for nonce in range(1, 100_000):
        tx = BETA.transaction("member.update", update_payload(nonce, "beta"), nonce)
        receipt = await engine.submit(tx)
        print(nonce, receipt.height, flush=True)

asyncio.run(main())
"""


def _run_and_kill(folder: Path, acknowledged_min: int) -> dict[int, int]:
    """Nonce and height of everything that a killed sequencer had acknowledged."""
    repository = Path(__file__).resolve().parents[3]
    paths = os.pathsep.join([str(repository / "src"), str(repository / "tests")])
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder)],
        env={**os.environ, "PYTHONPATH": paths},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(acknowledged_min)]
    process.send_signal(signal.SIGKILL)
    lines += process.stdout.read().splitlines()
    process.stdout.close()
    process.wait(timeout=30)
    pairs = [line.split() for line in lines]
    return {int(pair[0]): int(pair[1]) for pair in pairs if len(pair) == 2}


@pytest.mark.parametrize("acknowledged_min", [1, 7, 40])
async def test_acknowledged_acts_survive_a_kill(tmp_path: Path, acknowledged_min: int) -> None:
    acknowledged = _run_and_kill(tmp_path / "a", acknowledged_min)
    assert len(acknowledged) >= acknowledged_min
    clock = ManualClock(START_MS + 1)
    engine = make_sequencer(tmp_path / "a", clock)
    await engine.start()
    before = engine.status().height
    for nonce, height in acknowledged.items():
        receipt = await engine.submit(BETA.transaction("member.update", update_payload(nonce, "beta"), nonce))
        assert receipt.result.ok and receipt.height == height
    assert engine.status().height == before, "repeats made no block"
    follower = make_follower(tmp_path / "b", DirectLink(engine), clock)
    await follower.start()
    await follower.sync()
    assert follower.status().app_hash == engine.status().app_hash
    await follower.stop()
    await engine.stop()
