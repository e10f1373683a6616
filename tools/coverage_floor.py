"""Packages whose tests reach less than the floor are named: lines and branches, from ``coverage json``.

``python tools/coverage_floor.py coverage.json``; exit status 1 below the floor, or when a package was not measured.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

FLOOR_PERCENT = 90
PACKAGES = ("ledger", "zk", "identity", "consent", "evidence", "verify")


def main(report: Path) -> int:
    """Print each package's share of covered lines and branches."""
    files = json.loads(report.read_text())["files"]
    low = False
    for package in PACKAGES:
        found = [one["summary"] for path, one in files.items() if f"/lianzheng/{package}/" in f"/{path}"]
        total = sum(one["num_statements"] + one.get("num_branches", 0) for one in found)
        covered = sum(one["covered_lines"] + one.get("covered_branches", 0) for one in found)
        below = total == 0 or 100 * covered < FLOOR_PERCENT * total
        low = low or below
        share = f"{100 * covered / total:5.1f} %" if total else "not measured"
        print(f"{package:<10} {share}{f'  below {FLOOR_PERCENT} %' if below else ''}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
