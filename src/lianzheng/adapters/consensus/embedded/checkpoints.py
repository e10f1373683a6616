"""Checkpoints on disk: a snapshot (LED-8) with the signed head that it stands under, written beside the database.

    <database>.checkpoints/<height>/checkpoint.json     JCS {manifest, head, signer_changes}
    <database>.checkpoints/<height>/000000 …            the chunks

A checkpoint needs no trust in the disk: its head is signed, and what it holds must have that head's application hash.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lianzheng.adapters.consensus.snapshot_files import SnapshotFiles
from lianzheng.encoding.model import Record, Seq
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest
from lianzheng.limits import CHECKPOINT_BYTES_MAX, SIGNER_CHANGES_MAX
from lianzheng.verify.light_client import verify_heads

__all__ = ["Checkpoint", "Checkpoints"]


class Checkpoint(Record):
    """What a checkpoint is of."""

    manifest: SnapshotManifest
    head: SignedHead
    signer_changes: Annotated[tuple[SignedHead, ...], Seq, Field(max_length=SIGNER_CHANGES_MAX)]

    def check(self, chain_id: str, signer: str) -> str:
        """Who signs after this head, if everything is signed from genesis' ``signer`` on and fits together.

        Raises ``VerificationError`` ``checkpoint_invalid`` or of ``verify_heads``.
        """
        head = self.head.head
        if (head.height, head.time_ms, head.app_hash) != (
            self.manifest.height,
            self.manifest.time_ms,
            self.manifest.app_hash,
        ):
            raise VerificationError("checkpoint_invalid", "A checkpoint's snapshot is not of the head beside it.")
        changes = self.signer_changes
        if changes and changes[-1] == self.head:
            changes = changes[:-1]
        verify_heads(chain_id, signer, changes, self.head)
        return head.next_signer


class Checkpoints(SnapshotFiles):
    """The newest checkpoint of one database; an older one goes when a newer one is durable."""

    description_name = "checkpoint.json"

    def newest(self) -> Checkpoint | None:
        """The newest one, or None. Raises ``FormatError`` where it is damaged, ``OSError``."""
        heights = self._heights()
        if not heights:
            return None
        path = self._path(heights[-1]) / self.description_name
        if not path.is_file() or path.stat().st_size > CHECKPOINT_BYTES_MAX:
            raise FormatError("checkpoint_invalid", "A checkpoint has no description, or one that is too long.")
        return Checkpoint.from_bytes(path.read_bytes(), CHECKPOINT_BYTES_MAX)

    def write(self, snapshot: Snapshot, head: SignedHead, signer_changes: tuple[SignedHead, ...]) -> None:
        """Make a checkpoint durable, then remove older ones; in a thread of its own. Raises ``OSError``."""
        self._make(snapshot, lambda made: Checkpoint(manifest=made, head=head, signer_changes=signer_changes))

    def _remove_older(self, height: int) -> None:
        for other in self._heights():
            if other != height:
                self._remove(other)
