"""How a worker process of a node begins, whatever it works on."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from multiprocessing.connection import wait

__all__ = ["begin_worker"]


def begin_worker(nice: int = 0) -> None:
    """First act of a worker: leave Ctrl-C to the node, end when the node has ended in whatever way, step back.

    ``nice`` is how far it steps back behind the node's other work.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.nice(nice)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    # A worker also holds the writing end of its own queue, so a killed node would leave it waiting for ever.
    wait([sentinel])
    os._exit(1)
