"""From amounts to bands, from bands to the bytes of a view and back. Integers only."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence

from lianzheng.errors import FormatError, RefusedError
from lianzheng.registry.indicators import INDICATORS
from lianzheng.registry.model import Form, Indicator
from lianzheng.registry.views import BUNDLES, FORMS

__all__ = ["band_bounds", "band_of", "check_view", "combine", "read_view_value", "view_value", "view_value_size"]


def _indicator(code: str) -> Indicator:
    found = INDICATORS.get(code)
    if found is None:
        raise RefusedError("indicator_unknown", "The indicator is not in the registry.")
    return found


def band_of(indicator: str, amount: int) -> int:
    """The band, from 0, that holds ``amount`` in the indicator's unit; negative amounts count as 0.

    Raises ``RefusedError`` ``indicator_unknown``.
    """
    return bisect_right(_indicator(indicator).lowers, max(amount, 0)) - 1


def band_bounds(indicator: str, band: int) -> tuple[int, int | None]:
    """Lowest amount of ``band`` and the first amount above it, None for the last band.

    Raises ``RefusedError`` ``indicator_unknown``, ``FormatError`` ``band_unknown``.
    """
    lowers = _indicator(indicator).lowers
    if not 0 <= band < len(lowers):
        raise FormatError("band_unknown", f"{indicator} has no band of this number.")
    return lowers[band], lowers[band + 1] if band + 1 < len(lowers) else None


def combine(indicator: str, bands: Sequence[int]) -> int:
    """One band out of those of several members, by the indicator's registered function.

    ``sum`` adds lower bounds, so it never overstates; ``or`` and ``max`` take the highest; ``min_known``
    the lowest above 0 (0 if none is); ``differ`` 1 if two known bands are unlike.
    Raises ``FormatError`` ``band_unknown``, ``RefusedError`` ``indicator_unknown``.
    """
    entry = _indicator(indicator)
    lowers = [band_bounds(indicator, band)[0] for band in bands]
    known = [band for band in bands if band > 0]
    if entry.combine == "sum":
        return band_of(indicator, sum(lowers))
    if entry.combine == "min_known":
        return min(known, default=0)
    if entry.combine == "differ":
        return int(bool(known) and min(known) != max(known))
    return max(bands, default=0)


def check_view(bundle: str, form: str) -> tuple[tuple[str, ...], Form]:
    """Indicators and form of a registered view (GATE-0).

    Raises ``RefusedError`` ``bundle_unknown``, ``form_unknown``, ``threshold_not_in_bundle``.
    """
    if bundle not in BUNDLES:
        raise RefusedError("bundle_unknown", "The bundle is not in the registry.")
    if form not in FORMS:
        raise RefusedError("form_unknown", "The form or threshold is not in the registry.")
    indicators, entry = BUNDLES[bundle].indicators, FORMS[form]
    if entry.indicator is not None and entry.indicator not in indicators:
        raise RefusedError("threshold_not_in_bundle", "The threshold's indicator is not in the bundle.")
    return indicators, entry


def view_value_size(bundle: str, form: str) -> int:
    """Bytes of a value before padding: one an indicator, or one for a threshold (PIR-1)."""
    indicators, entry = check_view(bundle, form)
    return 1 if entry.indicator is not None else len(indicators)


def view_value(bundle: str, form: str, bands: Mapping[str, int]) -> bytes | None:
    """What a person's entry in the view holds; None where there is no entry (PIR-1, B18, B19).

    A band list holds one byte an indicator in registry order and is None when all are 0; a threshold
    is ``01`` or None. An indicator missing in ``bands`` counts as band 0.
    Raises as :func:`check_view` and :func:`band_bounds`.
    """
    indicators, entry = check_view(bundle, form)
    for indicator in indicators:
        band_bounds(indicator, bands.get(indicator, 0))
    if entry.indicator is not None:
        return b"\x01" if bands.get(entry.indicator, 0) >= entry.threshold else None
    value = bytes(bands.get(indicator, 0) for indicator in indicators)
    return value if any(value) else None


def read_view_value(bundle: str, form: str, value: bytes | None) -> dict[str, int]:
    """Bands of an opened value, zero-padded or not; None (no entry) gives band 0 throughout.

    For a threshold the band is a lower limit: the registered one, or 0.
    Raises ``FormatError`` ``view_value_invalid``, and as :func:`check_view`.
    """
    indicators, entry = check_view(bundle, form)
    shown = indicators if entry.indicator is None else (entry.indicator,)
    if value is None:
        return dict.fromkeys(shown, 0)
    size = view_value_size(bundle, form)
    if len(value) < size or any(value[size:]) or not any(value):
        raise FormatError("view_value_invalid", "An opened entry does not have the form of its view.")
    if entry.indicator is not None:
        if value[0] != 1:
            raise FormatError("view_value_invalid", "An opened entry of a threshold view is not 1.")
        return {entry.indicator: entry.threshold}
    if any(band >= len(INDICATORS[code].lowers) for code, band in zip(shown, value, strict=False)):
        raise FormatError("view_value_invalid", "An opened entry holds a band that is not in the registry.")
    return dict(zip(shown, value, strict=False))
