"""CBOR (RFC 8949) in its one deterministic form, as far as Data Integrity proof values need it.

Integers from 0, byte and text strings, arrays and maps with integer keys. Longer forms than needed, indefinite
lengths, keys out of order or twice, and anything left over are refused, so a value has one encoding.
"""

from __future__ import annotations

from typing import Any

from lianzheng.errors import FormatError

__all__ = ["decode_cbor", "encode_cbor"]

_DEPTH_MAX = 4
_UINT, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5
_WIDTHS = {24: 1, 25: 2, 26: 4, 27: 8}


def encode_cbor(value: Any) -> bytes:
    """The deterministic encoding (§4.2.1) of ``value``. Raises ``FormatError`` ``cbor_invalid``."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**64:
        return _head(_UINT, value)
    if isinstance(value, bytes):
        return _head(_BYTES, len(value)) + value
    if isinstance(value, str):
        data = value.encode("utf-8")
        return _head(_TEXT, len(data)) + data
    if isinstance(value, (list, tuple)):
        return _head(_ARRAY, len(value)) + b"".join(map(encode_cbor, value))
    if isinstance(value, dict):
        pairs = sorted((encode_cbor(key), encode_cbor(item)) for key, item in value.items())
        return _head(_MAP, len(pairs)) + b"".join(key + item for key, item in pairs)
    raise FormatError("cbor_invalid", "A value has a type that this CBOR does not carry.")


def decode_cbor(data: bytes) -> Any:
    """Inverse of :func:`encode_cbor`. Raises ``FormatError`` ``cbor_invalid``."""
    value, end = _item(data, 0, _DEPTH_MAX)
    if end != len(data) or encode_cbor(value) != data:
        raise _invalid()
    return value


def _head(major: int, number: int) -> bytes:
    if number < 24:
        return bytes([major << 5 | number])
    for code, width in _WIDTHS.items():
        if number < 1 << 8 * width:
            return bytes([major << 5 | code]) + number.to_bytes(width, "big")
    raise _invalid()


def _item(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    if at >= len(data) or depth == 0:
        raise _invalid()
    major, number, at = data[at] >> 5, data[at] & 0x1F, at + 1
    width = _WIDTHS.get(number, 0)
    if number >= 24 and not width:
        raise _invalid()
    if width:
        number, at = int.from_bytes(data[at : at + width], "big"), at + width
    if number > len(data) and major != _UINT:  # no length can pass what is there: no work for a lie
        raise _invalid()
    if major == _UINT:
        return number, at
    if major in (_BYTES, _TEXT):
        return _string(data[at : at + number], number, major == _TEXT), at + number
    items: list[Any] = []
    if major not in (_ARRAY, _MAP):
        raise _invalid()
    for _ in range(number * (2 if major == _MAP else 1)):
        item, at = _item(data, at, depth - 1)
        items.append(item)
    if major == _ARRAY:
        return items, at
    if not all(isinstance(key, int) for key in items[::2]):
        raise _invalid()
    return dict(zip(items[::2], items[1::2], strict=True)), at


def _string(part: bytes, size: int, is_text: bool) -> bytes | str:
    if len(part) != size:
        raise _invalid()
    try:
        return part.decode("utf-8") if is_text else part
    except UnicodeDecodeError as error:
        raise _invalid() from error


def _invalid() -> FormatError:
    return FormatError("cbor_invalid", "A proof value is not CBOR in its deterministic form.")
