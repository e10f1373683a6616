"""From a member's rows to the table of one view under one fresh key (GATE-0, PIR-1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lianzheng.compute.model import view_parts
from lianzheng.compute.ports import StoredPerson
from lianzheng.crypto.hazmat.bls12381 import G1
from lianzheng.registry import band_of, view_value

__all__ = ["elements_under_key", "value_of", "values_of"]


def value_of(view: str, amounts: Mapping[str, int]) -> bytes | None:
    """What the view says of a person with these amounts; None where it has no entry (PIR-1, B19)."""
    _, bundle, form = view_parts(view)
    return view_value(bundle, form, {code: band_of(code, amount) for code, amount in amounts.items()})


def values_of(view: str, people: Iterable[StoredPerson]) -> list[tuple[bytes, bytes]]:
    """Identity element and value of everybody who has an entry in the view."""
    found = ((person.element, value_of(view, person.amounts)) for person in people)
    return [(element, value) for element, value in found if value is not None]


def elements_under_key(key: int, values: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """``F = k·U``, compressed, beside each value."""
    return [((G1.from_bytes(element) * key).to_bytes(), value) for element, value in values]
