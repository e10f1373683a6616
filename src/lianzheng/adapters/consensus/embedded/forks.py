"""Two heads that the sequencer signed and that cannot both stand: kept on disk, across restarts, as proof (GATE-4)."""

from __future__ import annotations

import os
from pathlib import Path

from lianzheng.adapters.consensus.embedded.faults import ledger_forked
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
        """Durably write both heads."""
        if self._path.exists():
            return
        draft = self._path.with_name(self._path.name + ".part")
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(file, encode({"heads": [mine.to_json(), rival.to_json()]}))
            os.fsync(file)
        finally:
            os.close(file)
        draft.rename(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
