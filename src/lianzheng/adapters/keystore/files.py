"""Reading a secret file that its owner alone can read, and keeping others out while it is replaced."""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lianzheng.errors import ConfigError

__all__ = ["locked", "read_private"]


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file beside ``path``, so that two processes never replace it over each other."""
    descriptor = os.open(path.with_name(path.name + ".lock"), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes:
    """The bytes of a file that its owner alone can read.

    Raises ``ConfigError``: ``keystore_missing``, ``keystore_file_mode``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ConfigError("keystore_missing", f"{path} does not exist.", next_step="Run `lianzheng init`.") from error
    except OSError as error:
        raise _mode_error(path) from error
    # Checked on the open file, before Python looks at it, which takes no folder.
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or stat.S_IMODE(status.st_mode) != 0o600:
        os.close(descriptor)
        raise _mode_error(path)
    with os.fdopen(descriptor, "rb") as file:
        return file.read()


def _mode_error(path: Path) -> ConfigError:
    return ConfigError(
        "keystore_file_mode",
        f"{path} must be a regular file with mode 0600.",
        next_step=f"Find out who could read it, then chmod 600 {path}",
    )
