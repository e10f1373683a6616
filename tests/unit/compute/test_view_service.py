"""The life of an epoch at its provider, over real storage: build, publish, crash and resume, end, erase."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from compute_kit import CHAIN, DAY_MS, START_MS, Provider, make_provider, offer, sample_people
from lianzheng.compute.ports import PersonRow
from lianzheng.compute.protocols.hidden_query.entries import EntryContext
from lianzheng.compute.protocols.hidden_query.table import Table, lookup
from lianzheng.compute.views.build import value_of
from lianzheng.compute.views.model import epoch_record
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import ConflictError, FormatError, NotFoundError, RefusedError, UnavailableError
from lianzheng.identity.idnorm import identity_element
from lianzheng.ledger.state import MemoryState

VIEW = "beta-clients/wealth/bands"
UNTIL = START_MS + 30 * DAY_MS


async def loaded(folder: Path, count: int = 40) -> Provider:
    provider = await make_provider(folder)
    await provider.loading.publish(offer())
    await provider.loading.load("beta-clients", "2026-09-01", sample_people(count))
    return provider


async def test_pir_1_every_person_is_found_by_the_key_and_by_nothing_else(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    epoch = await provider.views.open_epoch(VIEW, UNTIL)
    assert (epoch.status, epoch.commit.epoch) == ("published", 1)
    key = provider.views.keys.get(VIEW, 1)
    assert key is not None
    assert key.point == G1.generator() * key.scalar
    record = epoch_record(provider.ledger.state, VIEW, 1)
    table = Table.from_bytes(await provider.views.table(VIEW, 1), record)
    context = EntryContext.of(CHAIN, record)
    for row in sample_people(40):
        element = identity_element(row.idnorm)
        assert lookup(element * key.scalar, table, context) == value_of(VIEW, row.amounts)
        assert lookup(element * (key.scalar - 1), table, context) is None


async def test_loading_is_all_or_nothing(tmp_path: Path) -> None:
    provider = await loaded(tmp_path, 700)
    people = sample_people(701)

    def broken() -> Iterator[PersonRow]:
        yield from people
        raise FormatError("source_refused", "row 703")

    with pytest.raises(FormatError, match="source_refused"):
        await provider.loading.load("beta-clients", "2026-09-02", broken())
    with pytest.raises(ConflictError, match="person_duplicate"):
        await provider.loading.load("beta-clients", "2026-09-02", [*people, people[0]])
    with pytest.raises(FormatError, match="indicator_unknown"):
        await provider.loading.load("beta-clients", "2026-09-02", [PersonRow(people[0].idnorm, {"I10": 1})])
    now = await provider.datasets.current("beta-clients")
    assert now is not None
    assert (now.people, now.as_of) == (700, "2026-09-01")
    assert await provider.loading.amounts_of("beta-clients", people[700].idnorm) is None
    assert await provider.datasets.elements([people[700].idnorm]) == {}

    again = await provider.loading.load("beta-clients", "2026-09-02", people[1:])
    assert again.people == 700
    assert await provider.loading.amounts_of("beta-clients", people[0].idnorm) is None
    assert await provider.loading.amounts_of("beta-clients", people[700].idnorm) == people[700].amounts


async def test_a_crash_while_loading_leaves_nothing(tmp_path: Path) -> None:
    provider = await make_provider(tmp_path)
    snapshot = await provider.datasets.begin_load("beta-clients", "2026-09-01")
    await provider.datasets.abandon_unfinished()
    with pytest.raises(NotFoundError, match="snapshot_unknown"):
        await provider.datasets.finish_load(snapshot, 1)
    assert await provider.datasets.current("beta-clients") is None


async def test_gate_0_rotation_draws_a_fresh_key_and_salt(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    first = await provider.views.open_epoch(VIEW, UNTIL)
    second = await provider.views.open_epoch(VIEW, UNTIL)
    assert second.commit.epoch == 2
    assert first.commit.key_point != second.commit.key_point
    assert first.commit.salt != second.commit.salt
    assert await provider.views.table(VIEW, 1) != await provider.views.table(VIEW, 2)


async def test_refused_by_the_ledger_leaves_no_key_and_no_epoch(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    with pytest.raises(RefusedError, match="view_unknown"):
        await provider.views.open_epoch("beta-clients/level/bands", UNTIL)
    with pytest.raises(NotFoundError, match="dataset_empty"):
        await provider.views.open_epoch("gamma-clients/wealth/bands", UNTIL)
    assert provider.keystore.names() == []
    assert await provider.epochs.all() == []


@pytest.mark.parametrize("kind", ["epoch.commit", "epoch.publish"])
async def test_an_engine_that_is_away_is_caught_up_with_after_a_restart(tmp_path: Path, kind: str) -> None:
    provider = await loaded(tmp_path)
    provider.sender.fail[kind] = UnavailableError("ledger_unavailable", "away")
    with pytest.raises(UnavailableError):
        await provider.views.open_epoch(VIEW, UNTIL)
    provider.keystore.put_scalar("view-key/stray", 5)
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    assert restarted.views.keys.get(VIEW, 1) is not None
    assert epoch_record(provider.ledger.state, VIEW, 1).status == "published"
    assert len(restarted.keystore.names()) == 1
    assert (await restarted.views.open_epoch(VIEW, UNTIL)).commit.epoch == 2


async def test_a_crash_after_the_ledger_accepted_is_mended(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    epoch = await provider.views.open_epoch(VIEW, UNTIL)
    await provider.epochs.set_status(VIEW, 1, "built")
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    assert restarted.sender.sent == []
    key = restarted.views.keys.get(VIEW, 1)
    assert key is not None
    assert key.point.to_bytes() == epoch.commit.key_point


async def test_gate_8_after_a_restore_every_open_epoch_ends(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await provider.views.open_epoch(VIEW, UNTIL)
    assert await provider.views.end_all() == [(VIEW, 1)]
    assert provider.views.keys.get(VIEW, 1) is None
    await provider.views.resume()
    assert provider.views.keys.get(VIEW, 1) is None


async def test_a_database_older_than_the_ledger_takes_the_next_number(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await provider.views.open_epoch(VIEW, UNTIL)
    await provider.epochs.drop(VIEW, 1)
    assert (await provider.views.open_epoch(VIEW, UNTIL)).commit.epoch == 2


async def test_a_published_epoch_without_its_key_is_over(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    epoch = await provider.views.open_epoch(VIEW, UNTIL)
    provider.keystore.erase(epoch.key_name)
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    found = await restarted.epochs.get(VIEW, 1)
    assert found is not None
    assert found.status == "ended"


async def test_gate_0_keys_answer_within_their_times_and_are_erased_after_the_dispute_window(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await provider.views.open_epoch(VIEW, UNTIL)
    clock = provider.ledger.clock
    clock.advance(-1)
    assert provider.views.keys.get(VIEW, 1) is None
    clock.advance(30 * DAY_MS)
    assert provider.views.keys.get(VIEW, 1) is not None
    clock.advance(1)
    assert provider.views.keys.get(VIEW, 1) is None
    assert await provider.views.expire() == []
    clock.advance(14 * DAY_MS - 1)
    assert await provider.views.expire() == []
    assert len(provider.keystore.names()) == 1
    assert await provider.views.table(VIEW, 1)
    clock.advance(1)
    assert await provider.views.expire() == [(VIEW, 1)]
    assert provider.keystore.names() == []
    with pytest.raises(NotFoundError, match="epoch_unknown"):
        await provider.views.table(VIEW, 1)
    assert await provider.views.expire() == []


async def test_a_node_behind_the_ledger_keeps_an_epoch_that_was_published(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the ledger took the publication; restarted before the follower has seen that block."""
    provider = await loaded(tmp_path)
    provider.sender.fail["epoch.publish"] = UnavailableError("ledger_unavailable", "away")
    with pytest.raises(UnavailableError):
        await provider.views.open_epoch(VIEW, UNTIL)
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    views = [MemoryState()]  # what the node sees first; then what the ledger has
    await restarted.views.resume()
    await restarted.epochs.set_status(VIEW, 1, "committed")
    monkeypatch.setattr(restarted.views, "_state", lambda: views.pop() if views else provider.ledger.state)
    await restarted.views.resume()
    assert [epoch.status for epoch in await restarted.epochs.all()] == ["published"]
    assert restarted.views.keys.get(VIEW, 1) is not None
