"""A table under construction: finished chunks outlive a cancel and a crash, and no key outlives its reason."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from compute_kit import CHAIN, DAY_MS, START_MS, Provider, make_provider, offer, sample_people
from lianzheng.adapters.keystore.sealed_file import SealedFileKeyStore
from lianzheng.compute.protocols.hidden_query.entries import EntryContext
from lianzheng.compute.protocols.hidden_query.table import Table, lookup
from lianzheng.compute.views import builder
from lianzheng.compute.views.build import value_of
from lianzheng.compute.views.model import epoch_record
from lianzheng.crypto.hazmat.bls12381 import G1, scalar_to_bytes
from lianzheng.errors import ConflictError, NotFoundError
from lianzheng.identity.idnorm import identity_element

VIEW = "beta-clients/wealth/bands"
UNTIL = START_MS + 30 * DAY_MS
COUNT = 100


class StoppedError(Exception):
    """Stands for a crash: raised from within the build."""


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(builder, "_CHUNK", 20)


async def loaded(folder: Path, count: int = COUNT) -> Provider:
    provider = await make_provider(folder)
    await provider.loading.publish(offer())
    await provider.loading.load("beta-clients", "2026-09-01", sample_people(count))
    return provider


def files(folder: Path) -> tuple[list[bytes], list[str]]:
    """Contents and names of all files."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return [path.read_bytes() for path in paths], [path.name for path in paths]


async def stopped_at(provider: Provider, people: int) -> None:
    """A build that ends in a crash when ``people`` are finished."""

    def report(done: int, total: int) -> None:
        if done == people:
            raise StoppedError

    with pytest.raises(StoppedError):
        await provider.views.open_epoch(VIEW, UNTIL, report)


async def check_whole(provider: Provider, number: int = 1, count: int = COUNT) -> None:
    """Everybody is found under the key of the epoch, and nobody else."""
    record = epoch_record(provider.ledger.state, VIEW, number)
    table = Table.from_bytes(await provider.views.table(VIEW, number), record)
    key = provider.views.keys.get(VIEW, number)
    assert key is not None
    context = EntryContext.of(CHAIN, record)
    for row in sample_people(count):
        assert lookup(identity_element(row.idnorm) * key.scalar, table, context) == value_of(VIEW, row.amounts)
    stranger = identity_element(sample_people(count + 1)[count].idnorm)
    assert lookup(stranger * key.scalar, table, context) is None
    assert await provider.builds.all() == []
    assert await provider.builds.chunks(VIEW) == []


