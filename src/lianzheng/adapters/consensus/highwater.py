"""The highest height a node has applied, kept outside the database that a restore replaces (GATE-4)."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from lianzheng.adapters.files import open_in_place
from lianzheng.errors import ConfigError

__all__ = ["HighWater"]

_LINE = 20 + 1 + 64 + 1


class HighWater:
    """One line of fixed width, ``height head-hash``, overwritten in place."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._highest = 0

    def open(self) -> tuple[int, bytes] | None:
        """What stands in the file, or None in a new one; holds the file against a second engine.

        Raises ``ConfigError`` ``height_file_invalid``, ``ledger_in_use``.
        """
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._file = open_in_place(self._path)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConfigError(
                "ledger_in_use", f"{self._path} is held by another process.", next_step="Stop the other node first."
            ) from error
        data = os.pread(self._file, _LINE + 1, 0)
        if not data:
            return None
        height, _, digest = data.rstrip(b"\n").partition(b" ")
        try:
            if len(data) != _LINE:
                raise ValueError("length")
            self._highest = int(height)
            return self._highest, bytes.fromhex(digest.decode("ascii"))
        except ValueError as error:
            raise ConfigError(
                "height_file_invalid",
                f"{self._path} does not hold a height and a head hash.",
                next_step="Restore the file; without it a restored backup could not be told from the present.",
            ) from error

    def write(self, height: int, head_hash: bytes) -> None:
        """Durably note that ``height`` is applied; a lower one than the highest is passed over. Raises ``OSError``."""
        if self._file is None:
            raise ConfigError("height_file_invalid", "The height file is not open.")
        if height <= self._highest:
            return
        self._highest = height
        os.pwrite(self._file, f"{height:020d} {head_hash.hex()}\n".encode("ascii"), 0)
        os.fdatasync(self._file)

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
