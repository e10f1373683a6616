"""Ports that a test keeps for itself until its process ends.

A port that the kernel hands out for port 0 lies in the range of outgoing connections: by the time a node listens on
it, any of the hundred connections of a network beside it may have taken it. These lie below that range, and a lock on
a file keeps other test processes (xdist's workers, a fault matrix) away from a port that nothing listens on yet.
"""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from random import Random

__all__ = ["free_ports"]

_FIRST, _END = 10_000, 32_000  # Linux gives outgoing connections 32,768 and up
_BLOCK = 10  # one file a block: a member of a network takes ten
_held: list[int] = []  # open files: closed, and so unlocked, only when the process ends


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` ports in a row that nothing listens on and nobody else of the tests is given."""
    blocks = -(-count // _BLOCK)
    picker = Random()
    for _ in range(10_000):
        first = picker.randrange(_FIRST, _END - blocks * _BLOCK, _BLOCK)
        ports = list(range(first, first + count))
        if _lock(range(first, first + blocks * _BLOCK, _BLOCK)) and _silent(host, ports):
            return ports
    raise AssertionError("no free ports below the range of outgoing connections")


def _lock(blocks: range) -> bool:
    folder = Path(tempfile.gettempdir()) / f"lianzheng-test-ports-{os.getuid()}"
    folder.mkdir(exist_ok=True)
    taken: list[int] = []
    for block in blocks:
        taken.append(os.open(folder / str(block), os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600))
        try:
            fcntl.flock(taken[-1], fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            for one in taken:
                os.close(one)
            return False
    _held.extend(taken)
    return True


def _silent(host: str, ports: list[int]) -> bool:
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind((host, port))
            except OSError:
                return False
    return True
