"""Sources sent to the node rest in its home, readable by nobody else, until they are loaded or refused."""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import secrets
from collections.abc import AsyncIterator
from pathlib import Path

from lianzheng.errors import ConflictError, FormatError, NotFoundError
from lianzheng.flows.intake import Upload
from lianzheng.limits import UPLOADS_MAX

__all__ = ["Spool"]

_ID = re.compile(r"[0-9a-f]{32}\Z")


class Spool:
    """Implements ``flows.intake.UploadStore`` in one folder of mode 0700; files are of mode 0600."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def clear(self) -> None:
        """At start: what an earlier life of the node left is gone."""
        if self._folder.is_dir():
            for path in self._folder.iterdir():
                path.unlink()

    async def save(self, chunks: AsyncIterator[bytes], size_max: int, name: str | None = None) -> Upload:
        if name is not None and not _ID.match(name):
            raise FormatError("upload_name_invalid", "An upload is named by 32 hexadecimal digits.")
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if sum(1 for _ in self._folder.iterdir()) >= UPLOADS_MAX:
            raise ConflictError(
                "uploads_too_many",
                f"{UPLOADS_MAX} sources are waiting to be loaded.",
                next_step="Load or delete one of them; a restart of the node deletes them all.",
            )
        name, digest, size = name or secrets.token_hex(16), hashlib.sha256(), 0
        path = self._folder / name
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError as error:
            raise ConflictError("upload_exists", "A source of this name waits here.") from error
        try:
            with os.fdopen(descriptor, "wb") as file:
                async for chunk in chunks:
                    size += len(chunk)
                    if size > size_max:
                        raise FormatError("too_large", f"A message has more than {size_max} bytes.")
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return Upload(name, size, digest.digest())

    def path(self, upload: str) -> Path:
        path = self._folder / upload
        if not _ID.match(upload) or not path.is_file():
            raise NotFoundError("upload_unknown", "No such source waits here.", next_step="Send it again.")
        return path

    def remove(self, upload: str) -> None:
        self.path(upload).unlink(missing_ok=True)
