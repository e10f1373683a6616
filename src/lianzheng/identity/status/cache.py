"""Status lists that were verified once, kept as long as their ``ttl`` allows and the ledger names them."""

from __future__ import annotations

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.identity.status.lists import ttl_ms_of
from lianzheng.limits import STATUS_LISTS_KEPT

__all__ = ["StatusCache"]


class StatusCache:
    """Lists by URL and digest: once the ledger names another digest, what is kept is not found any more."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, tuple[bytes | None, int, JsonObject]] = {}

    def get(self, url: str, digest: bytes | None) -> JsonObject | None:
        """The list kept for ``url``, if it has ``digest`` and its ttl has not run out."""
        kept = self._kept.get(url)
        if kept is None or kept[0] != digest or self._clock.boot_ms() >= kept[1]:
            return None
        return kept[2]

    def put(self, url: str, digest: bytes | None, document: JsonObject) -> None:
        """Keep a verified list; the oldest one makes room. ``digest``: the ledger's, None of lists of strangers."""
        self._kept.pop(url, None)
        while len(self._kept) >= STATUS_LISTS_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[url] = digest, self._clock.boot_ms() + ttl_ms_of(document), document
