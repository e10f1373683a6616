"""did:web: the document that a web site publishes; as good as the site, its name and its certificate."""

from __future__ import annotations

import re
from urllib.parse import unquote

from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import FormatError, RefusedError
from lianzheng.identity.ports import WebFetcher
from lianzheng.identity.resolution.model import Options, Resolved
from lianzheng.identity.resolution.url import DidUrl
from lianzheng.limits import DID_DOCUMENT_BYTES_MAX, DID_WEB_CACHE_MAX, DID_WEB_CACHE_MS

__all__ = ["WebDriver", "document_url"]

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}\.)*{_LABEL}(?::[1-9][0-9]{{0,4}})?\Z", re.ASCII)
_NUMERIC = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z", re.ASCII)
_SEGMENT = re.compile(r"[A-Za-z0-9._~@!$&'()*+,;=-]{1,128}\Z", re.ASCII)


class WebDriver:
    """Fetches through a port that looks where it goes; remembers an answer for a short while."""

    def __init__(self, fetcher: WebFetcher, clock: Clock) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._known: dict[str, tuple[int, JsonObject]] = {}

    async def resolve(self, did: DidUrl, options: Options) -> Resolved:
        """The published document, which must call itself by this DID.

        Raises ``did_invalid``, ``did_feature_unsupported``, ``did_document_invalid``; those of the port.
        """
        if options.versioned or options.proof:
            raise RefusedError("did_feature_unsupported", "A did:web has no versions and no ledger.")
        url, now_ms = document_url(did.specific), self._clock.now_ms()
        known = self._known.get(did.did)
        if known is not None and not options.no_cache and now_ms - known[0] < DID_WEB_CACHE_MS:
            return Resolved(known[1])
        document = _read(await self._fetcher.fetch(url), did.did)
        if did.did not in self._known and len(self._known) >= DID_WEB_CACHE_MAX:
            del self._known[next(iter(self._known))]
        self._known[did.did] = (now_ms, document)
        return Resolved(document)


def document_url(specific: str) -> str:
    """Where the document of ``did:web:<specific>`` stands; raises ``FormatError`` ``did_invalid``.

    A name, never an address; segments that could lead elsewhere are refused.
    """
    host, *segments = (unquote(part) for part in specific.split(":"))
    host = host.lower()
    name, _, port = host.partition(":")
    if not _HOST.match(host) or _NUMERIC.match(name.rsplit(".", 1)[-1]) or int(port or 443) > 65535 or len(name) > 253:
        raise FormatError("did_invalid", "A did:web names a host, with a port after %3A at most.")
    if any(not _SEGMENT.match(segment) or segment in (".", "..") for segment in segments):
        raise FormatError("did_invalid", "A did:web has a path segment that cannot stand in a URL.")
    return f"https://{host}/{'/'.join(segments or ['.well-known'])}/did.json"


def _read(data: bytes, did: str) -> JsonObject:
    try:
        document = parse_w3c(data, DID_DOCUMENT_BYTES_MAX)
    except FormatError as error:
        raise FormatError(
            "did_document_invalid", "The published document is no JSON object.", detail=error.code
        ) from None
    if document.get("id") != did:
        raise FormatError("did_document_invalid", "The published document is of another DID.")
    return document
