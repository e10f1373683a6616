"""``python -m fuzz.run --seconds S [--target NAME]``: coverage-guided fuzzing of each decoder in a process of its own.

A crash, a hang of more than five seconds, or a second spelling that is taken ends the run with the input in a file.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

_HANG_S = 5


def one(name: str, seconds: int, seed: int) -> None:
    """Fuzz one target in this process; does not return."""
    import atheris

    with atheris.instrument_imports(include=["lianzheng"], enable_loader_override=False):
        from fuzz.targets import decoders
        from lianzheng.errors import LianzhengError

    target = decoders()[name]

    def again(data: bytes) -> None:
        try:
            found = target.again(data)
        except LianzhengError:
            return
        if found != data:
            raise AssertionError(f"{name} takes a second spelling")

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(target.seeds):
            (Path(folder) / f"seed-{number}").write_bytes(data)
        options = [f"-max_total_time={seconds}", f"-seed={seed}", f"-timeout={_HANG_S}", "-rss_limit_mb=2048"]
        atheris.Setup([sys.argv[0], *options, "-verbosity=0", "-print_final_stats=1", folder], again)
        atheris.Fuzz()


def every(seconds: int, seed: int) -> int:
    """Each target after the other; names those that failed."""
    from fuzz.targets import decoders

    failed = []
    for name in decoders():
        words = ["--target", name, "--seconds", str(seconds), "--seed", str(seed)]
        ended = subprocess.run([sys.executable, "-m", "fuzz.run", *words], capture_output=True, check=False)
        executed = [line for line in ended.stderr.decode(errors="replace").splitlines() if "number_of_executed" in line]
        sys.stdout.write(
            f"{name:<20} exit {ended.returncode}  {executed[-1].split(':')[-1].strip() if executed else '?'}\n"
        )
        sys.stdout.flush()
        if ended.returncode != 0:
            failed.append(name)
            sys.stdout.write(ended.stderr.decode(errors="replace")[-2000:] + "\n")
    sys.stdout.write(f"failed: {' '.join(failed) or 'none'}\n")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--target")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    if options.target is None:
        return every(options.seconds, options.seed)
    one(options.target, options.seconds, options.seed)
    return 0


if __name__ == "__main__":
    sys.exit(main())
