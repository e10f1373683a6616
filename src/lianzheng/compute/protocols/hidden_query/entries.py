"""One person's entry: tag and key from F, one AES block for the value (PIR-1, B18, B19).

::

    F = k·U                          (compressed, 48 bytes)
    info = tag "view-entry" ‖ chain id ‖ provider ‖ view ‖ epoch
    K_p = HKDF-SHA-256(key = F, salt = snapshot salt, info, 48 bytes) = entry tag (16) ‖ key (32)
    entry = AES-256(key, value padded to 8 bytes ‖ 0^64)
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from lianzheng.compute.model import view_parts
from lianzheng.compute.views.model import EpochRecord
from lianzheng.encoding.framing import tagged
from lianzheng.errors import FormatError
from lianzheng.registry import read_view_value, view_value_size

__all__ = ["ENTRY_BYTES", "TAG_BYTES", "EntryContext", "derive", "open_entries", "seal_value"]

ENTRY_BYTES = 16
TAG_BYTES = 16
_KEY_BYTES = 32
_VALUE_BYTES = 8
_CHECK = bytes(ENTRY_BYTES - _VALUE_BYTES)


@dataclass(frozen=True, slots=True)
class EntryContext:
    """What the entries of one table are bound to: no entry means anything in another view or epoch."""

    chain_id: str
    provider: str
    view: str
    epoch: int
    salt: bytes

    @classmethod
    def of(cls, chain_id: str, record: EpochRecord) -> EntryContext:
        """The context of a published epoch."""
        return cls(chain_id, record.provider, record.view, record.epoch, record.salt)

    def info(self) -> bytes:
        """HKDF's info."""
        return tagged("view-entry", self.chain_id, self.provider, self.view, self.epoch)


def derive(f: bytes, context: EntryContext) -> tuple[bytes, bytes]:
    """Tag and key of the person whose element under the view key is ``f``, compressed."""
    # RFC 5869 with two blocks of output; through hmac because a million of these are made for one table.
    prk = hmac.digest(context.salt, f, "sha256")
    info = context.info()
    first = hmac.digest(prk, info + b"\x01", "sha256")
    okm = first + hmac.digest(prk, first + info + b"\x02", "sha256")
    return okm[:TAG_BYTES], okm[TAG_BYTES : TAG_BYTES + _KEY_BYTES]


def seal_value(key: bytes, value: bytes) -> bytes:
    """The 16-byte entry. A key seals one value only: it comes from one person, view and epoch."""
    if not 1 <= len(value) <= _VALUE_BYTES:
        raise FormatError("view_value_invalid", "A value has 1 to 8 bytes.")
    # One block under a key that seals nothing else is AES itself: no mode, no repeated block (PIR-1).
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305
    return encryptor.update(value.ljust(_VALUE_BYTES, b"\0") + _CHECK) + encryptor.finalize()


def open_entries(key: bytes, column: bytes, view: str) -> bytes | None:
    """The value in ``column`` that ``key`` opens, without its padding; None in every other case (PIR-5).

    All entries are opened whatever the first ones hold. Absent, a failed check, two entries that open and a value
    that the view cannot have are one outcome.
    """
    if len(column) % ENTRY_BYTES:
        return None
    decryptor = Cipher(AES(key), ECB()).decryptor()  # noqa: S305 - every block by itself, as they were sealed
    plain = decryptor.update(column) + decryptor.finalize()
    blocks = [plain[start : start + ENTRY_BYTES] for start in range(0, len(plain), ENTRY_BYTES)]
    found = [block[:_VALUE_BYTES] for block in blocks if block[_VALUE_BYTES:] == _CHECK]
    if len(found) != 1:
        return None
    _, bundle, form = view_parts(view)
    try:
        read_view_value(bundle, form, found[0])
    except FormatError:
        return None
    return found[0][: view_value_size(bundle, form)]
