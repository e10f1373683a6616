"""Strict base64url, base58btc multibase and varints: each byte string has exactly one text."""

from __future__ import annotations

import binascii

from lianzheng.errors import FormatError

__all__ = ["b64u_decode", "b64u_encode", "multibase_decode", "multibase_encode", "varint_decode", "varint_encode"]

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
_PAIR = {pair: value for value, pair in enumerate(_PAIRS)}
_SQUARE = 58**2
"""Two digits at a time: half the divisions of numbers longer than a machine word."""


def b64u_encode(data: bytes) -> str:
    """Unpadded base64url (RFC 4648 §5)."""
    return binascii.b2a_base64(data, newline=False).translate(_TO_URL).rstrip(b"=").decode("ascii")


def b64u_decode(text: str, size: int | None = None) -> bytes:
    """Inverse of :func:`b64u_encode`, refusing padding, foreign characters and non-zero spare bits.

    Raises ``FormatError`` ``base64url_invalid``, or ``length_invalid`` where ``size`` is given and differs.
    """
    try:
        data = binascii.a2b_base64(text.encode("ascii").translate(_FROM_URL) + b"==")
    except ValueError as error:  # of both codecs
        raise FormatError("base64url_invalid", "A binary value is not unpadded base64url.") from error
    # The decoder passes over much; what it read has one encoding, and this must be it.
    if b64u_encode(data) != text:
        raise FormatError("base64url_invalid", "A binary value is not unpadded base64url without spare bits.")
    if size is not None and len(data) != size:
        raise FormatError("length_invalid", f"A binary value has {len(data)} bytes where {size} are expected.")
    return data


def multibase_encode(data: bytes) -> str:
    """Multibase base58btc: ``z`` and the base58 digits."""
    number = int.from_bytes(data, "big")
    pairs = []
    while number:
        number, pair = divmod(number, _SQUARE)
        pairs.append(_PAIRS[pair])
    pairs.append("1" * (len(data) - len(data.lstrip(b"\0"))))
    if len(pairs) > 1 and pairs[-2][0] == "1":  # an odd number of digits
        pairs[-2] = pairs[-2][1]
    return "z" + "".join(reversed(pairs))


def multibase_decode(text: str, size_max: int = 256) -> bytes:
    """Inverse of :func:`multibase_encode`. Raises ``FormatError`` ``multibase_invalid``."""
    # 58^1.36 > 256: longer texts cannot decode to size_max bytes, and big numbers cost quadratic time.
    if not text.startswith("z") or len(text) > size_max * 3 // 2 + 2:
        raise FormatError("multibase_invalid", "A multibase value must be base58btc, starting with 'z', and short.")
    digits = text[1:]
    even = digits if len(digits) % 2 == 0 else "1" + digits
    number = 0
    try:
        for position in range(0, len(even), 2):
            number = number * _SQUARE + _PAIR[even[position : position + 2]]
    except KeyError:
        message = "A multibase value holds a character outside base58btc."
        raise FormatError("multibase_invalid", message) from None
    zeros = len(digits) - len(digits.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def varint_encode(number: int) -> bytes:
    """Unsigned varint, as in multiformats and protobuf: seven bits a byte, least significant first."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def varint_decode(data: bytes) -> tuple[int, bytes]:
    """The leading unsigned varint and the rest; refuses non-minimal and over-long forms (``varint_invalid``)."""
    value = 0
    for index, byte in enumerate(data[:9]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            if byte == 0 and index:
                break
            return value, data[index + 1 :]
    raise FormatError("varint_invalid", "A multiformat prefix is not a minimal unsigned varint.")
