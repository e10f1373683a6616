"""Tokens of SoftHSM2 for tests; skips where the program is absent."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

MODULES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
)
_TOKENS = 24
"""Twice what the tests take for themselves when one process runs them all."""


@dataclass(frozen=True)
class Token:
    module: Path
    label: str
    pin: bytes


def shared_token() -> Token:
    """The token of this process that many tests share, each under a prefix of its own."""
    return _tokens()[0]


def spare_token() -> Token:
    """A token that no other test has."""
    return _tokens().pop()


def util(*arguments: str, settings: Path) -> None:
    """``softhsm2-util`` with arguments, under other settings than those of this process."""
    environment = {**os.environ, "SOFTHSM2_CONF": str(settings)}
    subprocess.run(["softhsm2-util", *arguments], check=True, capture_output=True, timeout=30, env=environment)


def make_tokens(folder: Path, number: int) -> tuple[Path, list[Token]]:
    """Settings file and tokens of a SoftHSM in ``folder``; of one that this process uses before it is loaded."""
    module = next((Path(path) for path in MODULES if Path(path).exists()), None)
    if module is None or shutil.which("softhsm2-util") is None:
        pytest.skip("SoftHSM2 is not installed (make ci-deps installs it)")
    (folder / "tokens").mkdir()
    path = folder / "softhsm2.conf"
    path.write_text(f"directories.tokendir = {folder}/tokens\nobjectstore.backend = file\nlog.level = ERROR\n")
    tokens = [Token(module, secrets.token_hex(6), secrets.token_hex(6).encode()) for _ in range(number)]
    for one in tokens:
        pins = ("--so-pin", "12345678", "--pin", one.pin.decode())
        util("--init-token", "--free", "--label", one.label, *pins, settings=path)
    return path, tokens


@cache
def _tokens() -> list[Token]:
    """All of this process at once: the module looks for tokens and settings when it is loaded."""
    folder = Path(tempfile.mkdtemp(prefix="lianzheng-softhsm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path, tokens = make_tokens(folder, _TOKENS)
    os.environ["SOFTHSM2_CONF"] = str(path)
    return tokens
