"""Three node processes that never outlive the scene."""

from __future__ import annotations

import asyncio
import ctypes
import os
import random
import signal
import socket
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from lianzheng.client.http import NodeClient
from lianzheng.errors import LianzhengError, UnavailableError

__all__ = ["NodeProcesses", "free_ports"]

_PR_SET_PDEATHSIG = 1
_START_POLLS = 300
_POLL_S = 1 / 10
_STOP_S = 10
_PORTS = range(10_000, 32_000)  # Linux gives outgoing connections 32,768 and up
_LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec as little as possible may happen


def free_ports(host: str, count: int) -> list[int]:
    """Ports that were free a moment ago; held together so that no two are the same.

    Below the range of outgoing connections, one of which could take a port before its node listens there.
    """
    found: list[socket.socket] = []
    try:
        for port in random.sample(_PORTS, len(_PORTS)):
            if len(found) == count:
                break
            one = socket.socket()
            try:
                one.bind((host, port))
            except OSError:
                one.close()
            else:
                found.append(one)
        return [int(one.getsockname()[1]) for one in found]
    finally:
        for one in found:
            one.close()


class NodeProcesses:
    """``lianzheng node run`` once per home; leaving the context stops them all.

    The kernel ends a node when this process dies by any cause (PR_SET_PDEATHSIG), so not even ``kill -9``
    of the scene leaves one behind.
    """

    def __init__(self, homes: dict[str, Path]) -> None:
        self._homes = homes
        self._running: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    def pid(self, name: str) -> int:
        """Process id of a running node."""
        return self._running[name].pid

    async def start(self, name: str) -> None:
        """Start one node; its log goes to ``node.log`` in its home."""
        home, parent = self._homes[name], os.getpid()

        def die_with_parent() -> None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it died before the kernel was told
                os._exit(1)

        with (home / "node.log").open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "lianzheng",
                "node",
                "run",
                "--config",
                str(home / "node.toml"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
                process_group=0,  # Ctrl-C at the terminal reaches the scene alone, which then stops its nodes in order
            )

    async def wait_ready(self, name: str, client: NodeClient) -> None:
        """Until the node answers; raises ``UnavailableError`` ``node_did_not_start`` naming its log."""
        for _ in range(_START_POLLS):
            if self._running[name].returncode is not None:
                break
            try:
                await client.get("/api/v1/health")
                return
            except LianzhengError:
                await asyncio.sleep(_POLL_S)
        log = self._homes[name] / "node.log"
        raise UnavailableError("node_did_not_start", f"The node of {name} did not start.", next_step=f"Read {log}.")

    async def kill(self, name: str) -> None:
        """End one node at once, as a crash would."""
        process = self._running.pop(name)
        process.kill()
        await process.wait()

    async def end(self, name: str, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask one node to stop and wait for it; its exit status. Raises ``TimeoutError`` where it does not stop."""
        process = self._running[name]
        process.send_signal(number)
        status = await asyncio.wait_for(process.wait(), _STOP_S)
        del self._running[name]
        return status

    async def stop(self) -> None:
        """End all nodes: politely, then firmly."""
        running, self._running = list(self._running.values()), {}
        for process in running:
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
        for process in running:
            try:
                await asyncio.wait_for(process.wait(), _STOP_S)
            except TimeoutError:
                process.kill()
                await process.wait()
