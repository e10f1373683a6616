"""The transaction index: what it finds, that it is rebuilt, and that a restart leaves nothing out or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lianzheng.adapters.storage.explorer import SqliteTransactionIndex
from lianzheng.encoding.binary import b64u_decode, b64u_encode
from lianzheng.encoding.canonical import JsonObject
from lianzheng.flows.explorer import Explorer
from lianzheng.ledger.index import Place, TransactionFilter

KINDS = ("member.vote", "member.apply", "members", "task.propose")


def event(height: int, index: int, **changes: Any) -> JsonObject:
    tx_id = b64u_encode(height.to_bytes(16, "big") + index.to_bytes(16, "big"))
    plain: JsonObject = {
        "height": height,
        "index": index,
        "time_ms": 1_000 * height,
        "tx_id": tx_id,
        "kind": KINDS[(height + index) % 4],
        "sender": f"did:{index % 3}",
        "code": "ok" if (height + index) % 5 else "motion_over",
        "data": None,
        "events": [],
    }
    return plain | changes


def chain(heights: int, width: int = 3) -> list[JsonObject]:
    return [event(height, index) for height in range(1, heights + 1) for index in range(width)]


class Source:
    """An engine's events, ending with the last."""

    def __init__(self, events: list[JsonObject]) -> None:
        self._events = events

    async def events(self, from_height: int) -> AsyncIterator[JsonObject]:
        for one in self._events:
            if one["height"] >= from_height:
                yield one


async def indexed(path: Path, events: list[JsonObject]) -> SqliteTransactionIndex:
    index = SqliteTransactionIndex(path)
    await asyncio.wait_for(Explorer(index, Source(events)).run(), 30)
    return index


async def everything(index: SqliteTransactionIndex, wanted: TransactionFilter, limit: int) -> list[JsonObject]:
    found: list[JsonObject] = []
    before: Place | None = None
    while True:
        page, before = await index.search(wanted, before, limit)
        found += page
        assert len(page) <= limit
        if before is None:
            return found


@pytest.mark.parametrize(
    "wanted",
    [
        TransactionFilter(),
        TransactionFilter(kind="member.vote"),
        TransactionFilter(kind="member."),
        TransactionFilter(sender="did:1", code="ok"),
        TransactionFilter(code="motion_over"),
        TransactionFilter(from_ms=5_000, to_ms=9_000, kind="task.propose"),
        TransactionFilter(sender="nobody"),
    ],
)
async def test_pages_give_exactly_what_a_plain_reading_gives(tmp_path: Path, wanted: TransactionFilter) -> None:
    events = chain(20)
    index = await indexed(tmp_path / "x.db", events)
    expected = [
        one
        for one in reversed(events)
        if (
            wanted.kind is None or one["kind"] == wanted.kind or (wanted.kind == "member." and "member." in one["kind"])
        )
        and wanted.sender in (None, one["sender"])
        and wanted.code in (None, one["code"])
        and (wanted.from_ms is None or one["time_ms"] >= wanted.from_ms)
        and (wanted.to_ms is None or one["time_ms"] < wanted.to_ms)
    ]
    for limit in (1, 7, 200):
        assert await everything(index, wanted, limit) == expected
    await index.close()


async def test_a_restart_in_the_middle_of_a_block_leaves_nothing_out_and_nothing_twice(tmp_path: Path) -> None:
    events = chain(9)
    for cut in range(0, len(events), 4):
        path = tmp_path / f"{cut}.db"
        first = await indexed(path, events[:cut])
        await first.close()
        second = await indexed(path, events)
        assert await everything(second, TransactionFilter(), 50) == list(reversed(events))
        assert [(line.height, line.transactions) for line in await second.blocks(None, 100)] == [
            (height, 3) for height in range(9, 0, -1)
        ]
        await second.close()


async def test_a_damaged_index_is_built_anew(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    path.write_bytes(b"SQLite format 3\0" + b"\xff" * 4096)
    index = await indexed(path, chain(4))
    assert len(await everything(index, TransactionFilter(), 50)) == 12
    await index.close()


async def test_a_transaction_is_found_by_its_id_and_the_one_that_stood_comes_first(tmp_path: Path) -> None:
    refused, stood = event(3, 0, code="nonce_used"), event(5, 1, code="ok")
    refused["tx_id"] = stood["tx_id"]
    index = await indexed(tmp_path / "x.db", [event(1, 0), refused, stood])
    assert await index.get(b64u_decode(stood["tx_id"], 32)) == stood
    assert await index.get(b"\1" * 32) is None
    await index.close()


async def test_a_later_form_of_the_file_is_not_read_as_this_one(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "x.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE entries (other TEXT)")
        other.execute("PRAGMA user_version = 99")
    index = await indexed(path, chain(2))
    assert len(await everything(index, TransactionFilter(), 50)) == 6
    await index.close()


@settings(max_examples=30, deadline=None)
@given(kind=st.text(max_size=20), sender=st.text(max_size=20), code=st.text(max_size=20))
def test_no_text_of_a_filter_is_ever_read_as_a_query(kind: str, sender: str, code: str) -> None:
    import tempfile

    async def ask() -> int:
        with tempfile.TemporaryDirectory() as folder:
            index = await indexed(Path(folder) / "x.db", chain(2))
            found, _ = await index.search(TransactionFilter(kind, sender, code), None, 200)
            count = len(await everything(index, TransactionFilter(), 50))
            await index.close()
            assert len(found) <= count
            return count

    assert asyncio.run(ask()) == 6
