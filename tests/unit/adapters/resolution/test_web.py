"""The guarded fetch against a server of our own over TLS, and the addresses that it refuses."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from lianzheng.adapters.resolution.web import Address, GuardedFetcher, is_public
from lianzheng.adapters.transport.certificates import create_certificate
from lianzheng.errors import FormatError, LianzhengError, NotFoundError, RefusedError, UnavailableError
from lianzheng.limits import DID_FETCHES_MAX

Reply = Callable[[str], bytes]


def _ok(body: bytes, *headers: str) -> bytes:
    lines = ["HTTP/1.1 200 OK", f"content-length: {len(body)}", "connection: close", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


def _status(line: str, *headers: str) -> bytes:
    return "\r\n".join([f"HTTP/1.1 {line}", "content-length: 0", "connection: close", *headers, "", ""]).encode()


class Server:
    """Answers each path with bytes; keeps the request heads."""

    def __init__(self) -> None:
        self.replies: dict[str, bytes] = {}
        self.heads: list[str] = []
        self.port = 0

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            self.heads.append(head)
            reply = self.replies.get(head.split(" ")[1])
            if reply is None:
                await asyncio.Event().wait()
            else:
                writer.write(reply)
                await writer.drain()
        except (ConnectionError, ssl.SSLError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def url(self, path: str) -> str:
        return f"https://localhost:{self.port}{path}"


@asynccontextmanager
async def serving(folder: Path, **options: object) -> AsyncIterator[tuple[Server, GuardedFetcher]]:
    certificate, key = create_certificate("site", "localhost")
    (folder / "cert.pem").write_bytes(certificate.pem)
    (folder / "key.pem").write_bytes(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    trust = ssl.create_default_context(cafile=str(folder / "cert.pem"))
    server = Server()
    listener = await asyncio.start_server(server.handle, "127.0.0.1", 0, ssl=context)
    server.port = listener.sockets[0].getsockname()[1]
    fetcher = GuardedFetcher(options.pop("allowed", lambda _: True), trust, **options)  # type: ignore[arg-type]
    try:
        yield server, fetcher
    finally:
        listener.close()


@pytest.mark.asyncio
async def test_a_document_is_fetched_with_its_name_checked(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, fetcher):
        server.replies["/did.json"] = _ok(b"{}")
        assert await fetcher.fetch(server.url("/did.json")) == b"{}"
        head = server.heads[0].lower()
        assert f"host: localhost:{server.port}" in head and "accept-encoding: identity" in head
        assert "cookie" not in head and "authorization" not in head


@pytest.mark.asyncio
async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, fetcher):
        server.replies["/did.json"] = _ok(b"{}")
        with pytest.raises(UnavailableError, match="fetch_failed"):
            await fetcher.fetch(f"https://127.0.0.1:{server.port}/did.json")
        assert server.heads == []


@pytest.mark.asyncio
async def test_nothing_is_sent_to_an_address_that_is_not_allowed(tmp_path: Path) -> None:
    async with serving(tmp_path, allowed=is_public) as (server, fetcher):
        server.replies["/did.json"] = _ok(b"{}")
        with pytest.raises(RefusedError, match="fetch_forbidden"):
            await fetcher.fetch(server.url("/did.json"))
        assert server.heads == []


@pytest.mark.asyncio
@pytest.mark.parametrize(
    ("reply", "error", "code"),
    [
        (_status("404 Not Found"), NotFoundError, "did_unknown"),
        (_status("410 Gone"), NotFoundError, "did_unknown"),
        (_status("500 Oops"), UnavailableError, "fetch_failed"),
        (_status("302 Found", "location: https://other.example/did.json"), RefusedError, "fetch_forbidden"),
        (_status("302 Found", "location: //other.example/did.json"), RefusedError, "fetch_forbidden"),
        (_status("302 Found", "location: http://localhost/did.json"), RefusedError, "fetch_forbidden"),
        (_status("302 Found", "location: https://localhost/did.json"), RefusedError, "fetch_forbidden"),
        (_status("302 Found", "location: /did.json"), RefusedError, "fetch_forbidden"),
        (_ok(b"x" * 101), FormatError, "too_large"),
        (_ok(b"x", "content-encoding: gzip"), FormatError, "too_large"),
        (b"nonsense\r\n\r\n", UnavailableError, "fetch_failed"),
        (None, UnavailableError, "fetch_failed"),
    ],
    ids=["404", "410", "500", "host", "relative-host", "plain", "port", "loop", "large", "packed", "no-http", "slow"],
)
async def test_each_bad_answer(tmp_path: Path, reply: bytes | None, error: type[LianzhengError], code: str) -> None:
    async with serving(tmp_path, bytes_max=100, timeout_seconds=1.0) as (server, fetcher):
        if reply is not None:
            server.replies["/did.json"] = reply
        with pytest.raises(error) as caught:
            await fetcher.fetch(server.url("/did.json"))
        assert caught.value.code == code


@pytest.mark.asyncio
async def test_a_redirect_on_the_same_host_is_followed(tmp_path: Path) -> None:
    async with serving(tmp_path) as (server, fetcher):
        server.replies["/did.json"] = _status("301 Moved", "location: /moved.json")
        server.replies["/moved.json"] = _ok(b'{"id": 1}')
        assert await fetcher.fetch(server.url("/did.json")) == b'{"id": 1}'


@pytest.mark.asyncio
@pytest.mark.parametrize("url", ["http://localhost/x", "ftp://localhost/x", "https:///x", "https://u@localhost/x"])
async def test_other_urls_are_refused(url: str) -> None:
    with pytest.raises(RefusedError, match="fetch_forbidden"):
        await GuardedFetcher().fetch(url)


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1",
     "255.255.255.255", "192.0.2.1", "198.18.0.1", "240.0.0.1", "::", "::1", "fe80::1", "fc00::1", "fd12::1", "ff02::1",
     "::ffff:127.0.0.1", "::ffff:8.8.8.8", "64:ff9b::7f00:1", "64:ff9b:1::1", "2002:7f00:1::", "2001:db8::1"],
)  # fmt: skip
def test_addresses_inside_the_house_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "223.5.5.5"])
def test_public_addresses(text: str) -> None:
    address: Address = ipaddress.ip_address(text)
    assert is_public(address)


@pytest.mark.parametrize(
    "location",
    [
        "https://[",  # no URL at all for urllib
        "//[::1",
        "https://localhost:99999/did.json",
        "https://localhost:x/did.json",
        "/\u0085did.json",  # a control character for httpx
        "/" + "a" * 65_600,  # longer than httpx takes, longer than h11 reads
        "https://u:p@localhost/did.json",
        "",
    ],
    ids=["bracket", "half-address", "port", "no-port", "control", "long", "user", "empty"],
)
@pytest.mark.asyncio
async def test_a_redirect_to_what_is_no_url_is_refused(tmp_path: Path, location: str) -> None:
    async with serving(tmp_path, timeout_seconds=3.0) as (server, fetcher):
        server.replies["/did.json"] = _status("302 Found").replace(
            b"connection: close", b"connection: close\r\nlocation: " + location.encode("latin-1")
        )
        with pytest.raises(LianzhengError) as caught:
            await fetcher.fetch(server.url("/did.json"))
        assert caught.value.code in {"fetch_forbidden", "fetch_failed"}


@pytest.mark.asyncio
async def test_names_that_are_looked_up_slowly_hold_up_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name's own server decides how long a look-up takes; the threads that all of the node shares are not waiting."""
    release = threading.Event()

    def slow(*_arguments: Any, **_options: Any) -> Any:
        release.wait(30)
        raise socket.gaierror(socket.EAI_AGAIN, "no answer")

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    with ThreadPoolExecutor(1) as shared:
        asyncio.get_running_loop().set_default_executor(shared)
        waiting = asyncio.create_task(GuardedFetcher().fetch("https://slow.example/did.json"))
        try:
            await asyncio.sleep(0)
            assert await asyncio.wait_for(asyncio.to_thread(int, "7"), 10) == 7
        finally:
            release.set()
        with pytest.raises(LianzhengError):
            await waiting


