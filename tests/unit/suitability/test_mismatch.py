"""The mismatch procedure: every gate of the state machine, and that no path goes round one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.errors import LianzhengError
from lianzheng.suitability import shipped
from lianzheng.suitability.matching import Match
from lianzheng.suitability.mismatch import Event, MismatchCase, Step, advance, open_case
from lianzheng.suitability.model import ProductRisk

HOUR = 3_600_000
POLICY = shipped.policies()[0]
DOC = bytes(32)


def match(risk: ProductRisk = "R4", *, lowest: bool = False, fits: bool = False) -> Match:
    return Match(
        product="STR-4", product_risk=risk, level="C1" if lowest else "C3", lowest_class=lowest, day="2026-07-01",
        failing=() if fits else ("risk",), reasons=(),
    )  # fmt: skip


def step(event: Event, at: int, operator: str = "clerk") -> Step:
    return Step(event=event, time_ms=at, operator=operator, document=DOC, reference="r1")


def start(risk: ProductRisk = "R4", age: int = 40, *, lowest: bool = False) -> MismatchCase:
    return open_case("c", "s", match(risk, lowest=lowest), age=age, policy=POLICY, unprompted=True, step=step("ask", 0))


def code_of(case: MismatchCase, next_step: Step) -> str:
    with pytest.raises(LianzhengError) as caught:
        advance(case, next_step)
    return caught.value.code


def declared(risk: ProductRisk, age: int) -> MismatchCase:
    case = start(risk, age)
    for event, at in (("show", 1), ("access", 2), ("warn", 3)):
        case = advance(case, step(event, at))  # type: ignore[arg-type]
    assert code_of(case, step("declare", 3 + 59_999)) == "reading_time_short"
    return advance(case, step("declare", 60_003))


def test_under_65_r4_needs_no_cooling() -> None:
    case = declared("R4", 64)
    assert (case.cooling_ms, case.needs_approval) == (0, False)
    case = advance(case, step("reconfirm", 60_003))
    case = advance(case, step("order", 60_004))
    assert code_of(case, step("order", 60_005)) == "event_out_of_order"
    assert code_of(case, step("withdraw", 60_005)) == "event_out_of_order"
    assert advance(case, step("visit", 60_006)).state == "visited"


@pytest.mark.parametrize(("risk", "age"), [("R5", 40), ("R3", 65)])
def test_r5_or_65_cools_for_24_hours(risk: ProductRisk, age: int) -> None:
    case = declared(risk, age)
    assert not case.needs_approval
    assert code_of(case, step("reconfirm", 60_002 + 24 * HOUR)) == "cooling_period"
    assert advance(case, step("reconfirm", 60_003 + 24 * HOUR)).state == "confirmed"


def test_65_and_r4_needs_a_second_person() -> None:
    case = declared("R4", 65)
    assert case.visit_days == 10
    late = 60_003 + 48 * HOUR
    assert code_of(case, step("reconfirm", late - 1)) == "cooling_period"
    assert code_of(case, step("reconfirm", late)) == "approval_missing"
    assert code_of(case, step("approve", late)) == "approval_same_person"
    unrecorded = Step(event="approve", time_ms=late, operator="manager")
    assert code_of(case, unrecorded) == "recording_missing"
    case = advance(case, step("approve", late, "manager"))
    assert code_of(case, step("approve", late, "another")) == "event_out_of_order"
    assert advance(case, step("reconfirm", late)).state == "confirmed"


def test_the_lowest_class_is_stopped() -> None:
    case = advance(start("R2", lowest=True), step("show", 1))
    assert case.state == "stopped"
    for event in ("access", "warn", "declare", "approve", "reconfirm", "order", "withdraw"):
        assert code_of(case, step(event, 2)) == "procedure_stopped"


def test_recommending_is_a_hard_block() -> None:
    with pytest.raises(LianzhengError) as caught:
        open_case("c", "s", match(), age=40, policy=POLICY, unprompted=False, step=step("ask", 0))
    assert caught.value.code == "recommendation_above_level"
    with pytest.raises(LianzhengError) as caught:
        open_case("c", "s", match(fits=True), age=40, policy=POLICY, unprompted=True, step=step("ask", 0))
    assert caught.value.code == "no_mismatch"


def test_documents_and_order_of_time() -> None:
    case = advance(advance(start(), step("show", 1)), step("access", 2))
    assert code_of(case, Step(event="warn", time_ms=3, operator="clerk")) == "document_missing"
    assert code_of(case, step("warn", 1)) == "event_out_of_order"


EVENTS: tuple[Event, ...] = ("show", "access", "warn", "declare", "approve", "reconfirm", "order", "visit", "withdraw")


@given(
    st.sampled_from(["R2", "R3", "R4", "R5"]),
    st.integers(18, 90),
    st.lists(st.tuples(st.sampled_from(EVENTS), st.sampled_from([0, 60_000, 24 * HOUR, 48 * HOUR]), st.booleans())),
)
def test_no_path_round_a_gate(risk: ProductRisk, age: int, tries: list[tuple[Event, int, bool]]) -> None:
    case, now = start(risk, age), 0
    for event, wait, manager in tries:
        now += wait
        try:
            case = advance(case, step(event, now, "manager" if manager else "clerk"))
        except LianzhengError:
            continue
    names = [entry.event for entry in case.history]
    if "order" not in names:
        return
    times = {entry.event: entry.time_ms for entry in case.history}
    order = [name for name in names if name != "approve"]
    assert order[:7] == ["ask", "show", "access", "warn", "declare", "reconfirm", "order"]
    assert times["declare"] - times["warn"] >= 60_000
    cooling = 48 if age >= 65 and risk in ("R4", "R5") else 24 if age >= 65 or risk == "R5" else 0
    assert times["reconfirm"] - times["declare"] >= cooling * HOUR
    assert ("approve" in names[: names.index("reconfirm")]) or not (age >= 65 and risk in ("R4", "R5"))
