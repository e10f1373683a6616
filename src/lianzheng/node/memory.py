"""Python's cycle collector, kept off the ledger's state.

A state of a million entries is some five million objects that live for as long as the node; walking over them takes
seconds in which nothing is answered, and finds nothing. What lives is therefore set aside (``gc.freeze``) after the
start and every minute: a collection then looks at a minute's objects. Once a day everything is looked at, so that
cycles which were set aside and died do not pile up.
"""

from __future__ import annotations

import gc

from lianzheng.clock import DAY_MS

__all__ = ["Heap"]

_YOUNG = 1
_THRESHOLDS = (10_000, 10, 1_000)
"""New objects before the youngest are looked at, and how many such looks before older ones are: as good as never for
the oldest, which :meth:`Heap.settle` sees to."""


class Heap:
    """Decides when the collector of this process looks at what; one for a process."""

    def __init__(self, now_ms: int) -> None:
        self._looked_ms = now_ms
        self._thresholds = gc.get_threshold()

    def load(self) -> None:
        """Until :meth:`settle`, objects are made that stay: nothing is collected."""
        gc.disable()
        gc.set_threshold(*_THRESHOLDS)

    def settle(self, now_ms: int) -> bool:
        """Set aside what lives now; whether everything was looked at before, as once a day."""
        whole = now_ms - self._looked_ms >= DAY_MS
        if whole:
            gc.unfreeze()
            gc.collect()
            self._looked_ms = now_ms
        else:
            gc.collect(_YOUNG)
        gc.freeze()
        gc.enable()
        return whole

    def close(self) -> None:
        """As before: for a process that goes on after its node."""
        gc.unfreeze()
        gc.set_threshold(*self._thresholds)
        gc.enable()
