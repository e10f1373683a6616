"""``python -m fault.soak --seed 1 --kills 200``: the whole matrix; prints the seeds that fail."""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from pathlib import Path

from fault.scene import play

_PEOPLE, _KILLS_A_RUN = 12, 14


def main() -> int:
    """Runs with consecutive seeds until enough kills are done; 1 if a run failed. Its folder is kept then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    arguments = parser.parse_args()
    seed, total, failed = arguments.seed, 0, []
    while total < arguments.kills:
        folder = Path(tempfile.mkdtemp(prefix=f"lianzheng-soak-{seed}-"))
        outcome = asyncio.run(play(folder, seed, people=_PEOPLE, kills=_KILLS_A_RUN))
        total += len(outcome.kills)
        _say(f"seed {seed}: {len(outcome.kills)} kills; {outcome.report.rpartition(chr(10))[2] or 'not checked'}")
        if outcome.failures:
            failed.append(seed)
            _say("\n  ".join((f"  FAILED, files in {folder}", *outcome.failures)))
        else:
            shutil.rmtree(folder)
        seed += 1
    _say(f"{total} kills in {seed - arguments.seed} runs, failing seeds: {failed or 'none'}")
    return 1 if failed else 0


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
