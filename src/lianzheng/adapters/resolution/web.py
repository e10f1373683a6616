"""A fetch that cannot be sent anywhere: https, public addresses, one host, bounded size and time.

The name is looked up once and the connection goes to an address that was looked at, so a name that answers
differently a moment later leads nowhere. The certificate is checked against the name all the same.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from urllib.parse import urljoin, urlsplit

import httpx

from lianzheng.errors import FormatError, NotFoundError, RefusedError, UnavailableError
from lianzheng.limits import (
    DID_DOCUMENT_BYTES_MAX,
    DID_FETCH_REDIRECTS_MAX,
    DID_FETCH_SECONDS_MAX,
    DID_FETCHES_MAX,
)

__all__ = ["Address", "GuardedFetcher", "is_public"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_GLOBAL = ipaddress.IPv6Network("2000::/3")
"""All of global unicast (RFC 4291): site-local addresses and NAT64, for two, lie outside."""
_DOCUMENTATION = ipaddress.IPv6Network("3fff::/20")
_RELAYS = ipaddress.IPv4Network("192.88.99.0/24")


def is_public(address: Address) -> bool:
    """Whether an address is one of the public internet: nothing inside the house, and no way to wrap such a one."""
    if isinstance(address, ipaddress.IPv6Address):
        if address not in _GLOBAL or address in _DOCUMENTATION or address.sixtofour or address.teredo:
            return False
    elif address in _RELAYS:  # of 6to4 (RFC 7526): they lead on to what a 2002: address wraps
        return False
    return address.is_global and not (address.is_multicast or address.is_reserved)


class GuardedFetcher:
    """``identity.ports.WebFetcher``."""

    def __init__(
        self,
        allowed: Callable[[Address], bool] = is_public,
        verify: ssl.SSLContext | None = None,
        timeout_seconds: float = DID_FETCH_SECONDS_MAX,
        bytes_max: int = DID_DOCUMENT_BYTES_MAX,
    ) -> None:
        self._allowed = allowed
        self._tls = verify or ssl.create_default_context()
        self._timeout_seconds = timeout_seconds
        self._bytes_max = bytes_max
        self._running = asyncio.Semaphore(DID_FETCHES_MAX)
        # How long a look-up takes is for the name's own servers to say: the threads that all share must not wait.
        self._look_ups = ThreadPoolExecutor(DID_FETCHES_MAX, thread_name_prefix="did-web")

    async def fetch(self, url: str) -> bytes:
        """The body of a 200 answer. Raises as the port says."""
        try:
            # The wait for a place counts: sites that never answer would else keep everybody behind them waiting.
            async with asyncio.timeout(self._timeout_seconds), self._running:
                return await self._follow(url)
        except (TimeoutError, httpx.HTTPError, OSError) as error:
            raise UnavailableError(
                "fetch_failed", "The document could not be fetched in time.", detail=type(error).__name__
            ) from error
        except (httpx.InvalidURL, ValueError) as error:  # of the libraries, for where the site leads
            raise RefusedError("fetch_forbidden", "The document's site leads to what is no URL.") from error

    async def _follow(self, url: str) -> bytes:
        first = urlsplit(url)
        for _ in range(DID_FETCH_REDIRECTS_MAX + 1):
            answer, body = await self._get(url)
            if not answer.is_redirect:
                return _body_of(answer, body)
            url = urljoin(url, answer.headers.get("location", ""))
            if (urlsplit(url).scheme, urlsplit(url).netloc) != (first.scheme, first.netloc):
                raise RefusedError("fetch_forbidden", "The document's site leads away from itself.")
        raise RefusedError("fetch_forbidden", "The document's site leads on too often.")

    async def _get(self, url: str) -> tuple[httpx.Response, bytes]:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        if parts.scheme != "https" or not host or parts.username is not None:
            raise RefusedError("fetch_forbidden", "Documents are fetched over https only.")
        address = await self._look_up(host, port)
        target = httpx.URL(url).copy_with(host=str(address), port=port)
        headers = {"host": parts.netloc, "accept": "application/did, application/json", "accept-encoding": "identity"}
        async with (
            httpx.AsyncClient(verify=self._tls, trust_env=False, timeout=self._timeout_seconds) as client,
            client.stream("GET", target, headers=headers, extensions={"sni_hostname": host}) as answer,
        ):
            return answer, await self._read(answer)

    async def _read(self, answer: httpx.Response) -> bytes:
        if answer.headers.get("content-encoding", "identity") != "identity":
            raise FormatError("too_large", "The document's site packs what it was asked to send plain.")
        body = bytearray()
        async for chunk in answer.aiter_raw():
            body += chunk
            if len(body) > self._bytes_max:
                raise FormatError("too_large", f"A published document has more than {self._bytes_max} bytes.")
        return bytes(body)

    async def _look_up(self, host: str, port: int) -> Address:
        """One address of the name; if any of them is not allowed, none is."""
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(
                self._look_ups, partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
            )
        except socket.gaierror as error:
            raise NotFoundError("did_unknown", "The document's site has no address.") from error
        addresses = [ipaddress.ip_address(one[4][0]) for one in found]
        if not addresses or not all(self._allowed(address) for address in addresses):
            raise RefusedError("fetch_forbidden", "The document's site is not on the public internet.")
        return addresses[0]


def _body_of(answer: httpx.Response, body: bytes) -> bytes:
    if answer.status_code in (404, 410):
        raise NotFoundError("did_unknown", "The site publishes no such document.")
    if answer.status_code != 200:
        raise UnavailableError("fetch_failed", "The document's site did not give it.", detail=str(answer.status_code))
    return body
