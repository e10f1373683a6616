"""The command ``lianzheng``: commands and their output, no rules."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line; Ctrl-C ends it with status 130 even while it is still being loaded."""
    try:
        from lianzheng.cli.main import main as run

        run()
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        sys.exit(130)
