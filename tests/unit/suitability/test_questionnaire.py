"""Questionnaire: the shipped template and its reproducible score."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.encoding.canonical import encode
from lianzheng.errors import LianzhengError
from lianzheng.suitability import shipped
from lianzheng.suitability.model import rank
from lianzheng.suitability.questionnaire import Template, inconsistencies, score

TEMPLATE = shipped.template()
RULES = [rule.id for rule in TEMPLATE.rules]
BEST = {item.id: max(item.options, key=lambda option: option.score).id for item in TEMPLATE.items}
MIDDLE = {
    "F1": "c", "F2": "c", "F3": "c", "F4": "c", "K1": "b", "K2": "d", "K3": "c", "E1": "c", "E2": "c",
    "E3": "b", "O1": "b", "O2": "c", "O3": "c", "R1": "b", "R2": "c", "R3": "b", "X1": "b", "X2": "b",
}  # fmt: skip
ANSWERS = st.fixed_dictionaries(
    {item.id: st.sampled_from([option.id for option in item.options]) for item in TEMPLATE.items}
)


def test_template_is_well_formed() -> None:
    assert 15 <= len(TEMPLATE.items) <= 20
    assert len(TEMPLATE.sections) == 6
    sections = [section.id for section in TEMPLATE.sections]
    assert {item.section for item in TEMPLATE.items} == set(sections)
    options = {(item.id, option.id) for item in TEMPLATE.items for option in item.options}
    assert len({item.id for item in TEMPLATE.items}) == len(TEMPLATE.items)
    for rule in TEMPLATE.rules:
        for choice in (rule.first, rule.second):
            assert {(choice.item, option) for option in choice.options} <= options
    assert [band.level for band in TEMPLATE.bands] == ["C1", "C2", "C3", "C4", "C5"]
    assert TEMPLATE.bands[0].percent == 0


def test_digest_changes_with_any_change() -> None:
    changed = Template.from_json(TEMPLATE.to_json() | {"version": 2})
    assert changed.digest() != TEMPLATE.digest()
    assert Template.from_json(TEMPLATE.to_json()).digest() == TEMPLATE.digest()


def test_score_is_the_sum_by_hand() -> None:
    # F 2·2+3·2+2·2+2·2=18, K 2·1+2·4+2·2=14, E 2·3+2·2+1·2=12, O 2·2+2·2+2·3=14, R 3·1+4·2+3·1=14, X 1·4+2·2=8
    result = score(TEMPLATE, MIDDLE)
    assert result.points == 18 + 14 + 12 + 14 + 14 + 8
    # Weights sum to 39 with highest score 4, but E3 (weight 1) ends at 3: 155. 100·80/155 = 51.6
    assert (result.percent, result.level) == (51, "C3")
    assert (result.horizon, result.product_types, result.lowest_class) == ("medium", 3, False)
    assert result.states["I01"] == 2


def test_best_answers_give_c5() -> None:
    assert score(TEMPLATE, BEST, RULES).level == "C5"
    assert score(TEMPLATE, BEST, RULES).percent == 100


@pytest.mark.parametrize(("item", "option", "lowest"), [("R2", "a", True), ("X1", "a", True), ("F3", "a", False)])
def test_vetoes(item: str, option: str, lowest: bool) -> None:
    result = score(TEMPLATE, BEST | {item: option}, RULES)
    assert result.lowest_class is lowest
    assert result.level == ("C1" if lowest else "C2")


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        ({key: value for key, value in MIDDLE.items() if key != "R3"}, "answer_missing"),
        (MIDDLE | {"R3": "z"}, "answer_unknown"),
        (MIDDLE | {"Z9": "a"}, "answer_unknown"),
        (MIDDLE | {"E1": "a", "E2": "e"}, "option_disabled"),
        (MIDDLE | {"R2": "b", "O3": "d"}, "answers_inconsistent"),
    ],
)
def test_answers_that_are_refused(answers: dict[str, str], code: str) -> None:
    with pytest.raises(LianzhengError) as caught:
        score(TEMPLATE, answers)
    assert caught.value.code == code


def test_a_confirmed_warning_goes_on_record() -> None:
    result = score(TEMPLATE, MIDDLE | {"R2": "b", "O3": "d"}, ["no-loss-high-growth", "leverage-not-understood"])
    assert result.confirmed == ("no-loss-high-growth",)


@given(ANSWERS)
def test_scores_reproduce(answers: dict[str, str]) -> None:
    if any(rule.kind == "disable" for rule in inconsistencies(TEMPLATE, answers)):
        return
    first = score(TEMPLATE, answers, RULES)
    again = score(Template.from_json(TEMPLATE.to_json()), dict(reversed(answers.items())), RULES)
    assert encode(first.to_json()) == encode(again.to_json())
    assert first.lowest_class <= (rank(first.level) == 1)
