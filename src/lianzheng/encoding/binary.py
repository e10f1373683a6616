"""Strict base64url, base58btc multibase and varints: each byte string has exactly one text."""

from __future__ import annotations

import binascii

from lianzheng.errors import FormatError

__all__ = ["b64u_decode", "b64u_encode", "multibase_decode", "multibase_encode", "varint_decode", "varint_encode"]

_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
_ALPHABET = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_DIGIT = {character: value for value, character in enumerate(_ALPHABET)}


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
    digits = []
    while number:
        number, digit = divmod(number, 58)
        digits.append(_ALPHABET[digit])
    zeros = len(data) - len(data.lstrip(b"\0"))
    return "z" + "1" * zeros + "".join(reversed(digits))


def multibase_decode(text: str, size_max: int = 256) -> bytes:
    """Inverse of :func:`multibase_encode`. Raises ``FormatError`` ``multibase_invalid``."""
    # 58^1.36 > 256: longer texts cannot decode to size_max bytes, and big numbers cost quadratic time.
    if not text.startswith("z") or len(text) > size_max * 3 // 2 + 2:
        raise FormatError("multibase_invalid", "A multibase value must be base58btc, starting with 'z', and short.")
    number = 0
    for character in text[1:]:
        digit = _DIGIT.get(character)
        if digit is None:
            raise FormatError("multibase_invalid", "A multibase value holds a character outside base58btc.")
        number = number * 58 + digit
    digits = text[1:]
    zeros = len(digits) - len(digits.lstrip("1"))
    return b"\0" * zeros + number.to_bytes((number.bit_length() + 7) // 8, "big")


def varint_encode(number: int) -> bytes:
    """Unsigned varint (multiformats): seven bits a byte, least significant first."""
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
