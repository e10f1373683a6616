"""A network namespace a member and a router between them: ways are cut by blackhole rules, in each direction.

What is lost here is lost: TCP sends it again when its own timer says so, as behind a dead route. Needs root. The
kernel has no netem in many places: delay and loss are the business of ``wires``.
"""

from __future__ import annotations

import asyncio
import ctypes
import itertools
import os
import socket
import subprocess
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["Spaces"]

_NEW_NET = 0x40000000
_NUMBERS = itertools.count(1)
_CHUNK = 64 * 1024
_RETRIES = 6
"""As ``run-a-network.md`` says: a connection behind a dead route ends after some 25 s, so that a new one is made."""


class Spaces:
    """The same as ``wires``, with real routes; made by :meth:`open`, removed by :meth:`close`."""

    way_around = True
    """Members may tell each other their addresses: there is no other way than the router's."""

    def __init__(self, names: Iterable[str]) -> None:
        self._tag = f"lz{os.getpid()}-{next(_NUMBERS)}"
        self._hosts = {name: number for number, name in enumerate(names, 1)}
        self._cut: set[tuple[str, str]] = set()
        self._servers: list[asyncio.Server] = []
        self._libc = ctypes.CDLL(None, use_errno=True)

    def open(self) -> None:
        """One namespace and one pair of interfaces a member."""
        _ip("netns", "add", self._tag)
        _ip("netns", "exec", self._tag, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        for name, number in self._hosts.items():
            space, router = self._space(name), f"10.77.{number}.1"
            _ip("netns", "add", space)
            _ip("link", "add", "out", "netns", space, "type", "veth", "peer", "name", f"to{number}", "netns", self._tag)
            for where, device, address in ((space, "out", self.host(name)), (self._tag, f"to{number}", router)):
                _ip("-n", where, "addr", "add", f"{address}/24", "dev", device)
                _ip("-n", where, "link", "set", device, "up")
            _ip("-n", space, "link", "set", "lo", "up")
            _ip("netns", "exec", space, "sysctl", "-qw", f"net.ipv4.tcp_retries2={_RETRIES}")
            _ip("-n", space, "route", "add", "default", "via", router)

    def host(self, name: str) -> str:
        """Address of a member."""
        return f"10.77.{self._hosts[name]}.2"

    def prefix(self, name: str) -> list[str]:
        """What a member's command begins with."""
        return ["ip", "netns", "exec", self._space(name)]

    async def lay(self, source: str, target: str, port: int) -> str:
        """Where ``source`` reaches what ``target`` has at ``port``."""
        return f"{self.host(target)}:{port}"

    async def door(self, name: str, port: int) -> str:
        """Where we reach it, from outside: a forwarder into the member's namespace."""

        async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(OSError):
                there = await asyncio.open_connection(sock=await self._connected(name, port))
                await asyncio.gather(_pump(reader, there[1]), _pump(there[0], writer))
            writer.close()

        server = await asyncio.start_server(accept, "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def cut(self, source: str, target: str) -> None:
        """Nothing arrives in this direction any more."""
        if (source, target) not in self._cut:
            self._rule("add", source, target)
            self._cut.add((source, target))

    def part(self, *groups: Iterable[str]) -> None:
        """Nothing goes between members of two groups, in neither direction."""
        sides = [frozenset(group) for group in groups]
        for here, there in itertools.permutations(sides, 2):
            for source, target in itertools.product(here, there):
                self.cut(source, target)

    def slow(self, delay_s: tuple[float, float], loss: float) -> None:
        """Not here."""
        raise NotImplementedError

    def drop(self, member: str, other: str) -> None:
        """Not here: a router ends no connections."""

    def heal(self) -> None:
        """Everything arrives again."""
        for source, target in sorted(self._cut):
            self._rule("del", source, target)
        self._cut.clear()

    async def close(self) -> None:
        """No namespace is left."""
        for server in self._servers:
            server.close()
        self._remove()

    def _remove(self) -> None:
        for space in (*map(self._space, self._hosts), self._tag):
            subprocess.run(("ip", "netns", "del", space), check=False, timeout=30, stderr=subprocess.DEVNULL)

    def _space(self, name: str) -> str:
        return f"{self._tag}-{self._hosts[name]}"

    def _rule(self, what: str, source: str, target: str) -> None:
        _ip("-n", self._tag, "rule", what, "from", self.host(source), "to", self.host(target), "blackhole")

    async def _connected(self, name: str, port: int) -> socket.socket:
        """A socket belongs to the namespace that it was made in, whoever uses it."""
        ours = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        theirs = os.open(f"/run/netns/{self._space(name)}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self._enter(theirs)
            try:
                made = socket.socket()
            finally:
                self._enter(ours)
        finally:
            os.close(ours)
            os.close(theirs)
        made.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", port))
        except BaseException:
            made.close()
            raise
        return made

    def _enter(self, space: int) -> None:
        if self._libc.setns(space, _NEW_NET):
            raise OSError(ctypes.get_errno(), "setns")


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    writer.close()


def _ip(*arguments: str) -> None:
    subprocess.run(("ip", *arguments), check=True, timeout=30)
