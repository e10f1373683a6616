"""Status lists over the real database: an index is one credential's for good, a flip is durable, whatever races."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.status import SqlStatusStore
from lianzheng.errors import LianzhengError
from lianzheng.identity.status.bitstring import get_status, new_list
from lianzheng.identity.status.ports import IssuedEntry

URL = "https://alpha.example/status-lists/revocation-0"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqlStatusStore]:
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()
    made = SqlStatusStore(database)
    await made.add_list("revocation-0", "revocation", URL, bytes(new_list()))
    yield made
    await database.close()


async def test_a_small_list_is_given_out_whole_and_nothing_twice(store: SqlStatusStore) -> None:
    taken = await asyncio.gather(*(store.take_index("revocation-0", f"urn:c:{number}", 16) for number in range(16)))
    assert sorted(taken) == list(range(16))
    assert await store.used("revocation-0") == 16
    with pytest.raises(LianzhengError) as caught:
        await store.take_index("revocation-0", "urn:c:16", 16)
    assert caught.value.code == "status_list_full"


async def test_indexes_do_not_follow_the_order_of_issue(store: SqlStatusStore) -> None:
    taken = [await store.take_index("revocation-0", f"urn:c:{number}", 131_072) for number in range(64)]
    # Even draws: that 64 of them rise from first to last has a chance of 1 / 64!.
    assert taken != sorted(taken)
    # That all lie in the lower half: 2^-64.
    assert max(taken) >= 65_536


async def test_entries_are_found_by_credential(store: SqlStatusStore) -> None:
    await store.add_list("suspension-0", "suspension", URL, bytes(new_list()))
    first = await store.take_index("revocation-0", "urn:c:1", 131_072)
    second = await store.take_index("suspension-0", "urn:c:1", 131_072)
    await store.take_index("revocation-0", "urn:c:2", 131_072)
    assert await store.entries_of("urn:c:1") == (
        IssuedEntry("urn:c:1", "revocation-0", first, "revocation"),
        IssuedEntry("urn:c:1", "suspension-0", second, "suspension"),
    )
    assert await store.entries_of("urn:c:3") == ()


async def test_flips_that_race_are_all_kept_and_a_repeat_is_none(store: SqlStatusStore) -> None:
    entries = [IssuedEntry(f"urn:c:{number}", "revocation-0", number * 7, "revocation") for number in range(40)]
    assert all(await asyncio.gather(*(store.flip(entry, True) for entry in entries)))
    stored = await store.load_list("revocation-0")
    assert [index for index in range(300) if get_status(stored.bits, index)] == [one.index for one in entries]
    assert stored.changes == 40
    assert await store.flip(entries[3], True) is False
    assert await store.flip(entries[3], False) is True
    assert (await store.load_list("revocation-0")).changes == 41


async def test_what_is_pending_becomes_published_once(store: SqlStatusStore) -> None:
    stored = await store.load_list("revocation-0")
    assert (stored.published, stored.pending, stored.url) == (None, None, URL)
    await store.promote("revocation-0")
    assert (await store.load_list("revocation-0")).published is None, "nothing was pending"
    await store.set_pending("revocation-0", b"one", 0)
    await store.promote("revocation-0")
    await store.set_pending("revocation-0", b"two", 5)
    stored = await store.load_list("revocation-0")
    assert (stored.published, stored.published_changes, stored.pending, stored.pending_changes) == (
        b"one",
        0,
        b"two",
        5,
    )
    await store.promote("revocation-0")
    await store.promote("revocation-0")
    stored = await store.load_list("revocation-0")
    assert (stored.published, stored.published_changes, stored.pending) == (b"two", 5, None)


async def test_the_newest_list_of_a_purpose_is_the_open_one(store: SqlStatusStore) -> None:
    await store.add_list("revocation-1", "revocation", URL, bytes(new_list()))
    await store.add_list("revocation-0", "revocation", "https://other.example", b"")  # there already: left alone
    found = await store.open_list("revocation")
    assert found is not None
    assert found.name == "revocation-1"
    assert (await store.load_list("revocation-0")).url == URL
    assert await store.open_list("suspension") is None
    assert await store.names() == ("revocation-0", "revocation-1")
    with pytest.raises(LianzhengError) as caught:
        await store.load_list("revocation-2")
    assert caught.value.code == "status_list_unknown"


async def test_a_credential_is_issued_once_and_survives_the_process(tmp_path: Path) -> None:
    path = sqlite_url(tmp_path / "kept.db")
    for code in ("ok", "credential_exists"):
        database = Database(path)
        await database.open()
        try:
            await SqlStatusStore(database).add_issued("urn:c:1", "KycCredential", "did:lz:x", b"d" * 32, 5)
            assert code == "ok"
        except LianzhengError as error:
            assert error.code == code
        await database.close()
