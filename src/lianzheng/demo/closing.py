"""The point of the demo in one table: how often the requester misplaces a person, alone and with all bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lianzheng.demo.people import YUAN_PER_DOLLAR, YUAN_PER_DOLLAR_OTHER, Person
from lianzheng.registry import band_bounds, band_of

__all__ = ["ClosingRow", "closing_table"]


@dataclass(frozen=True, slots=True)
class ClosingRow:
    """One factor: counts of people whose asset band (I01) is not the true one."""

    yuan_per_dollar: int
    people: int
    """Customers of the requester: those it assesses."""
    shared: int
    """Of these, customers of another broker too; only they can be misplaced."""
    wrong_alone: int
    wrong_together: int
    too_high_together: int
    """Always 0: own amount + lower bounds never exceeds the truth."""


def closing_table(
    people: Sequence[Person],
    requester: int,
    *,
    factors: Sequence[int] = (YUAN_PER_DOLLAR, YUAN_PER_DOLLAR_OTHER),
    answered: Mapping[str, Sequence[int]] | None = None,
) -> tuple[ClosingRow, ...]:
    """One row a factor, in order.

    ``answered`` holds, by identity number, the I01 bands that really came back under the *first* factor
    (nobody's entry: nothing came back); the other factors, and the first without it, are computed
    from what every other broker would answer.
    """
    return tuple(
        _row(people, requester, factor, answered if index == 0 else None) for index, factor in enumerate(factors)
    )


def _row(
    people: Sequence[Person], requester: int, factor: int, answered: Mapping[str, Sequence[int]] | None
) -> ClosingRow:
    count = shared = alone = together = too_high = 0
    for person in people:
        own = person.at(requester)
        if own is None:
            continue
        others = [account.dollars * factor for account in person.accounts if account.broker != requester]
        bands = [band_of("I01", amount) for amount in others]
        if answered is not None:
            bands = list(answered.get(person.number, ()))
        truth = band_of("I01", person.dollars * factor)
        joint = band_of("I01", own.dollars * factor + sum(band_bounds("I01", band)[0] for band in bands))
        count += 1
        shared += bool(others)
        alone += band_of("I01", own.dollars * factor) != truth
        together += joint != truth
        too_high += joint > truth
    return ClosingRow(factor, count, shared, alone, together, too_high)
