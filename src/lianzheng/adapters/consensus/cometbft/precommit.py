"""How far this member's validator has bound itself: the engine's own file of what it signed last (GATE-4)."""

from __future__ import annotations

from pathlib import Path

from lianzheng.encoding.canonical import parse
from lianzheng.errors import FormatError, UnavailableError

__all__ = ["last_precommit_height"]

_PRECOMMIT = 3


def last_precommit_height(state_file: Path) -> int:
    """The highest height that the validator may have precommitted.

    In a round after the first a precommit of an earlier round may have been signed at the same height: it counts.
    Raises ``UnavailableError`` ``validator_state_unreadable``.
    """
    try:
        state = parse(state_file.read_bytes())
        height, round_, step = int(state["height"]), int(state["round"]), int(state["step"])
    except (OSError, FormatError, KeyError, TypeError, ValueError) as error:
        raise UnavailableError(
            "validator_state_unreadable", "The engine's file of what its validator signed cannot be read."
        ) from error
    return height if step >= _PRECOMMIT or round_ > 0 else height - 1
