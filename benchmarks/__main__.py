"""Runs every benchmark of this folder and writes docs/benchmarks.md.

    make bench                            all of them
    python -m benchmarks gate verify      some of them; the others keep what the page says

A benchmark is a script that prints one JSON object. Each runs in a process of its own, one after the other, so that
none warms or crowds another. Below the marker line the page is written by hand and kept.
"""

from __future__ import annotations

import datetime
import os
import platform
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson

FOLDER = Path(__file__).resolve().parent
PAGE = FOLDER.parent / "docs" / "benchmarks.md"
MARKER = "<!-- below: written by hand, kept by `make bench` -->"
LIBRARIES = ("cryptography", "orjson", "py-arkworks-bls12381", "pyblst", "pydantic", "PyNaCl", "SQLAlchemy", "uvicorn")
_SECTION = re.compile(r"^## (\S+)\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)


def run(name: str) -> dict[str, Any]:
    """What one benchmark reports. Its own messages go to the terminal; it fails the run if it fails."""
    command = [sys.executable, str(FOLDER / f"{name}.py")]
    answer = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=os.environ | {"PYTHONHASHSEED": "0"})
    report: dict[str, Any] = orjson.loads(answer.stdout)
    return report


def section(name: str, report: dict[str, Any]) -> str:
    """One benchmark as a table of its values, nested ones under dotted names; single measurements are left out."""
    first = (FOLDER / f"{name}.py").read_text().split('"""')[1].strip().splitlines()[0]
    rows = [f"| {key} | {value} |" for key, value in _flat(report) if key != "benchmark"]
    head = [f"## {name}", "", first, "", f"{machine()}.", "", "| what | value |", "|---|---|"]
    return "\n".join([*head, *rows]) + "\n"


def machine() -> str:
    """Date, processor and versions: what a figure means nothing without."""
    processor = platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        found = re.search(r"^model name\s*: (.*)$", info.read_text(), re.MULTILINE)
        processor = found[1] if found else processor
    cores = len(os.sched_getaffinity(0))
    date = datetime.datetime.now(datetime.UTC).date().isoformat()
    libraries = ", ".join(f"{name} {version(name)}" for name in LIBRARIES)
    return f"{date}, {processor}, {cores} cores, Python {platform.python_version()}, {libraries}"


def write(sections: dict[str, str]) -> None:
    """The page with ``sections`` in place of what it said of them."""
    old = PAGE.read_text() if PAGE.exists() else ""
    measured, _, by_hand = old.partition(MARKER)
    kept = {match[1]: match[0].rstrip() + "\n" for match in _SECTION.finditer(measured)}
    intro = (
        "# Benchmarks\n\nWritten by `make bench`. Each figure stands beside the limit measured in the same run; read"
        " the ratio,\nnot the absolute time. Medians over repeats. A target is a figure set in advance.\n"
    )
    body = "\n".join((kept | sections)[name] for name in sorted(kept | sections) if (FOLDER / f"{name}.py").exists())
    PAGE.write_text(f"{intro}\n{body}\n{MARKER}\n{by_hand or chr(10)}")


def main(names: list[str]) -> int:
    """Run ``names``, or all."""
    known = sorted(path.stem for path in FOLDER.glob("*.py") if not path.stem.startswith("_"))
    unknown = sorted(set(names) - set(known))
    if unknown:
        sys.stderr.write(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(known)}\n")
        return 2
    sections: dict[str, str] = {}
    for name in names or known:
        sys.stderr.write(f"benchmark {name} …\n")
        sections[name] = section(name, run(name))
        sys.stdout.write(sections[name] + "\n")
    write(sections)
    return 0


def _flat(value: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, item in value.items():
        if isinstance(item, dict):
            rows += _flat(item, f"{prefix}{key}.")
        elif not isinstance(item, list):
            rows.append((f"{prefix}{key}", f"{item:,}" if type(item) in (int, float) else str(item)))
    return rows


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
