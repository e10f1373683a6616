"""A wallet's copy in one file under a passphrase: everything that the device holds (AUTH-7).

file:  ``"LZWALLET" ‖ 0x01`` ‖ the box of ``crypto.sealing`` (argon2id, AES-256-GCM) over JCS of the copy
The header is authenticated with the box, so that no other version is ever read out of one.
"""

from __future__ import annotations

from typing import Literal

from lianzheng.crypto.sealing import seal, unseal
from lianzheng.encoding.model import Record, TimeMs
from lianzheng.errors import FormatError
from lianzheng.limits import WALLET_BYTES_MAX
from lianzheng.wallet.model import Reserve, WalletState

__all__ = ["BACKUP_BYTES_MAX", "WalletBackup", "open_backup", "seal_backup"]

_HEADER = b"LZWALLET\x01"
_AAD = b"lianzheng/wallets/1/backup/" + _HEADER
_FRAME_BYTES = 1024
COPY_BYTES_MAX = WALLET_BYTES_MAX + _FRAME_BYTES
BACKUP_BYTES_MAX = COPY_BYTES_MAX + _FRAME_BYTES


class WalletBackup(Record):
    """What is restored. Nothing in it is older or newer than ``created_ms``."""

    v: Literal[1] = 1
    created_ms: TimeMs
    state: WalletState
    reserve: Reserve | None


def seal_backup(copy: WalletBackup, passphrase: bytes) -> bytes:
    """The file. Whoever has it and the passphrase *is* the investor."""
    return _HEADER + seal(passphrase, copy.to_bytes(), _AAD)


def open_backup(data: bytes, passphrase: bytes) -> WalletBackup:
    """The copy in a file of :func:`seal_backup`.

    Raises ``FormatError``: ``backup_malformed`` (no such file, another version, too long), ``seal_version_unknown``;
    ``VerificationError`` ``unseal_failed`` for a wrong passphrase and for every changed byte alike.
    """
    if len(data) > BACKUP_BYTES_MAX or not data.startswith(_HEADER):
        raise FormatError(
            "backup_malformed",
            "This is no backup of a wallet, or one of another version.",
            next_step="Name the file that `lianzheng wallet backup` wrote.",
        )
    return WalletBackup.from_bytes(unseal(passphrase, data[len(_HEADER) :], _AAD), COPY_BYTES_MAX)
