"""From a member's rows to the table of one view under one fresh key, as work for any process (GATE-0, PIR-1).

A chunk of rows becomes records, ``entry tag (16) ‖ entry (16)`` for everybody who has an entry; the records of all
chunks become the table. Records are kept while a table is being built: they show no more than the table will, beside
the tags that order it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from lianzheng.compute.model import view_parts
from lianzheng.compute.protocols.hidden_query.entries import EntryContext, derive, seal_value
from lianzheng.compute.protocols.hidden_query.table import assemble
from lianzheng.compute.views.model import TableParameters
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.encoding.canonical import decode_object
from lianzheng.registry import band_of, view_value

__all__ = ["BuiltTable", "ChunkWork", "records_of", "table_of", "value_of"]


def value_of(view: str, amounts: Mapping[str, int]) -> bytes | None:
    """What the view says of a person with these amounts; None where it has no entry (PIR-1, B19)."""
    _, bundle, form = view_parts(view)
    return view_value(bundle, form, {code: band_of(code, amount) for code, amount in amounts.items()})


@dataclass(frozen=True, slots=True)
class ChunkWork:
    """Some rows under one key. It holds a view key, so it goes to workers of this node only and is never shown."""

    key: int = field(repr=False)
    context: EntryContext
    rows: Sequence[tuple[bytes, bytes]] = field(repr=False)
    """U, compressed, and the amounts as they are stored."""


@dataclass(frozen=True, slots=True, repr=False)
class BuiltTable:
    """A finished table and what the ledger is told of it."""

    wire: bytes
    columns_root: bytes
    boundaries: bytes
    parameters: TableParameters


def records_of(work: ChunkWork) -> bytes:
    """Tag and entry, under ``F = k·U``, of everybody in the chunk who has an entry."""
    records = []
    for element, amounts in work.rows:
        value = value_of(work.context.view, decode_object(amounts))
        if value is not None:
            tag, key = derive((G1.from_bytes(element) * work.key).to_bytes(), work.context)
            records += [tag, seal_value(key, value)]
    return b"".join(records)


def table_of(chunks: Sequence[bytes], retrieval: Literal["pir", "table"]) -> BuiltTable:
    """The table of all records. Raises ``ConflictError`` ``view_tag_collision``: the key is drawn again (B20)."""
    table = assemble(chunks)
    return BuiltTable(table.to_bytes(), table.columns_root(), table.boundaries_digest(), table.parameters(retrieval))
