"""Retrieval ``pir`` between a provider's epoch and a requester: right, bound to the ledger, silent (PIR-2, PIR-5)."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from compute_kit import BETA, CHAIN, DAY_MS, START_MS, Provider, make_provider, offer, sample_people
from lianzheng.compute.gate.model import ViewEpoch
from lianzheng.compute.protocols.hidden_query.pir import ANSWERS_PATH, BOUNDARIES_PATH, HINT_PATH, PirClient
from lianzheng.compute.protocols.hidden_query.retrieval import RetrievalClient, advise
from lianzheng.compute.views.build import value_of
from lianzheng.compute.views.model import epoch_record
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.errors import FormatError, NotFoundError, RefusedError, UnavailableError, VerificationError
from lianzheng.identity.idnorm import identity_element
from lianzheng.limits import MESSAGE_BYTES_MAX
from lianzheng.registry import read_view_value

VIEW = "beta-clients/wealth/bands"
UNTIL = START_MS + 30 * DAY_MS
FIRST = ViewEpoch(view=VIEW, epoch=1)


class Cache:
    """``TableCache`` in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, int], bytes] = {}

    async def get(self, view: str, epoch: int) -> bytes | None:
        return self.kept.get((view, epoch))

    async def put(self, view: str, epoch: int, table: bytes, until_ms: int) -> None:
        self.kept[(view, epoch)] = table

    async def forget(self, before_ms: int) -> None:
        self.kept.clear()


