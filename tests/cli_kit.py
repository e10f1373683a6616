"""The command line inside this process: exit status, standard output, standard error."""

from __future__ import annotations

import contextlib
import os
import pty
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lianzheng.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str


Run = Callable[..., Ended]
LIANZHENG = Path(sys.executable).with_name("lianzheng")
"""The installed command."""


def typed(words: Sequence[object], exchanges: Sequence[tuple[str, str]]) -> tuple[int, str]:
    """Exit status and screen of a command at a terminal: after each text that appears, in order, a line is typed."""
    child, terminal = pty.fork()
    if child == 0:
        os.execv(LIANZHENG, [str(LIANZHENG), *map(str, words)])  # noqa: S606
    shown, seen = b"", 0
    with contextlib.suppress(OSError):  # the terminal is gone with its process
        for text, line in exchanges:
            while text.encode() not in shown[seen:]:
                shown += os.read(terminal, 4096)
            seen = shown.index(text.encode(), seen) + len(text.encode())
            os.write(terminal, line.encode() + b"\n")
        while read := os.read(terminal, 4096):
            shown += read
    _, ended = os.waitpid(child, 0)
    os.close(terminal)
    return os.waitstatus_to_exitcode(ended), shown.decode("utf-8", "replace")


def runner(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``lianzheng`` with the given arguments, as the shell would."""

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["lianzheng", *map(str, arguments)])
        monkeypatch.setenv("COLUMNS", "200")
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        shown = capsys.readouterr()
        assert "Traceback" not in shown.out + shown.err
        return Ended(status, shown.out, shown.err)

    return run
