"""Python in processes of its own, where what a process is started with matters."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def outputs_under_hash_seeds(script: str, given: bytes = b"") -> tuple[str, str]:
    """What ``script``, with ``given`` on its input, prints under two hash seeds.

    Each is another order of sets and of whatever follows from it.
    """
    repository = Path(__file__).resolve().parents[1]
    paths = os.pathsep.join([str(repository / "src"), str(repository / "tests")])
    first, second = (
        subprocess.run(
            [sys.executable, "-c", script],
            input=given,
            env={**os.environ, "PYTHONPATH": paths, "PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
            timeout=120,
        ).stdout.decode()
        for seed in ("1", "2")
    )
    return first, second
