"""The number of the last counted answer, kept outside the database that a restore replaces (GATE-8)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from lianzheng.adapters.files import open_in_place
from lianzheng.errors import ConfigError

__all__ = ["UseMark"]

_LINE = 20 + 1


class UseMark:
    """One number of fixed width, overwritten in place and flushed before the answer that it counts leaves."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._highest = -1  # nothing stands in a new file: 0 is written too, or a crash would look like a restore
        self._writing = asyncio.Lock()

    def open(self) -> int | None:
        """The number in the file, or None in a new one. Raises ``ConfigError`` ``use_mark_invalid``."""
        self._file = open_in_place(self._path)
        data = os.pread(self._file, _LINE + 1, 0)
        if not data:
            return None
        if len(data) != _LINE or not data[:-1].isdigit():
            raise ConfigError(
                "use_mark_invalid",
                f"{self._path} does not hold a number.",
                next_step="Delete it: the node then ends its open epochs, because it cannot know what was counted.",
            )
        self._highest = int(data)
        return self._highest

    async def raise_to(self, number: int) -> None:
        """Durably at least ``number`` when this returns; answers that wait together share one flush."""
        async with self._writing:
            if number > self._highest:
                await asyncio.to_thread(self._write, number)
                self._highest = number

    def close(self) -> None:
        """Release the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _write(self, number: int) -> None:
        if self._file is None:
            raise ConfigError("use_mark_invalid", "The mark of uses is not open.")
        os.pwrite(self._file, f"{number:020d}\n".encode("ascii"), 0)
        os.fdatasync(self._file)
