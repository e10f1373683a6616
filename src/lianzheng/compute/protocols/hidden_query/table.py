"""The immutable table of one (view, epoch): building, wire form, check against the ledger, lookup (PIR-1..5).

Wire form, retrieval ``table``: ``boundaries ‖ columns``, 16·M and 16·entries bytes, nothing else. Sizes, root and
digest stand in the epoch's ledger record, so there is no header and no byte that is not checked.
"""

from __future__ import annotations

import secrets
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

from lianzheng.compute.protocols.hidden_query.entries import (
    ENTRY_BYTES,
    TAG_BYTES,
    EntryContext,
    derive,
    open_entries,
    seal_value,
)
from lianzheng.compute.views.model import EpochRecord, TableParameters
from lianzheng.compute.views.size import table_shape
from lianzheng.crypto.digest import sha256
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import ConflictError, VerificationError
from lianzheng.ledger.merkle import MerkleTree

__all__ = ["Table", "assemble", "build_table", "column_number", "lookup", "read_boundaries", "split_columns"]

_FIRST = bytes(TAG_BYTES)
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """Boundaries and columns. Column c holds the tags from boundary c up to, not including, boundary c + 1 (B20)."""

    boundaries: tuple[bytes, ...]
    columns: tuple[bytes, ...]

    def parameters(self, retrieval: Literal["pir", "table"]) -> TableParameters:
        """Public shape, and how it is read."""
        entries = sum(len(column) for column in self.columns) // ENTRY_BYTES
        return TableParameters(retrieval=retrieval, entries=entries, columns=len(self.columns))

    def columns_root(self) -> bytes:
        """RFC 9162 root over the columns' bytes in order (B22)."""
        tree = MerkleTree("sha256")
        tree.extend(self.columns)
        return tree.root()

    def boundaries_digest(self) -> bytes:
        """Digest over the concatenated boundaries (B22)."""
        return _digest(b"".join(self.boundaries))

    def to_bytes(self) -> bytes:
        """Wire form."""
        return b"".join(self.boundaries) + b"".join(self.columns)

    @classmethod
    def from_bytes(cls, data: bytes, record: EpochRecord) -> Table:
        """The table that the provider is bound to on the ledger, and no other.

        Raises ``VerificationError``: ``table_length``, ``table_boundaries``, ``table_columns``.
        """
        shape = record.parameters
        if len(data) != TAG_BYTES * shape.columns + ENTRY_BYTES * shape.entries:
            raise VerificationError("table_length", "The table has another length than the ledger says.")
        split = TAG_BYTES * shape.columns
        table = cls(read_boundaries(data[:split], record), split_columns(data[split:], shape))
        if table.columns_root() != record.columns_root:
            raise VerificationError("table_columns", "The table's columns are not those of the ledger.")
        return table

    def column_of(self, tag: bytes) -> bytes:
        """The column in which ``tag`` would lie."""
        return self.columns[column_number(self.boundaries, tag)]


def read_boundaries(data: bytes, record: EpochRecord) -> tuple[bytes, ...]:
    """The boundaries that the ledger has the digest of (B20, B22).

    Raises ``VerificationError``: ``table_length``, ``table_boundaries``.
    """
    if len(data) != TAG_BYTES * record.parameters.columns:
        raise VerificationError("table_length", "There are more or fewer boundaries than the ledger says.")
    if _digest(data) != record.boundaries:
        raise VerificationError("table_boundaries", "The table's boundaries are not those of the ledger.")
    boundaries = _pieces(data, TAG_BYTES)
    if boundaries[0] != _FIRST or any(left >= right for left, right in pairwise(boundaries)):
        raise VerificationError("table_boundaries", "The table's boundaries are not ascending from zero.")
    return boundaries


def split_columns(data: bytes, shape: TableParameters) -> tuple[bytes, ...]:
    """The columns of a table of this shape from their bytes in order."""
    return _pieces(data, ENTRY_BYTES * shape.entries // shape.columns)


def column_number(boundaries: Sequence[bytes], tag: bytes) -> int:
    """The last column whose boundary is not above ``tag`` (B20)."""
    return bisect_right(boundaries, tag) - 1


def build_table(
    people: Iterable[tuple[bytes, bytes]], context: EntryContext, random: Random = secrets.token_bytes
) -> Table:
    """The table of ``people``: pairs of F, compressed, and value (PIR-1). As :func:`assemble`."""
    found = ((derive(f, context), value) for f, value in people)
    return assemble([b"".join(tag + seal_value(key, value) for (tag, key), value in found)], random)


def assemble(chunks: Iterable[bytes], random: Random = secrets.token_bytes) -> Table:
    """The table of records, each a tag and its entry.

    Dummies with random tags and entries fill it up to the size class; where two tags are equal the dummy is drawn
    again. Raises ``ConflictError`` ``view_tag_collision`` where two people's tags are equal (the key is drawn again).
    """
    # One bytes object a record: a million of them take 75 MB, a fraction of what tags and entries in a dict would.
    records = sorted(record for chunk in chunks for record in _pieces(chunk, TAG_BYTES + ENTRY_BYTES))
    if any(left[:TAG_BYTES] == right[:TAG_BYTES] for left, right in pairwise(records)):
        raise ConflictError("view_tag_collision", "Two entries of a table have one tag.")
    size, count = table_shape(len(records))
    records = sorted([*records, *_dummies(records, size - len(records), random)])
    rows = size // count
    boundaries = (_FIRST, *(records[start][:TAG_BYTES] for start in range(rows, size, rows)))
    columns = (
        b"".join([record[TAG_BYTES:] for record in records[start : start + rows]]) for start in range(0, size, rows)
    )
    return Table(boundaries, tuple(columns))


def _dummies(records: Sequence[bytes], count: int, random: Random) -> list[bytes]:
    """Records of nobody, whose tags nobody has; ``records`` are in order."""
    drawn: dict[bytes, bytes] = {}
    while len(drawn) < count:
        tag, entry = random(TAG_BYTES), random(ENTRY_BYTES)
        at = bisect_left(records, tag)
        if at == len(records) or not records[at].startswith(tag):
            drawn.setdefault(tag, entry)
    return [tag + entry for tag, entry in drawn.items()]


def lookup(f: G1, table: Table, context: EntryContext) -> bytes | None:
    """The value of the person whose element is ``f``; None where there is none or it does not check (PIR-5)."""
    tag, key = derive(f.to_bytes(), context)
    return open_entries(key, table.column_of(tag), context.view)


def _digest(boundaries: bytes) -> bytes:
    return sha256("view-boundaries", boundaries)


def _pieces(data: bytes, size: int) -> tuple[bytes, ...]:
    return tuple(data[start : start + size] for start in range(0, len(data), size))