class Wire:
    """``Transport`` to one provider; notes what the provider sees and can change what it says."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.seen: list[tuple[str, int]] = []
        self.vectors: list[bytes] = []
        self.change: dict[str, Callable[[bytes], bytes]] = {}

    async def post_bytes(self, did: str, path: str, body: bytes, size_max: int = MESSAGE_BYTES_MAX) -> bytes:
        assert did == BETA
        assert path == ANSWERS_PATH.format(view=VIEW, epoch=1)
        self.vectors.append(body)
        self.seen.append(("answers", len(body)))
        answer = await self.provider.views.served.answer(VIEW, 1, body)
        return self.change.get("answers", bytes)(answer)

    async def get_bytes(self, did: str, path: str) -> bytes:
        assert did == BETA
        if path == BOUNDARIES_PATH.format(view=VIEW, epoch=1):
            name, data = "boundaries", await self.provider.views.served.boundaries(VIEW, 1)
        else:
            assert path == HINT_PATH.format(view=VIEW, epoch=1)
            name, data = "hint", await self.provider.views.served.hint(VIEW, 1)
        self.seen.append((name, 0))
        return self.change.get(name, bytes)(data)


async def opened(folder: Path, count: int = 40) -> Provider:
    provider = await make_provider(folder)
    await provider.loading.publish(offer(retrieval="pir"))
    await provider.loading.load("beta-clients", "2026-09-01", sample_people(count))
    await provider.views.open_epoch(VIEW, UNTIL)
    return provider


def client(provider: Provider, wire: Wire, cache: Cache | None = None) -> PirClient:
    return PirClient(CHAIN, wire, cache or Cache(), lambda: provider.ledger.state)


def element(provider: Provider, serial: int) -> G1:
    key = provider.views.keys.get(VIEW, 1)
    assert key is not None
    return identity_element(sample_people(serial + 1)[serial].idnorm) * key.scalar


async def test_every_person_is_found_and_nobody_else(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    wire, state = Wire(provider), provider.ledger.state
    reader = RetrievalClient(CHAIN, wire, Cache(), lambda: state)
    for serial, row in enumerate(sample_people(40)):
        bands = await reader.bands(FIRST, element(provider, serial))
        assert bands == read_view_value("wealth", "bands", value_of(VIEW, row.amounts))
    assert set((await reader.bands(FIRST, element(provider, 99))).values()) == {0}


async def test_present_and_absent_look_the_same_to_the_provider(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    wire = Wire(provider)
    reader = client(provider, wire)
    for serial in (1, 99, 1):
        await reader.bands(FIRST, element(provider, serial))
    size = 4 * epoch_record(provider.ledger.state, VIEW, 1).parameters.columns
    assert wire.seen == [("boundaries", 0), ("hint", 0), *[("answers", size)] * 3]
    assert len(set(wire.vectors)) == 3
    assert not reader.bad_answers


async def test_b22_b23_digests_on_the_ledger_are_those_of_the_specification(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    record = epoch_record(provider.ledger.state, VIEW, 1)

    def framed(purpose: bytes, *parts: bytes) -> bytes:
        return b"lianzheng/v1/" + purpose + b"\0" + b"".join(len(part).to_bytes(4, "big") + part for part in parts)

    hint = await provider.views.served.hint(VIEW, 1)
    assert record.hint == hashlib.sha256(framed(b"view-hint", hint)).digest()
    boundaries = await provider.views.served.boundaries(VIEW, 1)
    assert record.boundaries == hashlib.sha256(framed(b"view-boundaries", boundaries)).digest()

    seed = framed(
        b"view-matrix", CHAIN.encode(), BETA.encode(), VIEW.encode(), (1).to_bytes(8, "big"), record.columns_root
    )
    data = await provider.epochs.table(VIEW, 1)
    assert data is not None
    split, length = 16 * record.parameters.columns, 16 * record.parameters.entries // record.parameters.columns
    stream = hashlib.shake_128(seed).digest(4 * 1536 * record.parameters.columns)
    total = 0  # the first word of the hint: first byte of every column, first word of A for every column
    for column in range(record.parameters.columns):
        byte = int.from_bytes(data[split + column * length : split + column * length + 1], "little", signed=True)
        total += byte * int.from_bytes(stream[4 * 1536 * column : 4 * 1536 * column + 4], "little")
    assert hint[:2] == (((total + 2**15) >> 16) % 2**16).to_bytes(2, "little")


@pytest.mark.parametrize(
    ("what", "code"), [("boundaries", "table_boundaries"), ("hint", "table_hint"), ("short", "table_hint")]
)
async def test_what_is_not_on_the_ledger_is_refused_and_not_kept(tmp_path: Path, what: str, code: str) -> None:
    provider = await opened(tmp_path)
    wire, cache = Wire(provider), Cache()
    if what == "short":
        wire.change["hint"] = lambda data: data[:-2]
    else:
        wire.change[what] = lambda data: data[:-1] + bytes([data[-1] ^ 1])
    with pytest.raises(VerificationError, match=code):
        await client(provider, wire, cache).bands(FIRST, element(provider, 1))
    assert not cache.kept
    assert not wire.vectors


async def test_boundaries_and_hint_are_downloaded_once_an_epoch(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    wire, cache = Wire(provider), Cache()
    await client(provider, wire, cache).bands(FIRST, element(provider, 1))
    del wire.seen[:]
    await client(provider, wire, cache).bands(FIRST, element(provider, 2))
    assert [name for name, _ in wire.seen] == ["answers"]


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda data: b""])
async def test_pir_5_a_wrong_length_is_nobody_and_noted_here(tmp_path: Path, change: Callable[[bytes], bytes]) -> None:
    provider = await opened(tmp_path)
    wire = Wire(provider)
    wire.change["answers"] = change
    reader = client(provider, wire)
    assert set((await reader.bands(FIRST, element(provider, 3))).values()) == {0}
    assert len(wire.vectors) == 1
    assert reader.bad_answers[FIRST] == 1


async def test_pir_5_too_long_and_false_answers_are_nobody(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    wire = Wire(provider)
    reader = client(provider, wire)
    wire.change["answers"] = lambda data: bytes(byte ^ 0xFF for byte in data)
    assert set((await reader.bands(FIRST, element(provider, 3))).values()) == {0}

    def too_long(_: bytes) -> bytes:
        raise FormatError("answer_too_large", "…")

    wire.change["answers"] = too_long
    assert set((await reader.bands(FIRST, element(provider, 3))).values()) == {0}
    assert len(wire.vectors) == 2


async def test_a_provider_that_is_away_or_refuses_is_said_to(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    wire = Wire(provider)
    reader = client(provider, wire)
    for error in (UnavailableError("peer_unreachable", "…"), FormatError("lwe_vector", "…")):

        def fail(_: bytes, error: Exception = error) -> bytes:
            raise error

        wire.change["answers"] = fail
        with pytest.raises(type(error)):
            await reader.bands(FIRST, element(provider, 3))


async def test_one_way_of_reading_a_table(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    with pytest.raises(RefusedError, match="retrieval_mismatch"):
        await provider.views.table(VIEW, 1)
    with pytest.raises(FormatError, match="lwe_vector"):
        await provider.views.served.answer(VIEW, 1, bytes(8))
    for epoch in (2, 7):
        with pytest.raises(NotFoundError, match="epoch_unknown"):
            await provider.views.served.hint(VIEW, epoch)
    await provider.loading.publish(offer(retrieval="table"))
    await provider.views.open_epoch(VIEW, UNTIL)
    assert await provider.views.table(VIEW, 2)
    for ask in (provider.views.served.hint, provider.views.served.boundaries):
        with pytest.raises(RefusedError, match="retrieval_mismatch"):
            await ask(VIEW, 2)
        assert await ask(VIEW, 1)


async def test_restarted_provider_serves_the_same_hint(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    before = await provider.views.served.hint(VIEW, 1)
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    assert await restarted.views.served.hint(VIEW, 1) == before


async def test_an_unpublished_epoch_is_carried_on_with_its_hint(tmp_path: Path) -> None:
    provider = await make_provider(tmp_path)
    await provider.loading.publish(offer(retrieval="pir"))
    await provider.loading.load("beta-clients", "2026-09-01", sample_people(40))
    provider.sender.fail["epoch.publish"] = UnavailableError("ledger_unavailable", "away")
    with pytest.raises(UnavailableError):
        await provider.views.open_epoch(VIEW, UNTIL)
    with pytest.raises(NotFoundError, match="epoch_unknown"):
        await provider.views.served.hint(VIEW, 1)
    await provider.database.close()
    restarted = await make_provider(tmp_path, provider.ledger)
    await restarted.views.resume()
    reader = client(restarted, Wire(restarted))
    assert (await reader.bands(FIRST, element(restarted, 39)))["I01"] > 0


async def test_erased_epochs_answer_nothing(tmp_path: Path) -> None:
    provider = await opened(tmp_path)
    await provider.views.served.hint(VIEW, 1)
    provider.ledger.clock.advance(60 * DAY_MS)
    assert await provider.views.expire() == [(VIEW, 1)]
    for ask in (provider.views.served.hint, provider.views.served.boundaries):
        with pytest.raises(NotFoundError, match="epoch_unknown"):
            await ask(VIEW, 1)


def test_numpy_is_loaded_only_where_it_is_used() -> None:
    """A node whose tables are all downloaded whole starts without numpy and numba."""
    code = "import sys, lianzheng.node.run; sys.exit(bool(sys.modules.keys() & {'numpy', 'numba'}))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("people", "lookups", "cheaper"),
    [(1_000_000, 1, "pir"), (1_000_000, 284, "pir"), (1_000_000, 285, "table"), (100_000, 1, "table")],
)
def test_advice_names_the_cheaper_way(people: int, lookups: int, cheaper: str) -> None:
    """Bytes by hand: 1,048,576 entries in 8,192 columns of 2,048 bytes; 106,496 in 2,048 columns of 832."""
    found = advise(people, lookups)
    assert found.cheaper == cheaper
    if people == 1_000_000:
        assert (found.table_bytes, found.pir_once_bytes, found.pir_lookup_bytes) == (16_908_288, 6_422_528, 36_864)
        assert found.pir_lookups_max == 284
    else:
        assert found.pir_lookups_max == 0
