"""What a broker's own systems know of one customer, and the amounts and bands that follow from it.

Local data: it stays in the member's own database (ID-2). Only :meth:`CustomerRecord.bands` is ever
put into a view, and only the bands of registered indicators.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lianzheng.registry import INDICATORS, band_of

__all__ = ["PRODUCT_TYPES", "CustomerRecord", "age_on", "months_between"]

PRODUCT_TYPES = ("bonds", "funds", "shares", "margin", "derivatives")
"""The nested types of I03, from bit 0 up."""


def _parts(day: str) -> tuple[int, int, int]:
    return int(day[0:4]), int(day[5:7]), int(day[8:10])


def age_on(birth_date: str, day: str) -> int:
    """Completed years of life on ``day``; who is born on 29 February completes a year on 1 March."""
    year, month, dom = _parts(day)
    birth_year, birth_month, birth_dom = _parts(birth_date)
    return year - birth_year - ((month, dom) < (birth_month, birth_dom))


def months_between(start: str, day: str) -> int:
    """Completed months from ``start`` to ``day``, 0 where ``day`` is not later."""
    year, month, dom = _parts(day)
    start_year, start_month, start_dom = _parts(start)
    return max(0, (year - start_year) * 12 + month - start_month - (dom < start_dom))


@dataclass(frozen=True, slots=True, repr=False)
class CustomerRecord:
    """One row of a source. ``None`` means the source does not know. ``idnorm`` is personal data (ID-2)."""

    idnorm: bytes
    document_type: str
    country: str
    number: str
    name: str
    birth_date: str
    opened_on: str
    financial_assets_yuan: int
    leverage_percent: int | None = None
    products_traded: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    """Further amounts by indicator (I05 …), in the registry's units."""

    def amounts(self, day: str) -> dict[str, int]:
        """Amount of every indicator that this record knows, as of ``day``."""
        known = {
            "I01": self.financial_assets_yuan,
            "I02": months_between(self.opened_on, day),
            "I03": sum(1 << PRODUCT_TYPES.index(product) for product in self.products_traded),
            "I17": age_on(self.birth_date, day),
            **self.counts,
        }
        if self.leverage_percent is not None:
            known["I04"] = self.leverage_percent
        return {code: known[code] for code in INDICATORS if code in known}

    def bands(self, day: str) -> dict[str, int]:
        """Bands of the same: the only form in which anything of this leaves the member (PIR-4)."""
        return {code: band_of(code, amount) for code, amount in self.amounts(day).items()}
