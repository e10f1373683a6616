"""What one block changed, as one blob: enough to have the state after it without its transactions (LED-9).

A delta needs no trust: whoever applies one compares the application hash with the signed head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lianzheng.encoding.canonical import JsonObject, decode_hashed, encode
from lianzheng.encoding.framing import frame, unframe
from lianzheng.errors import FormatError

__all__ = ["Delta"]


@dataclass(frozen=True, slots=True)
class Delta:
    """Writes in the order of their keys (None deletes) and new log entries."""

    height: int
    time_ms: int
    writes: tuple[tuple[str, JsonObject | None], ...]
    log: tuple[bytes, ...]

    def to_bytes(self) -> bytes:
        """Framed: JCS([height, time_ms, number of log entries]), the entries, then JCS([key, value]) of each write."""
        parts = [encode([self.height, self.time_ms, len(self.log)]), *self.log]
        return frame(*parts, *(encode([key, value]) for key, value in self.writes))

    @classmethod
    def from_bytes(cls, data: bytes) -> Delta:
        """Inverse of :meth:`to_bytes`, for bytes of this node's own disk. Raises ``FormatError`` ``delta_invalid``."""
        parts = unframe(data)
        match decode_hashed(parts[0]) if parts else None:
            case [int() as height, int() as time_ms, int() as count] if 0 <= count < len(parts):
                entries = parts[1 : 1 + count]
            case _:
                raise _invalid()
        return cls(height, time_ms, _writes(parts[1 + count :]), tuple(entries))


def _writes(parts: Sequence[bytes]) -> tuple[tuple[str, JsonObject | None], ...]:
    writes: list[tuple[str, JsonObject | None]] = []
    for part in parts:
        match decode_hashed(part):
            case [str() as key, (dict() | None) as value]:
                writes.append((key, value))
            case _:
                raise _invalid()
    return tuple(writes)


def _invalid() -> FormatError:
    return FormatError("delta_invalid", "The stored changes of a block are damaged.")
