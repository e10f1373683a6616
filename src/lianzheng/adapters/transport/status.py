"""Status lists of others: of members over the peer client, of strangers from the web, both bounded."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from lianzheng.adapters.transport.client import PeerClient
from lianzheng.identity.ports import WebFetcher
from lianzheng.limits import STATUS_DOCUMENT_BYTES_MAX

__all__ = ["STATUS_LISTS_PATH", "StatusListFetcher"]

STATUS_LISTS_PATH = "/peer/v1/status-lists/"


class StatusListFetcher:
    """Implements ``identity.status.ports.StatusFetcher``: by issuer, since only the digest decides what counts."""

    def __init__(self, me: str, own: Callable[[str], Awaitable[bytes]], peers: PeerClient, web: WebFetcher) -> None:
        self._me = me
        self._own = own
        self._peers = peers
        self._web = web

    async def fetch(self, issuer: str, name: str, url: str) -> bytes:
        """As the port says. Of did:lz issuers the URL is not followed: their node is where the ledger says."""
        if issuer == self._me:
            return await self._own(name)
        if issuer.startswith("did:lz:"):
            return await self._peers.get_bytes(issuer, STATUS_LISTS_PATH + name, STATUS_DOCUMENT_BYTES_MAX)
        return await self._web.fetch(url)
