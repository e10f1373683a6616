"""Listeners hang up on who connects and does not ask, over real sockets; who waits for an answer is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from lianzheng.adapters.transport.patience import PatientProtocol
from lianzheng.adapters.transport.server import HttpServer

HEAD_S, PAUSE_S, FAR_S = 0.5, 0.5, 60
GET = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n"
POST = b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n"

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class App:
    """Answers at once, reads nothing of ``/early``, and of ``/slow`` waits until it is told to answer."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()
        self.bodies: list[bytes] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["path"] != "/early"
        if scope["path"] == "/later":
            await self.go_on.wait()
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        self.bodies.append(body)
        if scope["path"] == "/slow":
            await self.go_on.wait()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@pytest_asyncio.fixture
async def served(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[App, HttpServer]]:
    monkeypatch.setattr(PatientProtocol, "head_seconds", HEAD_S)
    monkeypatch.setattr(PatientProtocol, "pause_seconds", PAUSE_S)
    app = App()
    server = HttpServer(app, "127.0.0.1", 0)
    await server.start()
    yield app, server
    app.go_on.set()
    await server.stop()


async def _connect(server: HttpServer) -> Connection:
    return await asyncio.open_connection("127.0.0.1", server.port)


async def _answer(connection: Connection) -> bytes:
    head = await asyncio.wait_for(connection[0].readuntil(b"\r\n\r\n"), FAR_S)
    return head.split(b"\r\n")[0] + b" " + await asyncio.wait_for(connection[0].readexactly(2), FAR_S)


async def _hung_up(connection: Connection) -> bool:
    try:
        return await asyncio.wait_for(connection[0].read(1), FAR_S) == b""
    except ConnectionError:
        return True


@pytest.mark.asyncio
@pytest.mark.parametrize(
    "sent",
    [b"", b"GET / HTTP/1.1\r\nhost: x\r\n", POST % b"/", POST % b"/" + b"12345"],
    ids=["nothing", "half a head", "a head", "half a body"],
)
async def test_who_stops_is_hung_up_on(served: tuple[App, HttpServer], sent: bytes) -> None:
    connection = await _connect(served[1])
    connection[1].write(sent)
    assert await _hung_up(connection)
    connection[1].close()


@pytest.mark.asyncio
async def test_a_head_that_drips_ends_with_its_time(served: tuple[App, HttpServer]) -> None:
    """Each byte well within the time of a head: together they have no more of it."""
    connection = await _connect(served[1])

    async def drip() -> None:
        connection[1].write(b"GET / HTTP/1.1\r\nx: ")
        while True:
            connection[1].write(b"a")
            await connection[1].drain()
            await asyncio.sleep(HEAD_S / 10)

    dripping = asyncio.create_task(drip())
    assert await _hung_up(connection)
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)
    connection[1].close()


@pytest.mark.asyncio
async def test_a_kept_connection_has_the_same_time_for_its_next_head(served: tuple[App, HttpServer]) -> None:
    connection = await _connect(served[1])
    for _ in range(2):
        connection[1].write(GET)
        assert await _answer(connection) == b"HTTP/1.1 200 OK ok"
    connection[1].write(b"G")
    assert await _hung_up(connection)
    connection[1].close()


@pytest.mark.asyncio
async def test_a_body_after_its_answer_buys_no_time(served: tuple[App, HttpServer]) -> None:
    """The rest of a body that nobody waited for stops uvicorn's own clock for kept connections."""
    connection = await _connect(served[1])
    connection[1].write(POST % b"/early")
    assert await _answer(connection) == b"HTTP/1.1 200 OK ok"
    connection[1].write(b"0123456789")
    assert await _hung_up(connection)
    connection[1].close()


@pytest.mark.asyncio
async def test_who_waits_for_an_answer_or_pauses_between_requests_is_left_alone(
    served: tuple[App, HttpServer],
) -> None:
    """*Must pass*: an answer that takes longer than any of the times, and a next request after such a pause."""
    app, server = served
    connection = await _connect(server)
    connection[1].write(POST % b"/slow" + b"01234")
    connection[1].write(b"56789")
    await asyncio.sleep(3 * PAUSE_S)
    app.go_on.set()
    assert await _answer(connection) == b"HTTP/1.1 200 OK ok"
    await asyncio.sleep(3 * PAUSE_S)
    connection[1].write(GET)
    assert await _answer(connection) == b"HTTP/1.1 200 OK ok"
    assert app.bodies == [b"0123456789", b""]
    connection[1].close()


@pytest.mark.asyncio
async def test_a_body_that_we_do_not_read_is_not_counted_against_its_sender(served: tuple[App, HttpServer]) -> None:
    """*Must pass*: more than fits into what is read ahead (64 KiB), to an application that is busy meanwhile."""
    app, server = served
    reader, writer = connection = await _connect(server)
    body = b"x" * 4_000_000
    writer.write(b"POST /later HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
    await asyncio.sleep(4 * PAUSE_S)
    assert not reader.at_eof()
    app.go_on.set()
    assert await _answer(connection) == b"HTTP/1.1 200 OK ok"
    assert [len(one) for one in app.bodies] == [len(body)]
    writer.close()
