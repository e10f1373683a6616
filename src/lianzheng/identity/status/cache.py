"""Status lists fetched, verified once and kept as long as their ``ttl`` allows."""

from __future__ import annotations

from collections.abc import Callable

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.identity.status.lists import ttl_ms_of
from lianzheng.limits import STATUS_LISTS_KEPT

__all__ = ["StatusCache"]


class StatusCache:
    """``fetch`` brings a list credential, ``verify`` raises unless it holds; both are asked once in a ttl."""

    def __init__(
        self, fetch: Callable[[str], JsonObject], verify: Callable[[JsonObject], object], clock: Clock
    ) -> None:
        self._fetch = fetch
        self._verify = verify
        self._clock = clock
        self._kept: dict[str, tuple[int, JsonObject]] = {}

    def load(self, url: str) -> JsonObject:
        """The verified list at ``url``. Raises what ``fetch`` and ``verify`` raise; a failure is not kept."""
        now = self._clock.boot_ms()
        until, document = self._kept.get(url, (0, {}))
        if now < until:
            return document
        document = self._fetch(url)
        self._verify(document)
        self._kept.pop(url, None)
        while len(self._kept) >= STATUS_LISTS_KEPT:
            self._kept.pop(next(iter(self._kept)))
        self._kept[url] = now + ttl_ms_of(document), document
        return document

    def forget(self, url: str) -> None:
        """Fetch anew next time: after the ledger named another digest for this list."""
        self._kept.pop(url, None)
