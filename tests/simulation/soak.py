"""``python -m simulation.soak --seconds S --seed N``: seeds from N on for S seconds; prints those that fail.

A seed gives the same run again; a failing one is shortened to the least number of blocks that still fails.
"""

from __future__ import annotations

import argparse
import sys
from time import monotonic

from simulation.promises import check
from simulation.world import Broken, World


def play(seed: int, blocks: int) -> str | None:
    """What was found, or None."""
    world = World(seed, size=4 + seed % 3, schema=1 + seed % 2)
    try:
        world.run(blocks)
        check(world)
    except Broken as finding:
        return str(finding)
    return None


def shortest(seed: int, blocks: int) -> int:
    """Least number of blocks with which the seed fails, by halving."""
    least, most = 1, blocks
    while least < most:
        half = (least + most) // 2
        least, most = (least, half) if play(seed, half) else (half + 1, most)
    return most


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--blocks", type=int, default=150)
    options = parser.parse_args()
    until, seed, failing = monotonic() + options.seconds, options.seed, 0
    while monotonic() < until:
        finding = play(seed, options.blocks)
        if finding is not None:
            failing += 1
            blocks = shortest(seed, options.blocks)
            sys.stdout.write(f"{finding} (fails with --seed {seed} --blocks {blocks})\n")
        seed += 1
    sys.stdout.write(f"{seed - options.seed} seeds of {options.blocks} blocks, failing: {failing}\n")
    return 1 if failing else 0


if __name__ == "__main__":
    sys.exit(main())
