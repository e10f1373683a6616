"""Snapshots for state sync (LED-8), beside the database: they also spare a restart the replay of old blocks.

    <database>.snapshots/<height>/offer.json      JCS {manifest, signer_changes}: what a joining node checks first
    <database>.snapshots/<height>/000000 …        the chunks

Every node makes the same bytes at the same heights, so that chunks may be fetched from any of them. The changes of
signers are part of it because state sync does not bring old blocks back, and bundles need them (EV-4).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lianzheng.adapters.consensus.snapshot_files import SnapshotFiles
from lianzheng.encoding.model import Record, Seq
from lianzheng.errors import FormatError
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest
from lianzheng.limits import SIGNER_CHANGES_MAX, SNAPSHOT_OFFER_BYTES_MAX

__all__ = ["SnapshotFolder", "SnapshotOffer"]

_KEPT = 2
"""A joining node may still be fetching the last but one."""


class SnapshotOffer(Record):
    """What is offered."""

    manifest: SnapshotManifest
    signer_changes: Annotated[tuple[CometHead, ...], Seq, Field(max_length=SIGNER_CHANGES_MAX)]
    """Heads that name other validators for the next block, up to the snapshot's height."""


class SnapshotFolder(SnapshotFiles):
    """The newest snapshots of one node, and one that is being fetched."""

    description_name = "offer.json"

    @classmethod
    def beside(cls, database: Path) -> SnapshotFolder:
        """The folder of the node whose ledger database this is."""
        return cls(database.with_name(database.name + ".snapshots"))

    def offers(self) -> list[SnapshotOffer]:
        """What is whole on disk, the newest last; damaged ones are left out."""
        found = []
        for height in self._heights():
            path = self._path(height) / self.description_name
            try:
                found.append(SnapshotOffer.from_bytes(path.read_bytes(), SNAPSHOT_OFFER_BYTES_MAX))
            except (OSError, FormatError):
                continue
        return found

    def write(self, snapshot: Snapshot, signer_changes: Sequence[CometHead]) -> None:
        """Make a snapshot durable, then remove the oldest; in a thread of its own. Raises ``OSError``."""
        self._make(snapshot, lambda made: SnapshotOffer(manifest=made, signer_changes=tuple(signer_changes)))

    def _remove_older(self, height: int) -> None:
        for older in self._heights()[:-_KEPT]:
            self._remove(older)
