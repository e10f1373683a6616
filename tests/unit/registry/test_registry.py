"""Registry: closed tables, bands, values of views (GATE-0, PIR-1, B18, B19)."""

from __future__ import annotations

import hashlib
from pathlib import Path

import orjson
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from lianzheng import registry
from lianzheng.errors import FormatError, LianzhengError, RefusedError

VIEWS = [
    (bundle, form)
    for bundle in registry.BUNDLES
    for form, entry in registry.FORMS.items()
    if entry.indicator is None or entry.indicator in registry.BUNDLES[bundle].indicators
]


def test_digest_is_over_rfc8785() -> None:
    data = registry.canonical_tables()
    assert rfc8785.dumps(orjson.loads(data)) == data
    framed = b"lianzheng/v1/registry\0" + len(data).to_bytes(4, "big") + data
    assert registry.digest() == hashlib.sha256(framed).digest()


def test_tables_are_well_formed() -> None:
    assert list(registry.INDICATORS) == [f"I{n:02d}" for n in range(1, 19) if n != 10]
    for code, entry in registry.INDICATORS.items():
        assert entry.id == code
        assert entry.lowers[0] == 0
        assert list(entry.lowers) == sorted(set(entry.lowers))
        assert len(entry.lowers) == len(entry.labels_zh) == len(entry.labels_en) <= 256
        for text in (entry.owner, entry.purpose, entry.rule, entry.retention, entry.why_not_coarser):
            assert text
    for bundle in registry.BUNDLES.values():
        assert 1 <= len(bundle.indicators) <= 8
        assert list(bundle.indicators) == sorted(bundle.indicators)
    for purpose in registry.PURPOSES.values():
        assert set(purpose.bundles) <= set(registry.BUNDLES)
        assert set(purpose.functions) <= set(registry.FUNCTIONS)


def test_no_marketing_purpose() -> None:
    assert set(registry.PURPOSES) == {
        "suitability-assessment",
        "suitability-reassessment",
        "suitability-matching",
        "professional-status",
        "suitability-statistics",
    }


@pytest.mark.parametrize(
    ("amount", "band"),
    [(-5, 0), (0, 0), (99_999, 0), (100_000, 1), (999_999, 2), (1_000_000, 3), (9_999_999, 5), (10**12, 6)],
)
def test_band_of_assets(amount: int, band: int) -> None:
    assert registry.band_of("I01", amount) == band


def test_bitmap_bands_are_nested() -> None:
    # Shares alone (bit 2) and shares with bonds (bits 2 and 0) both mean "up to shares".
    assert registry.band_of("I03", 0b00100) == registry.band_of("I03", 0b00101) == 3
    assert registry.band_of("I03", 0b10000) == 5


@given(st.sampled_from(sorted(registry.INDICATORS)), st.integers(0, 10**13))
def test_bounds_hold_the_amount(code: str, amount: int) -> None:
    lower, upper = registry.band_bounds(code, registry.band_of(code, amount))
    assert lower <= amount
    assert upper is None or amount < upper


def test_value_of_a_band_list() -> None:
    assert registry.view_value("wealth", "bands", {"I01": 3, "I02": 0, "I04": 2}) == b"\x03\x00\x02"
    assert registry.view_value("wealth", "bands", {"I01": 0}) is None
    assert registry.view_value("wealth", "i01-ge-3", {"I01": 3}) == b"\x01"
    assert registry.view_value("wealth", "i01-ge-3", {"I01": 2}) is None


@given(st.sampled_from(VIEWS), st.data())
def test_value_reads_back(view: tuple[str, str], data: st.DataObject) -> None:
    bundle, form = view
    indicators = registry.BUNDLES[bundle].indicators
    bands = {code: data.draw(st.integers(0, len(registry.INDICATORS[code].lowers) - 1)) for code in indicators}
    value = registry.view_value(bundle, form, bands)
    back = registry.read_view_value(bundle, form, value and value.ljust(8, b"\0"))
    if registry.FORMS[form].indicator is None:
        assert back == bands
        assert value is None or len(value) == registry.view_value_size(bundle, form) <= 8
    else:
        code, limit = str(registry.FORMS[form].indicator), registry.FORMS[form].threshold
        assert back == {code: limit if bands[code] >= limit else 0}


@pytest.mark.parametrize(
    ("bundle", "form", "value"),
    [
        ("wealth", "bands", b""),
        ("wealth", "bands", b"\0\0\0"),
        ("wealth", "bands", b"\x07\0\0"),
        ("wealth", "bands", b"\x01\0\0\x01"),
        ("wealth", "i01-ge-3", b"\x02"),
    ],
)
def test_foreign_values_are_refused(bundle: str, form: str, value: bytes) -> None:
    with pytest.raises(FormatError) as caught:
        registry.read_view_value(bundle, form, value)
    assert caught.value.code == "view_value_invalid"


@pytest.mark.parametrize(
    ("bundle", "form", "code"),
    [
        ("salary", "bands", "bundle_unknown"),
        ("wealth", "amounts", "form_unknown"),
        ("conduct", "i01-ge-3", "threshold_not_in_bundle"),
    ],
)
def test_unregistered_views_are_refused(bundle: str, form: str, code: str) -> None:
    with pytest.raises(RefusedError) as caught:
        registry.check_view(bundle, form)
    assert caught.value.code == code


def test_unknown_indicator_and_band() -> None:
    for code, band, reason in (
        ("I10", 0, "indicator_unknown"),
        ("I01", 7, "band_unknown"),
        ("I01", -1, "band_unknown"),
    ):
        with pytest.raises(LianzhengError) as caught:
            registry.band_bounds(code, band)
        assert caught.value.code == reason


@pytest.mark.parametrize(
    ("code", "bands", "expected"),
    [
        ("I01", [2, 2], 3),  # 500k + 500k = 1M
        ("I01", [1, 0], 1),
        ("I01", [], 0),
        ("I02", [1, 3, 2], 3),
        ("I03", [2, 4], 4),
        ("I05", [1, 1], 2),
        ("I11", [0, 4, 2], 2),
        ("I11", [0, 0], 0),
        ("I12", [0, 1], 1),
        ("I17", [0, 2, 2], 0),
        ("I17", [2, 3], 1),
    ],
)
def test_combine(code: str, bands: list[int], expected: int) -> None:
    assert registry.combine(code, bands) == expected


@given(st.lists(st.integers(0, 2 * 10**7), max_size=4))
def test_combined_assets_never_overstate(amounts: list[int]) -> None:
    combined = registry.combine("I01", [registry.band_of("I01", amount) for amount in amounts])
    assert combined <= registry.band_of("I01", sum(amounts))


def test_the_specification_names_this_version() -> None:
    text = (Path(__file__).parents[3] / "docs" / "spec" / "registry.md").read_text()
    assert registry.digest().hex() in text  # who changes a table changes docs/spec/registry.md with it
    for code in (*registry.PURPOSES, *registry.BUNDLES, *registry.FORMS, *registry.FUNCTIONS, *registry.SCENES):
        assert f"`{code}`" in text
