"""The fields of a customer's record as a source gives them (``docs/spec/sources.md``)."""

from __future__ import annotations

__all__ = ["COLUMNS", "COUNTS", "OPTIONAL"]

COUNTS = {
    "margin_calls_24m": ("I05", 1_000),
    "worst_loss_percent": ("I06", 100),
    "concentration_percent": ("I07", 100),
    "turnover_percent": ("I08", 1_000_000),
    "default": ("I09", 1),
}
"""Further counts: indicator and largest value."""

OPTIONAL = ("leverage_percent", "products_traded", *COUNTS)
"""Fields that a source may leave out: not known."""

COLUMNS = (
    "document_type",
    "country",
    "number",
    "name",
    "birth_date",
    "opened_on",
    "financial_assets_yuan",
    *OPTIONAL,
)
"""The header of a source without a mapping, in this order."""
