"""Unambiguous concatenation under a domain tag (CON-2, B1): what every hash and signature input is made of."""

from __future__ import annotations

from lianzheng.errors import FormatError

__all__ = ["Part", "frame", "tag", "tagged", "unframe"]

Part = bytes | str | int


def tag(purpose: str) -> bytes:
    """``lianzheng/v1/<purpose>`` and a NUL byte (CON-2)."""
    return b"lianzheng/v1/" + purpose.encode("ascii") + b"\0"


def frame(*parts: Part) -> bytes:
    """Each part behind its length in 4 bytes big-endian; integers as 8 bytes big-endian, text as UTF-8 (B1)."""
    out = bytearray()
    for part in parts:
        if isinstance(part, int):
            if not 0 <= part < 2**64:
                raise FormatError("integer_range", "An integer does not fit 8 bytes.")
            data = part.to_bytes(8, "big")
        elif isinstance(part, str):
            data = part.encode("utf-8")
        else:
            data = part
        out += len(data).to_bytes(4, "big")
        out += data
    return bytes(out)


def unframe(data: bytes) -> list[bytes]:
    """The parts of :func:`frame`, as bytes. Raises ``FormatError`` ``frame_invalid`` where one is cut off."""
    parts: list[bytes] = []
    position = 0
    while position < len(data):
        start = position + 4
        position = start + int.from_bytes(data[position:start], "big")
        if start > len(data) or position > len(data):
            raise FormatError("frame_invalid", "Framed parts end inside a part.")
        parts.append(data[start:position])
    return parts


def tagged(purpose: str, *parts: Part) -> bytes:
    """The tag, then the framed parts: the ``‖`` of the specification."""
    return tag(purpose) + frame(*parts)
