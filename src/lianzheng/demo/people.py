"""Synthetic people with real households' money: seeded, split over brokers, the truth known.

Invented by rule: names, identity numbers (area 99xxxx, which no real person has), days of birth that
fit the survey's ages, accounts, conduct. From the survey: age, sex, financial assets. The survey's
ages end at 64, so everybody of 65 and over is made up: such a person has another household's money.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from lianzheng.adapters.sources.fields import COLUMNS
from lianzheng.demo.survey import Household
from lianzheng.errors import ConfigError
from lianzheng.identity.idnorm import make_sample_number
from lianzheng.suitability.customers import PRODUCT_TYPES, age_on

__all__ = ["YUAN_PER_DOLLAR", "YUAN_PER_DOLLAR_OTHER", "Account", "Person", "broker_csv", "make_people"]

YUAN_PER_DOLLAR = 16
"""Stated factor: a 1991 dollar is about 2.3 of 2024's, at about 7 yuan each. A choice for the demo, not a statistic."""

YUAN_PER_DOLLAR_OTHER = 5
"""Sensitivity: about the exchange rate of 1991 without any inflation."""

_ACCOUNTS = (1, 2, 2, 2, 3, 3)  # how many brokers one person has: a third have three, a sixth one
_ELDERLY_EVERY = 20
_SURNAMES = "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦尤许何吕施张孔曹严华金魏陶姜"


@dataclass(frozen=True, slots=True)
class Account:
    """What one broker knows of a person."""

    broker: int
    dollars: int
    opened_on: str
    leverage_percent: int
    products: tuple[str, ...]
    margin_calls: int
    worst_loss_percent: int
    concentration_percent: int
    turnover_percent: int


@dataclass(frozen=True, slots=True)
class Person:
    """A synthetic person. ``dollars`` is the truth over all brokers; 0 where net assets are negative."""

    serial: int
    name: str
    number: str
    birth_date: str
    dollars: int
    negative: bool
    made_up: bool
    accounts: tuple[Account, ...]

    def brokers(self) -> tuple[int, ...]:
        """Brokers whose customer this person is, in order."""
        return tuple(account.broker for account in self.accounts)

    def at(self, broker: int) -> Account | None:
        """What ``broker`` knows, or None."""
        return next((account for account in self.accounts if account.broker == broker), None)


def make_people(
    survey: Sequence[Household], count: int, *, seed: int, day: str, brokers: int = 3
) -> tuple[Person, ...]:
    """``count`` people, the same for the same arguments; one in twenty is made up to be 65 to 85 years old.

    Raises ``ConfigError`` ``people_out_of_range``.
    """
    if not 1 <= count <= len(survey):
        raise ConfigError("people_out_of_range", f"The number of people must be from 1 to {len(survey)}.")
    rng = Random(seed)  # seeded on purpose: the demo must be repeatable, nothing here is secret
    households = rng.sample(survey, count)
    return tuple(_person(rng, serial, home, day, brokers) for serial, home in enumerate(households, start=1))


def broker_csv(people: Sequence[Person], broker: int, *, yuan_per_dollar: int = YUAN_PER_DOLLAR) -> bytes:
    """The file that ``broker`` loads through the source adapter: its own customers, its own part of their money."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for person in people:
        account = person.at(broker)
        if account is not None:
            writer.writerow(_row(person, account, yuan_per_dollar))
    return out.getvalue().encode()


def _row(person: Person, account: Account, yuan_per_dollar: int) -> tuple[object, ...]:
    return (
        "RESIDENT_ID",
        "CN",
        person.number,
        person.name,
        person.birth_date,
        account.opened_on,
        account.dollars * yuan_per_dollar,
        account.leverage_percent,
        "+".join(account.products),
        account.margin_calls,
        account.worst_loss_percent,
        account.concentration_percent,
        account.turnover_percent,
        0,
    )


def _person(rng: Random, serial: int, home: Household, day: str, brokers: int) -> Person:
    made_up = serial % _ELDERLY_EVERY == 0
    age = rng.randint(65, 85) if made_up else home.age
    birth_date = _birth_date(rng, age, day)
    dollars = max(home.assets_dollars, 0)
    chosen = sorted(rng.sample(range(brokers), min(rng.choice(_ACCOUNTS), brokers)))
    negative = home.assets_dollars < 0
    # A debt stands at one broker; the others cannot see it, which is what I04 is asked for.
    indebted = rng.choice(chosen) if negative else None
    parts = _split(rng, dollars, len(chosen))
    return Person(
        serial=serial,
        name=f"{rng.choice(_SURNAMES)}样本{serial:04d}",
        number=make_sample_number(serial, birth_date, "male" if home.male else "female"),
        birth_date=birth_date,
        dollars=dollars,
        negative=negative,
        made_up=made_up,
        accounts=tuple(
            _account(rng, broker, part, home, age, day, broker == indebted)
            for broker, part in zip(chosen, parts, strict=True)
        ),
    )


def _split(rng: Random, dollars: int, parts: int) -> tuple[int, ...]:
    """Whole dollars in ``parts`` random shares, none of them everything unless there is one part or next to nothing."""
    weights = [rng.randint(15, 85) for _ in range(parts)]
    shares = [dollars * weight // sum(weights) for weight in weights]
    shares[0] += dollars - sum(shares)
    return tuple(shares)


def _birth_date(rng: Random, age: int, day: str) -> str:
    today = date.fromisoformat(day)
    born = date(today.year - age, 1, 1) - timedelta(days=rng.randint(0, 364))
    while age_on(born.isoformat(), day) > age:
        born += timedelta(days=rng.randint(1, 200))
    while age_on(born.isoformat(), day) < age:
        born -= timedelta(days=1)
    return born.isoformat()


def _account(rng: Random, broker: int, dollars: int, home: Household, age: int, day: str, indebted: bool) -> Account:
    months = rng.randint(1, min((age - 18) * 12, 180))
    types = 1 + home.retirement_account + (dollars > 5_000) + (rng.random() < 0.2) + (rng.random() < 0.1)
    margin = types >= 4
    leverage = rng.randint(100, 200) if indebted else rng.randint(1, 80) if margin else 0
    return Account(
        broker=broker,
        dollars=dollars,
        opened_on=(date.fromisoformat(day) - timedelta(days=months * 365 // 12)).isoformat(),
        leverage_percent=leverage,
        products=PRODUCT_TYPES[:types],
        margin_calls=rng.choice((0, 0, 1, 2)) if margin else 0,
        worst_loss_percent=rng.choice((0, 0, 5, 12, 20, 35, 55)),
        concentration_percent=rng.randint(10, 100),
        turnover_percent=rng.choice((0, 50, 150, 300, 700, 2_500)),
    )
