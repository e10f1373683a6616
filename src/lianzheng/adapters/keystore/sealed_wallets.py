"""Many wallets in one sealed folder: argon2id once when opening, one AEAD file a wallet.

``store.key``:     a random file key sealed under the passphrase
``<hash>.wallet``: JCS of ``{data, name}`` under the file key, with the file's name as associated data
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from lianzheng.adapters.files import replace_file, sync_folder
from lianzheng.adapters.keystore.files import locked, read_private
from lianzheng.crypto.digest import sha256
from lianzheng.crypto.sealing import aead_open, aead_seal, seal, unseal
from lianzheng.encoding.model import Bytes, Record
from lianzheng.errors import ConfigError, LianzhengError, NotFoundError
from lianzheng.limits import WALLET_BYTES_MAX

__all__ = ["SealedWalletStore"]

_KEY_AAD = b"lianzheng/wallets/1/key"
_BODY_AAD = b"lianzheng/wallets/1/body/"
_KEY_FILE = "store.key"


class _Entry(Record):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    data: Bytes


class SealedWalletStore:
    """Implements ``wallet.ports.WalletStore``. An old copy of a file brings an old state back: keep no copies."""

    def __init__(self, folder: Path, file_key: bytes) -> None:
        self._folder = folder
        self._file_key = file_key

    @classmethod
    def create(cls, folder: Path, passphrase: bytes) -> Self:
        """An empty store. Raises ``ConfigError`` ``keystore_exists``."""
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path, file_key = folder / _KEY_FILE, secrets.token_bytes(32)
        with locked(path):
            if path.exists():
                raise ConfigError("keystore_exists", f"{path} exists already.", next_step="Name another folder.")
            replace_file(path, seal(passphrase, file_key, _KEY_AAD))
        return cls(folder, file_key)

    @classmethod
    def open(cls, folder: Path, passphrase: bytes) -> Self:
        """The store in ``folder``. Raises ``ConfigError``: ``keystore_missing|file_mode|unreadable``."""
        path = folder / _KEY_FILE
        try:
            return cls(folder, unseal(passphrase, read_private(path), _KEY_AAD))
        except ConfigError:
            raise
        except LianzhengError as error:
            raise ConfigError(
                "keystore_unreadable",
                f"{path} cannot be opened: wrong passphrase, or a damaged file.",
                detail=error.code,
            ) from error

    def load(self, name: str) -> bytes:
        """Raises ``NotFoundError`` ``wallet_unknown``, ``VerificationError`` ``unseal_failed``."""
        path = self._path(name)
        if not path.exists():
            raise NotFoundError("wallet_unknown", "The store holds no such wallet.")
        return self._read(path).data

    def save(self, name: str, data: bytes) -> None:
        """Durable and sealed when it returns."""
        path = self._path(name)
        sealed = aead_seal(self._file_key, _Entry(name=name, data=data).to_bytes(), _BODY_AAD + path.name.encode())
        replace_file(path, sealed)

    def remove(self, name: str) -> None:
        """The file is gone, also after a power cut; what a disk keeps of it only the file key opens."""
        self._path(name).unlink(missing_ok=True)
        sync_folder(self._folder)

    def names(self) -> list[str]:
        """Every wallet, sorted."""
        found = (self._read(path).name for path in self._folder.glob("*.wallet"))
        return sorted(name for name in found if "/" not in name)

    def _read(self, path: Path) -> _Entry:
        plain = aead_open(self._file_key, read_private(path), _BODY_AAD + path.name.encode())
        return _Entry.from_bytes(plain, 2 * WALLET_BYTES_MAX)

    def _path(self, name: str) -> Path:
        return self._folder / f"{sha256('wallet-name', name).hex()[:32]}.wallet"
