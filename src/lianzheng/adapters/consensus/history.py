"""The log's part of ``ledger.history.LedgerHistory``: any size of it, under either engine."""

from __future__ import annotations

from lianzheng.encoding.canonical import decode_object
from lianzheng.ledger.ports import Application

__all__ = ["LogHistory", "log_size_at"]


class LogHistory:
    """Reads the application's evidence log."""

    def __init__(self, application: Application) -> None:
        self._application = application

    def log_root(self, size: int) -> bytes:
        return self._application.log.root(size)

    def log_entry(self, index: int, size: int) -> tuple[bytes, tuple[bytes, ...]]:
        return self._application.log_entry(index), self._application.log.inclusion_path(index, size)


def log_size_at(application: Application, height: int) -> int:
    """Entries of blocks up to ``height``: each names its own, and they ascend."""
    low, high = 0, application.log.size
    while low < high:
        middle = (low + high) // 2
        if decode_object(application.log_entry(middle))["height"] <= height:
            low = middle + 1
        else:
            high = middle
    return low
