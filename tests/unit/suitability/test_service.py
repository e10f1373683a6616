"""Service on the real storage adapter: limits, evidence before effect, a mismatch case end to end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.suitability import SqlCustomerStore, SqlSuitabilityStore
from lianzheng.clock import DAY_MS, ManualClock
from lianzheng.encoding.canonical import decode_object
from lianzheng.errors import ConflictError, LianzhengError, NotFoundError, UnavailableError
from lianzheng.evidence.model import CaptureContext, Document, Promise
from lianzheng.flows.clients import ClientBook
from lianzheng.suitability.assessment import ProviderBands
from lianzheng.suitability.customers import CustomerRecord
from lianzheng.suitability.mismatch import Event
from lianzheng.suitability.model import BLOCKS, Profile, ProfileField
from lianzheng.suitability.service import SuitabilityService
from source_kit import keep_customers

MIDDLE = {
    "F1": "c", "F2": "c", "F3": "c", "F4": "c", "K1": "b", "K2": "d", "K3": "c", "E1": "c", "E2": "c",
    "E3": "b", "O1": "b", "O2": "c", "O3": "c", "R1": "b", "R2": "c", "R3": "b", "X1": "b", "X2": "b",
}  # fmt: skip
CAPTURE = CaptureContext(system="counter", software_version="1", channel="branch", local_time_ms=0)
FACTS = tuple(
    ProfileField(block=block, name="x", value="y", source="client", time_ms=1, verified_by=None, evidence=None)
    for block in BLOCKS
)
PROFILE = Profile(subject="c1", fields=FACTS)


class Ledger:
    """An evidence hook that keeps what it was given; ``down`` plays an evidence service that cannot store."""

    def __init__(self) -> None:
        self.acts: list[tuple[str, str, str, int, tuple[Document, ...]]] = []
        self.down = False

    async def record(
        self, case_id: str, scene: str, operator_role: str, context: CaptureContext, documents: Sequence[Document]
    ) -> Promise:
        if self.down:
            raise UnavailableError("evidence_unavailable", "down")
        self.acts.append((case_id, scene, operator_role, context.local_time_ms, tuple(documents)))
        return Promise.model_construct()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    found = Database(sqlite_url(tmp_path / "node.db"))
    await found.open()
    yield found
    await found.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(1_790_000_000_000)


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def service(database: Database, ledger: Ledger, clock: ManualClock) -> SuitabilityService:
    return SuitabilityService(SqlSuitabilityStore(database), ledger, clock, CAPTURE)


def customer(number: int) -> CustomerRecord:
    return CustomerRecord(
        idnorm=number.to_bytes(2, "big"), document_type="RESIDENT_ID", country="CN", number=str(number), name="张样本",
        birth_date="1980-05-20", opened_on="2020-01-01", financial_assets_yuan=number * 1000, leverage_percent=None,
        products_traded=("bonds", "shares"), counts={"I05": 1},
    )  # fmt: skip


async def test_tests_are_limited(service: SuitabilityService, clock: ManualClock, ledger: Ledger) -> None:
    for day in range(4):
        for name in ("morning", "evening"):
            await service.take_test(f"{name}{day}", "c1", MIDDLE)
        clock.advance(DAY_MS)
    assert len(ledger.acts) == 8
    with pytest.raises(LianzhengError) as caught:
        await service.take_test("t9", "c1", MIDDLE)
    assert caught.value.code == "tests_per_year"
    assert (await service.take_test("o1", "c2", MIDDLE)).level == "C3"
    await service.take_test("o2", "c2", MIDDLE)
    with pytest.raises(LianzhengError) as caught:
        await service.take_test("o3", "c2", MIDDLE)
    assert caught.value.code == "tests_per_day"


async def test_a_repeat_after_a_crash_is_the_same_test(service: SuitabilityService, ledger: Ledger) -> None:
    first = await service.take_test("t", "c1", MIDDLE)
    for _ in range(3):  # more than a day allows
        assert await service.take_test("t", "c1", MIDDLE) == first
    assert len(ledger.acts) == 1
    await service.take_test("t", "c1", MIDDLE | {"F1": "b"})
    assert len(ledger.acts) == 2


async def test_nothing_counts_without_evidence(service: SuitabilityService, ledger: Ledger) -> None:
    ledger.down = True
    for _ in range(3):
        with pytest.raises(UnavailableError):
            await service.take_test("t", "c1", MIDDLE)
    ledger.down = False
    await service.take_test("t", "c1", MIDDLE)


async def test_a_case_end_to_end(service: SuitabilityService, ledger: Ledger, clock: ManualClock) -> None:
    result = await service.take_test("case-1", "c1", MIDDLE)
    other = ProviderBands(provider="乙证券", status="answered", bands={"I01": 2, "I04": 1})
    assessment = await service.assess("case-1", "c1", result, customer(300), [other])
    assert (assessment.level, assessment.joint["I01"]) == ("C3", 2)
    match = await service.match("case-1", "c1", PROFILE, assessment, "STR-4")
    assert match.failing == ("risk",)
    await service.open_mismatch("case-1", "c1", match, birth_date="1980-05-20", unprompted=True, operator="clerk")
    warning = Document("warning.txt", "text/plain", "风险警示".encode())
    for event in ("show", "access"):
        await service.advance_mismatch("case-1", event, operator="clerk")
    await service.advance_mismatch("case-1", "warn", operator="clerk", documents=(warning,))
    clock.advance(60_000)
    steps: tuple[tuple[Event, str | None], ...] = (("declare", None), ("reconfirm", None), ("order", "order-1"))
    for event, reference in steps:
        case = await service.advance_mismatch(
            "case-1", event, operator="clerk", documents=(warning,), reference=reference
        )
    assert case.state == "ordered"
    assert await service.mismatch("case-1") == case
    scenes = [scene for _, scene, *_ in ledger.acts]
    assert scenes == ["suitability-test"] * 2 + ["business-handling"] + ["risk-confirmation"] * 6 + [
        "business-handling"
    ]
    last = ledger.acts[-1]
    assert last[3] == clock.now_ms()
    assert decode_object(last[4][0].data) == case.to_json()
    assert last[4][1] == warning
    retest = await service.take_test("case-2", "c1", MIDDLE)
    assert retest.reasons[-1].code == "retest-after-mismatch"


async def test_unknown_things(service: SuitabilityService) -> None:
    with pytest.raises(NotFoundError):
        await service.mismatch("none")
    result = await service.take_test("t", "c1", MIDDLE)
    assessment = await service.assess("t", "c1", result, None)
    assert assessment.local_only
    with pytest.raises(NotFoundError) as caught:
        await service.match("t", "c1", PROFILE, assessment, "XXX")
    assert caught.value.code == "product_unknown"
    with pytest.raises(LianzhengError) as refused:
        await service.match("t", "c1", Profile(subject="c1", fields=()), assessment, "STR-4")
    assert refused.value.code == "profile_incomplete"


async def test_customers_are_replaced_as_a_whole(database: Database) -> None:
    store, book = SqlCustomerStore(database), ClientBook(SqlCustomerStore(database), b"key")
    await keep_customers(database, book, "retail", [customer(1), customer(2)])
    await keep_customers(database, book, "other", [customer(1)])
    with pytest.raises(ConflictError):  # the same person twice
        await keep_customers(database, book, "retail", [customer(3), customer(3)])
    assert await store.customer("retail", customer(2).idnorm) == customer(2)
    assert await store.customer_named(book.reference_of(customer(3).idnorm)) is None, "nothing half-loaded is seen"
    await keep_customers(database, book, "retail", [customer(4)])
    assert await store.customer("retail", customer(4).idnorm) == customer(4)
    assert await store.datasets() == ["other", "retail"]
    assert await book.record(book.reference_of(customer(1).idnorm)) == customer(1), "of the other data set"
    assert await book.find_idnorm(book.reference_of(customer(2).idnorm)) is None
    with pytest.raises(NotFoundError):
        await store.customer("retail", customer(1).idnorm)
