"""Checkpoints on disk: a snapshot (LED-8) with the signed head that it stands under, written beside the database.

    <database>.checkpoints/<height>/checkpoint.json     JCS {manifest, head, signer_changes}
    <database>.checkpoints/<height>/000000 …            the chunks

A checkpoint needs no trust in the disk: its head is signed, and what it holds must have that head's application hash.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lianzheng.adapters.files import sync_folder
from lianzheng.encoding.model import Record, Seq
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest, chunk_digest
from lianzheng.limits import CHECKPOINT_BYTES_MAX, SIGNER_CHANGES_MAX, SNAPSHOT_CHUNK_BYTES
from lianzheng.verify.light_client import verify_heads

__all__ = ["Checkpoint", "Checkpoints"]

_FILE = "checkpoint.json"


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


class Checkpoints:
    """The newest checkpoint of one database; an older one goes when a newer one is durable."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def newest(self) -> Checkpoint | None:
        """The newest one, or None. Raises ``FormatError`` where it is damaged, ``OSError``."""
        heights = self._heights()
        if not heights:
            return None
        path = self._path(heights[-1]) / _FILE
        if not path.is_file() or path.stat().st_size > CHECKPOINT_BYTES_MAX:
            raise FormatError("checkpoint_invalid", "A checkpoint has no description, or one that is too long.")
        return Checkpoint.from_bytes(path.read_bytes(), CHECKPOINT_BYTES_MAX)

    def chunks(self, checkpoint: Checkpoint) -> Iterator[bytes]:
        """Its chunks in order, read one by one. Raises ``OSError``."""
        folder = self._path(checkpoint.manifest.height)
        for index in range(len(checkpoint.manifest.chunks)):
            with (folder / f"{index:06d}").open("rb") as file:
                yield file.read(SNAPSHOT_CHUNK_BYTES + 1)

    def chunk(self, height: int, index: int) -> bytes | None:
        """One chunk for another node, or None where there is none (any more)."""
        try:
            return (self._path(height) / f"{index:06d}").read_bytes()
        except OSError:
            return None

    def begin(self) -> None:
        """Make room for one that is fetched. Raises ``OSError``."""
        shutil.rmtree(self._fetched, ignore_errors=True)
        self._fetched.mkdir(parents=True)

    def keep_chunk(self, index: int, chunk: bytes) -> None:
        """One fetched chunk, which the caller has checked. Raises ``OSError``."""
        _write(self._fetched / f"{index:06d}", chunk)

    def fetched_chunks(self, checkpoint: Checkpoint) -> Iterator[bytes]:
        """The fetched chunks in order. Raises ``OSError``."""
        for index in range(len(checkpoint.manifest.chunks)):
            yield (self._fetched / f"{index:06d}").read_bytes()

    def keep(self, checkpoint: Checkpoint) -> None:
        """The fetched one is whole and was taken over: from now on it is this node's own. Raises ``OSError``."""
        self._finish(self._fetched, checkpoint)

    @property
    def _fetched(self) -> Path:
        return self._folder / "fetched"

    def write(self, snapshot: Snapshot, head: SignedHead, signer_changes: tuple[SignedHead, ...]) -> None:
        """Make a checkpoint durable, then remove older ones; in a thread of its own. Raises ``OSError``."""
        partial = self._folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        digests = []
        for index, chunk in enumerate(snapshot.chunks()):
            _write(partial / f"{index:06d}", chunk)
            digests.append(chunk_digest(chunk))
        manifest = snapshot.manifest(digests)
        record = Checkpoint(manifest=manifest, head=head, signer_changes=signer_changes)
        self._finish(partial, record)

    def _finish(self, partial: Path, record: Checkpoint) -> None:
        _write(partial / _FILE, record.to_bytes())
        sync_folder(partial)
        older, own = self._heights(), record.manifest.height
        target = self._path(own)
        if own in older:  # one that could not be used
            shutil.rmtree(target)
        partial.rename(target)
        sync_folder(self._folder)
        for height in older:
            if height != own:
                shutil.rmtree(self._path(height), ignore_errors=True)

    def _heights(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdecimal())

    def _path(self, height: int) -> Path:
        return self._folder / f"{height:012d}"


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
