"""Snapshots for state sync (LED-8), beside the database: they also spare a restart the replay of old blocks.

    <database>.snapshots/<height>/offer.json      JCS {manifest, signer_changes}: what a joining node checks first
    <database>.snapshots/<height>/000000 …        the chunks

Every node makes the same bytes at the same heights, so that chunks may be fetched from any of them. The changes of
signers are part of it because state sync does not bring old blocks back, and bundles need them (EV-4).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated

from pydantic import Field

from lianzheng.adapters.files import sync_folder
from lianzheng.encoding.model import Record, Seq
from lianzheng.errors import FormatError
from lianzheng.ledger.cometbft import CometHead
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest, chunk_digest
from lianzheng.limits import SIGNER_CHANGES_MAX, SNAPSHOT_CHUNK_BYTES, SNAPSHOT_OFFER_BYTES_MAX

__all__ = ["SnapshotFolder", "SnapshotOffer"]

_FILE = "offer.json"
_KEPT = 2
"""A joining node may still be fetching the last but one."""


class SnapshotOffer(Record):
    """What is offered."""

    manifest: SnapshotManifest
    signer_changes: Annotated[tuple[CometHead, ...], Seq, Field(max_length=SIGNER_CHANGES_MAX)]
    """Heads that name other validators for the next block, up to the snapshot's height."""


class SnapshotFolder:
    """The newest snapshots of one node, and one that is being fetched."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @classmethod
    def beside(cls, database: Path) -> SnapshotFolder:
        """The folder of the node whose ledger database this is."""
        return cls(database.with_name(database.name + ".snapshots"))

    def offers(self) -> list[SnapshotOffer]:
        """What is whole on disk, the newest last; damaged ones are left out."""
        found = []
        for height in self._heights():
            path = self._path(height) / _FILE
            try:
                found.append(SnapshotOffer.from_bytes(path.read_bytes(), SNAPSHOT_OFFER_BYTES_MAX))
            except (OSError, FormatError):
                continue
        return found

    def chunk(self, height: int, index: int) -> bytes:
        """One chunk, empty where there is none."""
        try:
            return (self._path(height) / f"{index:06d}").read_bytes()
        except OSError:
            return b""

    def chunks(self, offer: SnapshotOffer) -> Iterator[bytes]:
        """Its chunks in order, read one by one. Raises ``OSError``."""
        folder = self._path(offer.manifest.height)
        for index in range(len(offer.manifest.chunks)):
            with (folder / f"{index:06d}").open("rb") as file:
                yield file.read(SNAPSHOT_CHUNK_BYTES + 1)

    def write(self, snapshot: Snapshot, signer_changes: Sequence[CometHead]) -> None:
        """Make a snapshot durable, then remove the oldest; in a thread of its own. Raises ``OSError``."""
        partial = self._new("partial")
        digests = []
        for index, chunk in enumerate(snapshot.chunks()):
            _write(partial / f"{index:06d}", chunk)
            digests.append(chunk_digest(chunk))
        offer = SnapshotOffer(manifest=snapshot.manifest(digests), signer_changes=tuple(signer_changes))
        self._finish(partial, offer)

    def begin(self) -> None:
        """Make room for a snapshot that is fetched."""
        self._new("fetched")

    def keep_chunk(self, index: int, chunk: bytes) -> None:
        """One fetched chunk, which the caller has checked."""
        _write(self._folder / "fetched" / f"{index:06d}", chunk)

    def fetched_chunks(self, offer: SnapshotOffer) -> Iterator[bytes]:
        """The fetched chunks in order."""
        for index in range(len(offer.manifest.chunks)):
            yield (self._folder / "fetched" / f"{index:06d}").read_bytes()

    def keep(self, offer: SnapshotOffer) -> None:
        """The fetched snapshot is whole and its root was compared."""
        self._finish(self._folder / "fetched", offer)

    def _new(self, name: str) -> Path:
        path = self._folder / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        return path

    def _finish(self, partial: Path, offer: SnapshotOffer) -> None:
        _write(partial / _FILE, offer.to_bytes())
        sync_folder(partial)
        target = self._path(offer.manifest.height)
        shutil.rmtree(target, ignore_errors=True)
        partial.rename(target)
        sync_folder(self._folder)
        for height in self._heights()[:-_KEPT]:
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
