"""The passphrase of a key store, read from a file that nobody else may read."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path

from lianzheng.adapters.files import write_new
from lianzheng.encoding.binary import b64u_encode
from lianzheng.errors import ConfigError

__all__ = ["create_passphrase_file", "load_passphrase"]

_SIZE_MAX = 4096


def load_passphrase(path: Path) -> bytes:
    """The passphrase in ``path`` without its final newline.

    Raises ``ConfigError``: ``passphrase_file_missing``, ``passphrase_file_mode`` (another mode than 0600, another
    owner, or no regular file), ``passphrase_empty``, ``passphrase_too_long``.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError as error:
        raise ConfigError(
            "passphrase_file_missing", f"{path} does not exist.", next_step="Name the file that `lianzheng init` wrote."
        ) from error
    except OSError as error:
        raise _mode_error(path) from error
    # Checked on the open file: a name could be exchanged between check and reading. Python opens no folder.
    status = os.fstat(descriptor)
    if (
        not stat.S_ISREG(status.st_mode)
        or stat.S_IMODE(status.st_mode) != 0o600
        or status.st_uid not in (os.geteuid(), 0)
    ):
        os.close(descriptor)
        raise _mode_error(path)
    with os.fdopen(descriptor, "rb") as file:
        data = file.read(_SIZE_MAX + 1)
    if len(data) > _SIZE_MAX:
        raise ConfigError("passphrase_too_long", f"{path} holds more than {_SIZE_MAX} bytes.")
    passphrase = data.removesuffix(b"\n").removesuffix(b"\r")
    if not passphrase:
        raise ConfigError("passphrase_empty", f"{path} holds no passphrase.")
    return passphrase


def create_passphrase_file(path: Path) -> bytes:
    """A new file of mode 0600 with 256 random bits as text, which are returned.

    It protects a copy of the key store that travels without it (a backup), not one beside it.
    Raises ``ConfigError`` ``passphrase_file_exists``.
    """
    passphrase = b64u_encode(secrets.token_bytes(32)).encode("ascii")
    try:
        write_new(path, passphrase + b"\n")
    except FileExistsError as error:
        raise ConfigError("passphrase_file_exists", f"{path} exists already.") from error
    return passphrase


def _mode_error(path: Path) -> ConfigError:
    return ConfigError(
        "passphrase_file_mode",
        f"{path} must be a regular file of this user with mode 0600.",
        next_step=f"chmod 600 {path}",
    )
