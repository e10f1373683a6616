"""The bit array of Bitstring Status List 1.0 (§3.3, §3.4): index 0 is the highest bit of the first byte.

encodedList: ``u`` + base64url of GZIP of the bits, without a time, so that equal lists have equal texts and digests
"""

from __future__ import annotations

import gzip
import zlib

from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.errors import FormatError
from lianzheng.limits import STATUS_LIST_BITS_MIN, STATUS_LIST_BYTES_MAX

__all__ = ["decode_list", "encode_list", "get_status", "new_list", "set_status"]

_GZIP = 31  # zlib's window bits: the largest window, GZIP framing only
_ENTRY_BITS_MAX = 8


def new_list(entries: int = STATUS_LIST_BITS_MIN) -> bytearray:
    """Zero bits, at least as many as privacy needs. Raises ``FormatError`` ``status_list_size``."""
    if entries < STATUS_LIST_BITS_MIN or entries % 8 or entries > STATUS_LIST_BYTES_MAX * 8:
        raise FormatError("status_list_size", "A status list has 131072 entries or more, in whole bytes.")
    return bytearray(entries // 8)


def encode_list(bits: bytes | bytearray) -> str:
    """``encodedList`` of ``bits``."""
    return "u" + b64u_encode(gzip.compress(bytes(bits), mtime=0))


def decode_list(text: object) -> bytes:
    """The bits of an ``encodedList``, never more than ``STATUS_LIST_BYTES_MAX`` bytes of them in memory.

    Raises ``FormatError``: ``status_list_malformed``, ``status_list_size``.
    """
    if not isinstance(text, str) or not text.startswith("u"):
        raise _malformed()
    unpack = zlib.decompressobj(_GZIP)
    try:
        bits = unpack.decompress(b64u_decode(text[1:]), STATUS_LIST_BYTES_MAX + 1)
    except (zlib.error, FormatError) as error:
        raise _malformed() from error
    if len(bits) > STATUS_LIST_BYTES_MAX or len(bits) * 8 < STATUS_LIST_BITS_MIN:
        raise FormatError("status_list_size", "A status list unpacks to more or to fewer bits than allowed.")
    if not unpack.eof or unpack.unused_data:
        raise _malformed()
    return bits


def get_status(bits: bytes | bytearray, index: int, size: int = 1) -> int:
    """The ``size`` bits of entry ``index``. Raises ``FormatError`` ``status_index_out_of_range`` (RANGE_ERROR)."""
    _check(bits, index, size)
    value = 0
    for place in range(index * size, (index + 1) * size):
        value = value << 1 | bits[place >> 3] >> (7 - (place & 7)) & 1
    return value


def set_status(bits: bytearray, index: int, value: int, size: int = 1) -> None:
    """Set the ``size`` bits of entry ``index``. Raises ``FormatError`` ``status_index_out_of_range``."""
    _check(bits, index, size)
    if not 0 <= value < 1 << size:
        raise FormatError("status_index_out_of_range", "A status is larger than its entry.")
    for offset, place in enumerate(range(index * size, (index + 1) * size)):
        mask = 0x80 >> (place & 7)
        bit = value >> (size - 1 - offset) & 1
        bits[place >> 3] = bits[place >> 3] | mask if bit else bits[place >> 3] & ~mask


def _check(bits: bytes | bytearray, index: int, size: int) -> None:
    if not 1 <= size <= _ENTRY_BITS_MAX or not 0 <= index < len(bits) * 8 // size:
        raise FormatError("status_index_out_of_range", "A status entry lies outside its list.")


def _malformed() -> FormatError:
    return FormatError("status_list_malformed", "A status list is not base64url of GZIP in one piece.")
