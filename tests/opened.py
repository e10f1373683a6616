"""A pytest plugin that writes down which files under a folder a run has opened: ``-p opened``, folder and list by
environment."""

from __future__ import annotations

import os
import sys
from pathlib import Path

_FOLDER = os.environ.get("OPENED_UNDER", "/nowhere")
_SEEN: set[str] = set()


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event == "open" and isinstance(arguments[0], str | bytes | os.PathLike):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if path.startswith(_FOLDER):
            _SEEN.add(path)


def pytest_configure() -> None:
    """From here on."""
    sys.addaudithook(_note)


def pytest_unconfigure() -> None:
    """The list, one path a line."""
    Path(os.environ["OPENED_LIST"]).write_text("\n".join(sorted(_SEEN)), "utf-8")
