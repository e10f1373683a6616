"""Files that outlive a power cut: data and the folder entry that names it are flushed before a function returns."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

__all__ = ["open_in_place", "replace_file", "sync_folder", "write_flushed", "write_new"]


def sync_folder(folder: Path) -> None:
    """What was created, renamed or removed in ``folder`` stays so. Raises ``OSError``, as all below."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_flushed(path: Path, data: bytes) -> None:
    """``path`` holds ``data``, flushed; the entry in its folder is the caller's to flush, once for many files."""
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def write_new(path: Path, data: bytes, mode: int = 0o600) -> None:
    """A new file with ``data``, durable. Raises ``FileExistsError``."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def replace_file(path: Path, data: bytes) -> None:
    """``path`` holds ``data`` with mode 0600, durable; after a crash either the old file or this one stands, whole."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # made with mode 0600
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def open_in_place(path: Path) -> int:
    """A descriptor for reading and overwriting; the file is made with mode 0600 if it is missing, its name durable.

    The folder is flushed each time: a file found here may have been made just before a power cut.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        sync_folder(path.parent)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor
