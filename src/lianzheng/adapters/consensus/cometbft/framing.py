"""Frames of the ABCI socket: the length as an unsigned varint, then one protobuf message."""

from __future__ import annotations

from lianzheng.encoding.binary import varint_encode
from lianzheng.errors import FormatError
from lianzheng.limits import ABCI_MESSAGE_BYTES_MAX

__all__ = ["FrameDecoder", "encode_frame"]

_UVARINT_BYTES_MAX = 10


def encode_frame(message: bytes) -> bytes:
    """``message`` behind its length."""
    return varint_encode(len(message)) + message


class FrameDecoder:
    """Bytes as they come in, whole messages out; keeps what is not complete yet."""

    def __init__(self, bytes_max: int = ABCI_MESSAGE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that ``data`` completes. Raises ``FormatError`` ``abci_frame_invalid``; then close."""
        self._buffer += data
        messages: list[bytes] = []
        position = 0
        while True:
            start, length = self._length(position)
            if length is None or start + length > len(self._buffer):
                break
            messages.append(bytes(self._buffer[start : start + length]))
            position = start + length
        del self._buffer[:position]
        return messages

    def _length(self, position: int) -> tuple[int, int | None]:
        """Where the message at ``position`` begins and how long it is; None while the length is incomplete."""
        length = shift = 0
        for index in range(position, min(position + _UVARINT_BYTES_MAX, len(self._buffer))):
            byte = self._buffer[index]
            length |= (byte & 0x7F) << shift
            if byte < 0x80:
                if length > self._bytes_max:
                    raise FormatError("abci_frame_invalid", "A message of the engine is longer than any that fits.")
                return index + 1, length
            shift += 7
        if len(self._buffer) - position >= _UVARINT_BYTES_MAX:
            raise FormatError("abci_frame_invalid", "A message of the engine has no readable length.")
        return position, None
