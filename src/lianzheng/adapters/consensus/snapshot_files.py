"""Snapshots on disk (LED-8): a folder for each height, with the chunks numbered in it and one file that describes them.

<folder>/<height>/<description>     JCS, with the manifest in it; written last
<folder>/<height>/000000 …          the chunks
<folder>/partial, fetched           in the making; under a height only once it is whole and durable
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import ClassVar, Protocol

from lianzheng.adapters.files import sync_folder, write_flushed
from lianzheng.ledger.snapshot import Snapshot, SnapshotManifest, chunk_digest
from lianzheng.limits import SNAPSHOT_CHUNK_BYTES

__all__ = ["SnapshotDescription", "SnapshotFiles"]


class SnapshotDescription(Protocol):
    """What lies beside the chunks."""

    @property
    def manifest(self) -> SnapshotManifest:
        """Which chunks belong to it."""
        ...

    def to_bytes(self) -> bytes:
        """Its file."""
        ...


class SnapshotFiles:
    """The newest snapshots of one node, and one that is being fetched. Every method may raise ``OSError``."""

    description_name: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def chunk(self, height: int, index: int) -> bytes | None:
        """One chunk for another node, or None where there is none (any more)."""
        try:
            return (self._path(height) / _name(index)).read_bytes()
        except OSError:
            return None

    def chunks(self, description: SnapshotDescription) -> Iterator[bytes]:
        """Its chunks in order, read one by one, each to one byte above its bound."""
        folder = self._path(description.manifest.height)
        for index in range(len(description.manifest.chunks)):
            with (folder / _name(index)).open("rb") as file:
                yield file.read(SNAPSHOT_CHUNK_BYTES + 1)

    def begin(self) -> None:
        """Make room for one that is fetched."""
        _emptied(self._fetched)

    def keep_chunk(self, index: int, chunk: bytes) -> None:
        """One fetched chunk, which the caller has checked."""
        write_flushed(self._fetched / _name(index), chunk)

    def fetched_chunks(self, description: SnapshotDescription) -> Iterator[bytes]:
        """The fetched chunks in order."""
        for index in range(len(description.manifest.chunks)):
            yield (self._fetched / _name(index)).read_bytes()

    def keep(self, description: SnapshotDescription) -> None:
        """The fetched one is whole and was taken over: from now on it is this node's own."""
        self._finish(self._fetched, description)

    def _make(self, snapshot: Snapshot, describe: Callable[[SnapshotManifest], SnapshotDescription]) -> None:
        """Make a snapshot durable; in a thread of its own."""
        partial = self._folder / "partial"
        _emptied(partial)
        digests = []
        for index, chunk in enumerate(snapshot.chunks()):
            write_flushed(partial / _name(index), chunk)
            digests.append(chunk_digest(chunk))
        self._finish(partial, describe(snapshot.manifest(digests)))

    def _finish(self, partial: Path, description: SnapshotDescription) -> None:
        write_flushed(partial / self.description_name, description.to_bytes())
        sync_folder(partial)
        height = description.manifest.height
        self._remove(height)  # one that could not be used
        partial.rename(self._path(height))
        sync_folder(self._folder)
        self._remove_older(height)

    def _remove_older(self, height: int) -> None:
        """Remove what the snapshot of ``height``, durable now, makes superfluous."""
        raise NotImplementedError

    def _remove(self, height: int) -> None:
        shutil.rmtree(self._path(height), ignore_errors=True)

    @property
    def _fetched(self) -> Path:
        return self._folder / "fetched"

    def _heights(self) -> list[int]:
        if not self._folder.is_dir():
            return []
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdecimal())

    def _path(self, height: int) -> Path:
        return self._folder / f"{height:012d}"


def _name(index: int) -> str:
    return f"{index:06d}"


def _emptied(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
