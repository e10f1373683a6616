"""Two heads that the sequencer signed and that cannot both stand: kept on disk, across restarts, as proof (GATE-4)."""

from __future__ import annotations

import contextlib
from pathlib import Path

from lianzheng.adapters.consensus.faults import ledger_forked
from lianzheng.adapters.files import replace_file
from lianzheng.encoding.canonical import encode
from lianzheng.ledger.block import SignedHead

__all__ = ["ForkProof"]


class ForkProof:
    """A file of canonical JSON ``{"heads": [mine, rival]}``; the first proof is never overwritten."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def check(self) -> None:
        """Raise ``UnavailableError`` ``ledger_forked`` where proof of a fork lies."""
        if self._path.exists():
            raise ledger_forked(0)

    def keep(self, mine: SignedHead, rival: SignedHead) -> None:
        """Durably write both heads. A full disk must not hide the fork: the caller stops in any case."""
        if self._path.exists():
            return
        with contextlib.suppress(OSError):
            replace_file(self._path, encode({"heads": [mine.to_json(), rival.to_json()]}))