async def test_after_a_crash_finished_chunks_are_not_made_again(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await stopped_at(provider, 60)
    chunks = await provider.builds.chunks(VIEW)
    assert len(chunks) == 3
    names = provider.keystore.names()
    assert len(names) == 1
    await provider.database.close()

    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    assert restarted.keystore.names() == names
    told: list[tuple[int, int]] = []
    epoch = await restarted.views.open_epoch(VIEW, UNTIL, lambda done, total: told.append((done, total)))
    assert told == [(60, 100), (80, 100), (100, 100)]
    assert epoch.key_name == names[0]
    entries = (await restarted.views.table(VIEW, 1))[16 * epoch.commit.parameters.columns :]
    pieces = {entries[start : start + 16] for start in range(0, len(entries), 16)}
    for chunk in chunks:  # the same entries, not others of the same people
        assert {chunk[start + 16 : start + 32] for start in range(0, len(chunk), 32)} <= pieces
    await check_whole(restarted)


@pytest.mark.parametrize("people", [0, 100])
async def test_a_crash_before_the_first_chunk_and_after_the_last(tmp_path: Path, people: int) -> None:
    provider = await loaded(tmp_path)
    await stopped_at(provider, people)
    names = provider.keystore.names()
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    assert (await restarted.views.open_epoch(VIEW, UNTIL)).key_name == names[0]
    await check_whole(restarted)


async def test_a_cancelled_build_is_carried_on(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    task: asyncio.Task[object]

    def report(done: int, total: int) -> None:
        if done == 40:
            task.cancel()

    task = asyncio.ensure_future(provider.views.open_epoch(VIEW, UNTIL, report))
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await provider.builds.position(VIEW))[1] >= 40
    assert await provider.epochs.all() == []
    told: list[int] = []
    await provider.views.open_epoch(VIEW, UNTIL, lambda done, total: told.append(done))
    assert told[0] >= 40
    await check_whole(provider)


async def test_another_load_starts_anew_under_another_key(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await stopped_at(provider, 60)
    names = provider.keystore.names()
    await provider.loading.load("beta-clients", "2026-09-02", sample_people(80))
    told: list[int] = []
    epoch = await provider.views.open_epoch(VIEW, UNTIL, lambda done, total: told.append(done))
    assert told[0] == 0
    assert provider.keystore.names() == [epoch.key_name] != names
    await check_whole(provider, count=80)


@pytest.mark.parametrize("change", ["software", "key"])
async def test_other_software_or_a_lost_key_starts_anew(
    tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = await loaded(tmp_path)
    await stopped_at(provider, 60)
    names = provider.keystore.names()
    if change == "software":
        monkeypatch.setattr(builder, "__version__", "9.9.9")
    else:
        provider.keystore.erase(names[0])
    epoch = await provider.views.open_epoch(VIEW, UNTIL)
    assert provider.keystore.names() == [epoch.key_name] != names
    await check_whole(provider)


async def test_a_load_that_comes_during_the_build_refuses_it_and_erases_the_key(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    loads: list[asyncio.Task[object]] = []

    def report(done: int, total: int) -> None:
        if done == 40:
            again = provider.loading.load("beta-clients", "2026-09-02", sample_people(COUNT))
            loads.append(asyncio.ensure_future(again))

    build = asyncio.ensure_future(provider.views.open_epoch(VIEW, UNTIL, report))
    (done,) = await asyncio.gather(build, return_exceptions=True)
    await asyncio.gather(*loads)
    if isinstance(done, BaseException):  # either the build was finished first, or it is refused whole
        assert isinstance(done, ConflictError)
        assert done.code == "dataset_changed"
        assert provider.keystore.names() == []
        assert await provider.builds.all() == []
    await provider.views.open_epoch(VIEW, UNTIL)
    assert await provider.builds.all() == []


async def test_gate_8_after_a_restore_no_build_goes_on(tmp_path: Path) -> None:
    """The key of a build in a backup may have answered since the backup was made."""
    provider = await loaded(tmp_path)
    await stopped_at(provider, 60)
    await provider.views.end_all()
    assert provider.keystore.names() == []
    assert await provider.builds.all() == []


async def test_a_build_over_a_load_that_is_gone_is_erased_in_time(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await stopped_at(provider, 60)
    await provider.views.expire()
    assert len(provider.keystore.names()) == 1
    await provider.loading.load("beta-clients", "2026-09-02", sample_people(80))
    await provider.views.expire()
    assert provider.keystore.names() == []
    assert await provider.builds.all() == []


async def test_a_crash_between_keeping_the_epoch_and_forgetting_the_build_keeps_the_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = await loaded(tmp_path)

    async def crash(view: str) -> None:
        raise StoppedError

    with monkeypatch.context() as patch:
        patch.setattr(provider.builds, "drop", crash)
        with pytest.raises(StoppedError):
            await provider.views.open_epoch(VIEW, UNTIL)
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    second = await restarted.views.open_epoch(VIEW, UNTIL)
    assert second.commit.epoch == 2
    first = await restarted.epochs.get(VIEW, 1)
    assert first is not None
    assert restarted.keystore.names() == sorted([first.key_name, second.key_name])
    assert restarted.views.keys.get(VIEW, 1) is not None
    await check_whole(restarted, 2)


async def test_the_old_epoch_answers_while_the_next_is_built(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    await provider.views.open_epoch(VIEW, UNTIL)
    before = provider.views.keys.get(VIEW, 1)
    seen: list[bool] = []

    def report(done: int, total: int) -> None:
        seen.append(provider.views.keys.get(VIEW, 1) is before and provider.views.keys.get(VIEW, 2) is None)

    await provider.views.open_epoch(VIEW, UNTIL, report)
    assert seen == [True] * 6
    assert provider.views.keys.get(VIEW, 1) is before
    assert provider.views.keys.get(VIEW, 2) is not None


async def test_gate_0_an_erased_key_is_in_no_file_of_the_key_store(tmp_path: Path) -> None:
    provider = await loaded(tmp_path)
    epoch = await provider.views.open_epoch(VIEW, UNTIL)
    scalar = provider.keystore.get_scalar(epoch.key_name)
    assert G1.generator() * scalar == G1.from_bytes(epoch.commit.key_point)
    provider.ledger.clock.advance(30 * DAY_MS + 14 * DAY_MS)
    assert await provider.views.expire() == [(VIEW, 1)]
    for store in (provider.keystore, SealedFileKeyStore.open(tmp_path / "keys", b"a passphrase")):
        assert epoch.key_name not in store.names()
        with pytest.raises(NotFoundError, match="key_unknown"):
            store.get_scalar(epoch.key_name)
        assert scalar_to_bytes(scalar) not in {entry.value for entry in store._read().values()}
    held, names = files(tmp_path)
    assert all(scalar_to_bytes(scalar) not in data for data in held)  # nor an older version, nor in the database
    assert [name for name in names if name.startswith("keys") and not name.endswith(".lock")] == ["keys"]
    assert await provider.epochs.table(VIEW, 1) is None


async def test_many_people_are_worked_on_by_processes_and_the_loop_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lianzheng.compute.views.workers._LOCAL_MAX", 10)
    provider = await loaded(tmp_path)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticker = asyncio.ensure_future(tick())
    await provider.views.open_epoch(VIEW, UNTIL)
    ticker.cancel()
    assert ticks > 100
    await check_whole(provider)
