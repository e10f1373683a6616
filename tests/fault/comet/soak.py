"""``python -m fault.comet.soak --seed 1 --kills 200``: every fault over four real validators; prints failing seeds."""

from __future__ import annotations

import argparse
import asyncio
import os
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from fault.comet import changes, disk, kills, partitions, strangers
from fault.comet.trial import Fault, Outcome, Scale, play
from fault.comet.whole import play_whole

__all__ = ["FAULTS"]

FAULTS = {
    "kills": Fault(kills.kills),
    "steps": Fault(kills.steps),
    "hung": Fault(kills.hung),
    "truncated": Fault(kills.truncated),
    "three-to-one": Fault(partitions.three_to_one),
    "halves": Fault(partitions.halves),
    "mute": Fault(partitions.mute),
    "deaf": Fault(partitions.deaf),
    "flapping": Fault(partitions.flapping),
    "slow": Fault(partitions.slow),
    "blackholes": Fault(partitions.blackholes, {"namespaces": True}, root=True),
    "skewed-clock": Fault(strangers.skewed_clock),
    "cloned-key": Fault(strangers.cloned_key),
    "flood": Fault(strangers.flood),
    "astray": Fault(strangers.astray),
    "full-application": Fault(disk.full_application, root=True),
    "full-engine": Fault(disk.full_engine, root=True),
    "upgrade": Fault(changes.upgrade),
    "false-chunks": Fault(changes.false_chunks, {"snapshot_blocks": changes.SNAPSHOT_BLOCKS}),
}
_WHOLE, _WHOLE_SHARE = "whole", 10
"""Whole nodes start slowly: one kill in so many is theirs."""
_HOLD_S, _PATIENCE_S = 8.0, 30.0


def main() -> int:
    """Each fault on a network of its own; 1 if one failed. Its folder is kept then."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--patience", type=float, default=_PATIENCE_S, help="seconds until progress after healing")
    parser.add_argument("--only", action="append", choices=sorted((*FAULTS, _WHOLE)))
    arguments = parser.parse_args()
    scale = Scale(arguments.kills, _HOLD_S, arguments.patience)
    failed = []
    for name in arguments.only or (*FAULTS, _WHOLE):
        if name != _WHOLE and FAULTS[name].root and os.geteuid() != 0:
            _say(f"{name}: not played, it needs root")
            continue
        folder = Path(tempfile.mkdtemp(prefix=f"lz-{name}-"))
        outcome = asyncio.run(_play(name, folder, arguments.seed, scale))
        _tell(name, outcome)
        if outcome.failures:
            failed.append(name)
            _say("\n  ".join((f"  FAILED with seed {arguments.seed}, files in {folder}", *outcome.failures)))
        else:
            shutil.rmtree(folder)
    _say(f"seed {arguments.seed}, failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


async def _play(name: str, folder: Path, seed: int, scale: Scale) -> Outcome:
    if name == _WHOLE:
        return await play_whole(folder, seed, replace(scale, kills=scale.kills // _WHOLE_SHARE + 1))
    fault = FAULTS[name]
    return await play(folder, seed, [fault.act], scale, **fault.options)


def _tell(name: str, outcome: Outcome) -> None:
    healing = f"{max(outcome.healing_s):.1f} s to move on at most" if outcome.healing_s else "never healed"
    _say(f"{name}: {'; '.join(outcome.notes) or 'nothing'}; {healing}; {outcome.report or 'not checked'}")


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