@pytest.mark.asyncio
async def test_who_waits_for_a_place_waits_no_longer_than_a_fetch(tmp_path: Path) -> None:
    """All places taken by sites that never answer: the next one is told so, it does not queue behind them for ever."""
    async with serving(tmp_path, timeout_seconds=60.0) as (server, fetcher):
        held = [asyncio.create_task(fetcher.fetch(server.url(f"/{n}"))) for n in range(DID_FETCHES_MAX)]
        while len(server.heads) < DID_FETCHES_MAX:
            await asyncio.sleep(0)
        fetcher._timeout_seconds = 0.2
        with pytest.raises(LianzhengError, match="fetch_failed"):
            await asyncio.wait_for(fetcher.fetch(server.url("/next")), 20)
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)
        assert len(server.heads) == DID_FETCHES_MAX


@pytest.mark.parametrize(
    "text",
    [
        "fec0::1",  # site-local, RFC 3879: deprecated, and still routed inside some houses
        "3fff::1",  # documentation, RFC 9637
        "5f00::1",  # SRv6 segment identifiers, RFC 9602
        "4000::1",  # not allocated: only 2000::/3 is global unicast (RFC 4291)
        "::ffff:0:127.0.0.1",  # IPv4-translated, RFC 2765
        "::127.0.0.1",  # IPv4-compatible, RFC 4291
        "192.88.99.1",  # 6to4 relays, RFC 7526
    ],
)
def test_more_addresses_that_are_not_of_the_public_internet(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.asyncio
@pytest.mark.parametrize("texts", [("127.0.0.1", "192.0.9.1"), ("192.0.9.1", "127.0.0.1"), ("::1", "192.0.9.1"), ()])
async def test_a_name_with_one_address_inside_leads_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, texts: tuple[str, ...]
) -> None:
    """Else whoever answers for the name chooses, by the order of the answers, what is connected to."""
    assert is_public(ipaddress.ip_address("192.0.9.1"))
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (text, 443)) for text in texts]
    async with serving(tmp_path, allowed=is_public, timeout_seconds=1.0) as (server, fetcher):
        server.replies["/did.json"] = _ok(b"{}")
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_arguments, **_options: found)
        with pytest.raises(RefusedError, match="fetch_forbidden"):
            await fetcher.fetch(server.url("/did.json"))
        assert server.heads == []
