"""State and log as an ordered dump in chunks, byte-identical on every node (LED-8).

Dump:   each log entry behind its length in 4 bytes, in order; then each JCS([key, value]), framed alike, in the order
        of the keys' UTF-8 bytes. Chunks: its consecutive 8 MiB, the last one shorter.
Digest: SHA-256(tag ``snapshot-chunk`` ‖ chunk); SHA-256(tag ``snapshot`` ‖ JCS(manifest)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.canonical import JsonObject, decode_hashed, encode
from lianzheng.encoding.framing import frame
from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, TimeMs
from lianzheng.errors import FormatError, VerificationError
from lianzheng.ids import ChainId
from lianzheng.limits import SNAPSHOT_CHUNK_BYTES, SNAPSHOT_CHUNKS_MAX

__all__ = ["Snapshot", "SnapshotEntry", "SnapshotManifest", "check_chunk", "chunk_digest", "read_snapshot"]

SnapshotEntry = tuple[str, JsonObject, bytes]
"""Key, value, and the bytes JCS([key, value]) that the dump has."""


class SnapshotManifest(Record):
    """What a snapshot holds. ``app_hash`` is to be compared with one that is trusted before anything is fetched."""

    model_config = ConfigDict(serialize_by_alias=True)

    v: Literal[1] = 1
    chain_id: ChainId
    height: Natural
    time_ms: TimeMs
    schema_version: Natural = Field(alias="schema")
    app_hash: Bytes32
    log_size: Natural
    entries: Natural
    """State entries."""
    chunks: Annotated[tuple[Bytes32, ...], Seq, Field(max_length=SNAPSHOT_CHUNKS_MAX)]
    """Digest of each chunk."""

    def digest(self) -> bytes:
        """32 bytes naming the snapshot."""
        return sha256("snapshot", self.to_bytes())


@dataclass(frozen=True, slots=True)
class Snapshot:
    """References to everything at one height; nobody changes what it refers to."""

    chain_id: str
    height: int
    time_ms: int
    schema: int
    app_hash: bytes
    log: Sequence[bytes]
    state: Mapping[str, JsonObject]

    def chunks(self, chunk_bytes: int = SNAPSHOT_CHUNK_BYTES) -> Iterator[bytes]:
        """The dump, cut; the sorting and encoding is done here, as the chunks are asked for."""
        buffer = bytearray()
        for entry in self._entries():
            buffer += frame(entry)
            while len(buffer) >= chunk_bytes:
                yield bytes(buffer[:chunk_bytes])
                del buffer[:chunk_bytes]
        if buffer:
            yield bytes(buffer)

    def manifest(self, digests: Iterable[bytes]) -> SnapshotManifest:
        """The manifest over the :func:`chunk_digest` of each chunk."""
        return SnapshotManifest(
            chain_id=self.chain_id,
            height=self.height,
            time_ms=self.time_ms,
            schema=self.schema,
            app_hash=self.app_hash,
            log_size=len(self.log),
            entries=len(self.state),
            chunks=tuple(digests),
        )

    def _entries(self) -> Iterator[bytes]:
        yield from self.log
        for key in sorted(self.state):  # code-point order, which is the order of UTF-8 bytes
            yield encode([key, self.state[key]])


def chunk_digest(chunk: bytes) -> bytes:
    """32 bytes naming a chunk."""
    return sha256("snapshot-chunk", chunk)


def check_chunk(manifest: SnapshotManifest, index: int, chunk: bytes) -> None:
    """Return only if this is chunk ``index``. Raises ``VerificationError`` ``snapshot_chunk_invalid`` naming it."""
    if not 0 <= index < len(manifest.chunks) or chunk_digest(chunk) != manifest.chunks[index]:
        raise VerificationError(
            "snapshot_chunk_invalid",
            f"Chunk {index} of the snapshot at height {manifest.height} is not the one that its manifest names.",
            next_step="Fetch this chunk from another node.",
        )


def read_snapshot(manifest: SnapshotManifest, chunks: Iterable[bytes]) -> tuple[list[bytes], list[SnapshotEntry]]:
    """Log entries and state entries of a dump, each chunk checked; the caller compares the root.

    Raises ``VerificationError`` ``snapshot_chunk_invalid``; ``FormatError`` ``snapshot_invalid``.
    """
    log: list[bytes] = []
    state: list[SnapshotEntry] = []
    for data in _unframed(manifest, chunks):
        if len(log) < manifest.log_size:
            log.append(data)
            continue
        match decode_hashed(data):
            case [str() as key, dict() as value] if not state or state[-1][0] < key:
                state.append((key, value, data))
            case _:
                raise FormatError("snapshot_invalid", "A snapshot's entries are malformed or out of order.")
    if len(log) != manifest.log_size or len(state) != manifest.entries:
        raise FormatError("snapshot_invalid", "A snapshot does not hold as many entries as its manifest says.")
    return log, state


def _unframed(manifest: SnapshotManifest, chunks: Iterable[bytes]) -> Iterator[bytes]:
    rest, seen = b"", 0
    for index, chunk in enumerate(chunks):
        check_chunk(manifest, index, chunk)
        seen += 1
        data, position = rest + chunk, 0
        while (start := position + 4) <= len(data):
            end = start + int.from_bytes(data[position:start], "big")
            if end - start > SNAPSHOT_CHUNK_BYTES:
                raise FormatError("snapshot_invalid", "A snapshot holds an entry larger than a chunk.")
            if end > len(data):
                break
            yield data[start:end]
            position = end
        rest = data[position:]
    if rest or seen != len(manifest.chunks):
        raise FormatError("snapshot_invalid", "A snapshot ends inside an entry, or chunks are missing.")
