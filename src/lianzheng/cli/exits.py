"""Exit statuses of every command; docs/guides/cli.md shows the same table."""

from __future__ import annotations

from lianzheng.errors import LianzhengError, UnavailableError

__all__ = ["INTERRUPTED", "OK", "REFUSED", "STATUSES", "UNANCHORED", "UNAVAILABLE", "USAGE", "exit_status"]

OK = 0
REFUSED = 1
USAGE = 2
UNANCHORED = 3
UNAVAILABLE = 4
INTERRUPTED = 130

STATUSES = {
    OK: "done",
    REFUSED: "refused or failed; the reason code says why",
    USAGE: "wrong usage; nothing was sent",
    UNANCHORED: "consistent but unanchored: no trust file was given",
    UNAVAILABLE: "the node, or a part that it needs, does not answer now; later may help",
    INTERRUPTED: "interrupted by Ctrl-C",
}


def exit_status(error: LianzhengError) -> int:
    """The status with which a command ends that raised ``error``."""
    return UNAVAILABLE if isinstance(error, UnavailableError) else REFUSED
