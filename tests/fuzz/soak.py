"""Mutated bundles and tokens in processes of their own: a table of reason codes, and none accepted.

``python -m fuzz.soak --count 1000000 --seed 1``; exit status 1 when one was accepted or crashed, with its seed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from multiprocessing import get_context
from random import Random

from fuzz.mutations import mutate
from fuzz.targets import signed
from lianzheng.errors import LianzhengError

CHUNK = 2_000


def attempt(job: tuple[str, int, int]) -> Counter[str]:
    """Reason codes of ``count`` mutations from seed ``first`` on; ``ACCEPTED seed`` or ``CRASHED seed`` else."""
    name, first, count = job
    target = signed()[name]
    codes: Counter[str] = Counter()
    for number in range(first, first + count):
        data = mutate(Random(number), target.seeds)
        try:
            target.verify(data)
        except LianzhengError as error:
            codes[f"{name} {error.code}"] += 1
        except Exception as error:  # the finding that a fuzzer is for: named with its seed, and the run goes on
            codes[f"CRASHED {name} {number} {type(error).__name__}"] += 1
        else:
            codes[f"ACCEPTED {name} {number} {data!r}"] += 1
    return codes


def main() -> int:
    """Play ``--count`` mutations, half of each kind."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    half = chosen.count // 2
    jobs = [
        (name, chosen.seed + first, min(CHUNK, half - first)) for first in range(0, half, CHUNK) for name in signed()
    ]
    started, codes = time.monotonic(), Counter[str]()
    with get_context("spawn").Pool(2) as pool:
        for part in pool.imap_unordered(attempt, jobs):
            codes += part
    for code, count in codes.most_common():
        sys.stdout.write(f"{count:>9}  {code}\n")
    bad = sum(count for code, count in codes.items() if code.startswith(("ACCEPTED", "CRASHED")))
    sys.stdout.write(f"{codes.total()} in {time.monotonic() - started:.0f} s; accepted or crashed: {bad}\n")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
