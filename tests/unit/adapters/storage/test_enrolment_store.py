"""Challenges of enrolment over the real database: anybody may ask for one, so their number is bounded."""

from __future__ import annotations

from pathlib import Path

import pytest

from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.identity import SqlEnrolmentStore
from lianzheng.errors import LianzhengError

END_MS = 1_000


async def test_open_challenges_are_bounded_and_expired_ones_make_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lianzheng.adapters.storage.identity.ENROLMENT_CHALLENGES_MAX", 3)
    database = Database(sqlite_url(tmp_path / "node.db"))
    await database.open()
    store = SqlEnrolmentStore(database)
    nonces = [bytes([number]) * 32 for number in range(5)]
    for nonce in nonces[:3]:
        await store.add_challenge(nonce, "did:lz:a:b", END_MS, 0)
    for now_ms in (0, END_MS):  # good to the last millisecond
        with pytest.raises(LianzhengError) as caught:
            await store.add_challenge(nonces[3], "did:lz:a:c", END_MS, now_ms)
        assert caught.value.code == "rate_limited"
    await store.take_challenge(nonces[0], "did:lz:a:b", END_MS)  # those that are open go on
    await store.add_challenge(nonces[3], "did:lz:a:c", 2 * END_MS, END_MS)
    await store.add_challenge(nonces[4], "did:lz:a:c", 2 * END_MS, END_MS + 1)
    for nonce in nonces[3:]:
        await store.take_challenge(nonce, "did:lz:a:c", END_MS + 1)
    with pytest.raises(LianzhengError) as caught:
        await store.take_challenge(nonces[1], "did:lz:a:b", END_MS)
    assert caught.value.code == "enrolment_nonce_unknown", "it was taken out with the other expired one"
    await database.close()
