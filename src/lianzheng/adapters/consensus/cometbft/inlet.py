"""One connection of the engine, read as soon as it writes, whatever the node is busy with.

While a node executes a block it reads nothing, and the socket's buffer (some 200 kB, a hundred transactions) fills.
CometBFT's ABCI client then spins on a timer of twenty nanoseconds until its write goes on: the engine burns the very
processor time that the node needs to come back. A thread that only moves bytes keeps the buffer empty.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading

from lianzheng.limits import ABCI_HELD_BYTES_MAX

__all__ = ["Inlet"]

_READ_BYTES = 256 * 1024


class Inlet:
    """Bytes in the order in which they came; at most ``ABCI_HELD_BYTES_MAX`` and one read more are held."""

    def __init__(self, connection: socket.socket) -> None:
        """Takes ``connection`` over. Must be called in the running loop that reads from it."""
        connection.setblocking(True)
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._held: list[bytes] = []
        self._size = 0
        self._ended = False
        self._closing = False
        self._came = asyncio.Event()
        self._room = threading.Event()
        self._room.set()
        self._thread = threading.Thread(target=self._take_in, name="abci-inlet", daemon=True)
        self._thread.start()

    async def read(self) -> bytes:
        """Everything that has come, at least one byte; nothing once the other side has ended."""
        await self._came.wait()
        with self._lock:
            data, self._held, self._size = b"".join(self._held), [], 0
            if not self._ended:
                self._came.clear()
            self._room.set()
        return data

    async def write(self, data: bytes) -> None:
        """All of ``data``. Raises ``ConnectionError`` where the other side has ended."""
        left = memoryview(data)
        while left:
            try:
                left = left[self._socket.send(left, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                await self._writable()

    async def close(self) -> None:
        """End the connection and its thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        with self._lock:  # what still lies in the socket is read before its end: it may not block the thread again
            self._closing = True
            self._room.set()
        await asyncio.to_thread(self._thread.join)
        self._socket.close()

    async def _writable(self) -> None:
        ready = asyncio.Event()
        self._loop.add_writer(self._socket, ready.set)
        try:
            await ready.wait()
        finally:
            self._loop.remove_writer(self._socket)

    def _take_in(self) -> None:
        data = b"more"
        while data:
            self._room.wait()
            try:
                data = self._socket.recv(_READ_BYTES)
            except OSError:
                data = b""
            with self._lock:
                first = not self._held
                self._held.append(data)
                self._size += len(data)
                self._ended = not data
                if self._size >= ABCI_HELD_BYTES_MAX and not self._closing:
                    self._room.clear()
            if first or not data:
                with contextlib.suppress(RuntimeError):  # the loop has ended before its connection
                    self._loop.call_soon_threadsafe(self._came.set)
