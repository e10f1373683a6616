"""What the engine writes is taken in while the loop is held up, up to a bound; what is written to it arrives whole."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from lianzheng.adapters.consensus.cometbft import inlet as module
from lianzheng.adapters.consensus.cometbft.inlet import Inlet

PATIENCE_S = 30
MEBIBYTE = bytes(range(256)) * 4096
"""Several times what the buffers of a unix socket hold."""


@asynccontextmanager
async def connected() -> AsyncIterator[tuple[Inlet, socket.socket]]:
    """An inlet and the engine's end, whose calls fail rather than wait for ever."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    theirs.settimeout(PATIENCE_S)
    inlet = Inlet(ours)
    try:
        yield inlet, theirs
    finally:
        theirs.close()
        await inlet.close()


async def read(inlet: Inlet, count: int) -> bytes:
    data = b""
    async with asyncio.timeout(PATIENCE_S):
        while len(data) < count:
            part = await inlet.read()
            if not part:
                break
            data += part
    return data


async def test_bytes_are_taken_in_while_the_loop_does_something_else() -> None:
    async with connected() as (inlet, engine):
        engine.sendall(MEBIBYTE)  # in the loop's own thread: nothing but the inlet's can make room meanwhile
        assert await read(inlet, len(MEBIBYTE)) == MEBIBYTE


async def test_bytes_keep_their_order_over_many_reads() -> None:
    async with connected() as (inlet, engine):

        def send() -> None:
            for number in range(256):
                engine.sendall(bytes([number]))

        sender = threading.Thread(target=send)
        sender.start()
        assert await read(inlet, 256) == bytes(range(256))
        sender.join()


async def test_no_more_is_held_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "ABCI_HELD_BYTES_MAX", 1)
    async with connected() as (inlet, engine):
        engine.settimeout(0.5)  # a full buffer is the expected end; a slow machine only fills less of it
        sent = 0
        with pytest.raises(TimeoutError):
            while True:
                sent += engine.send(MEBIBYTE)
        assert 0 < sent < len(MEBIBYTE), "one read and what the socket's buffers take"
        assert len(await read(inlet, sent)) == sent
        engine.settimeout(PATIENCE_S)
        engine.sendall(b"more")
        assert await read(inlet, 4) == b"more"


async def test_the_end_is_told_again_and_again() -> None:
    async with connected() as (inlet, engine):
        engine.sendall(b"last words")
        engine.close()
        assert await read(inlet, 11) == b"last words"
        assert [await inlet.read(), await inlet.read()] == [b"", b""]


async def test_a_long_answer_waits_for_its_reader() -> None:
    async with connected() as (inlet, engine):
        writing = asyncio.create_task(inlet.write(MEBIBYTE))
        got = b""
        while len(got) < len(MEBIBYTE):
            got += await asyncio.to_thread(engine.recv, 65536)
        await writing
        assert got == MEBIBYTE


async def test_writing_to_one_that_has_gone_says_so() -> None:
    async with connected() as (inlet, engine):
        engine.close()
        with pytest.raises(ConnectionError):
            await inlet.write(b"anybody?")


async def test_close_ends_the_thread() -> None:
    before = threading.active_count()
    async with connected():
        assert [one.name for one in threading.enumerate()].count("abci-inlet") >= 1
    assert "abci-inlet" not in [one.name for one in threading.enumerate()]
    assert threading.active_count() <= before + 1, "one that joined may remain in the pool"


async def test_close_ends_the_thread_that_waits_for_room_while_more_lies_in_the_socket(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "ABCI_HELD_BYTES_MAX", 1)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    theirs.settimeout(0.5)
    inlet = Inlet(ours)
    try:
        with pytest.raises(TimeoutError):
            while True:
                theirs.send(MEBIBYTE)
        async with asyncio.timeout(PATIENCE_S):
            await inlet.close()
        assert not inlet._thread.is_alive()
    finally:
        inlet._room.set()
        theirs.close()
