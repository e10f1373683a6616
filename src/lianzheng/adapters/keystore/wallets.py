"""Many wallets behind one passphrase: a key made once, and one sealed file for each wallet.

File of a wallet: ``aead(file key, state, aad = tag "wallet" ‖ name)``; the key rests in ``store.key``, sealed under the
passphrase (argon2id once, when opening).
"""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import Self

from lianzheng.adapters.keystore.files import read_private, replace_private
from lianzheng.crypto.sealing import aead_open, aead_seal, seal, unseal
from lianzheng.encoding.framing import tagged
from lianzheng.errors import ConfigError, FormatError, NotFoundError

__all__ = ["SealedWalletFolder"]

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}\Z")
_KEY_AAD = b"wallet-store"


class SealedWalletFolder:
    """Implements ``wallet.ports.WalletStore``."""

    def __init__(self, folder: Path, key: bytes) -> None:
        """Use :meth:`create` or :meth:`open`."""
        self._folder = folder
        self._key = key

    @classmethod
    def create(cls, folder: Path, passphrase: bytes) -> Self:
        """A new store in ``folder``. Raises ``ConfigError`` ``wallet_store_exists``."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        place = folder / "store.key"
        if place.exists():
            raise ConfigError("wallet_store_exists", f"{folder} holds a wallet store already.")
        key = secrets.token_bytes(32)
        replace_private(place, seal(passphrase, key, _KEY_AAD))
        return cls(folder, key)

    @classmethod
    def open(cls, folder: Path, passphrase: bytes) -> Self:
        """The store in ``folder``. Raises ``keystore_missing``, ``keystore_file_mode``, ``unseal_failed``."""
        return cls(folder, unseal(passphrase, read_private(folder / "store.key"), _KEY_AAD))

    def load(self, name: str) -> bytes:
        """The wallet's state. Raises ``NotFoundError`` ``wallet_unknown``, ``VerificationError`` ``unseal_failed``."""
        path = self._path(name)
        if not path.exists():
            raise NotFoundError("wallet_unknown", "The store holds no wallet of this name.")
        return aead_open(self._key, read_private(path), tagged("wallet", name))

    def save(self, name: str, data: bytes) -> None:
        """Sealed and durable when this returns; the old state or the new one stands, whole."""
        replace_private(self._path(name), aead_seal(self._key, data, tagged("wallet", name)))

    def names(self) -> list[str]:
        """Every wallet, sorted."""
        return sorted(path.stem for path in self._folder.glob("*.wallet"))

    def _path(self, name: str) -> Path:
        if not _NAME.match(name):
            raise FormatError("wallet_name_invalid", "A wallet's name has a-z, 0-9 and '-', at most 64.")
        return self._folder / f"{name}.wallet"
