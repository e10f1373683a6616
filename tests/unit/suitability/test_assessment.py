"""Assessment and matching: bands never raise a level; three axes; the lowest class takes R1 only."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lianzheng.errors import LianzhengError
from lianzheng.registry import INDICATORS
from lianzheng.suitability import shipped
from lianzheng.suitability.assessment import Assessment, ProviderBands, assess, joint_bands
from lianzheng.suitability.matching import match_product
from lianzheng.suitability.model import BLOCKS, Profile, ProfileField, Tolerance, rank, require_complete
from lianzheng.suitability.policy import expiry_day, policy_on
from lianzheng.suitability.questionnaire import Score

DAY = "2026-07-01"
POLICY = policy_on(shipped.policies(), "securities", DAY)
TABLE = shipped.adjustments()


def made_score(level: Tolerance = "C4", *, lowest: bool = False, **states: int) -> Score:
    return Score(
        template="natural-person",
        template_version=1,
        template_digest=bytes(32),
        answers={},
        confirmed=(),
        points=0,
        percent=60,
        level=level,
        lowest_class=lowest,
        horizon="medium",
        product_types=3,
        states=states,
        reasons=(),
    )


def run(result: Score, local: dict[str, int], *providers: ProviderBands) -> Assessment:
    return assess(result, local, providers, table=TABLE, policy=POLICY, day=DAY)


def answered(**bands: int) -> ProviderBands:
    return ProviderBands(provider="乙证券", status="answered", bands=bands)


BANDS = st.dictionaries(st.sampled_from(sorted(INDICATORS)), st.integers(0, 16)).map(
    lambda bands: {code: min(band, len(INDICATORS[code].lowers) - 1) for code, band in bands.items()}
)
LOCAL = st.dictionaries(st.sampled_from(sorted(INDICATORS)), st.integers(0, 200))


@given(st.sampled_from(get_args(Tolerance)), st.booleans(), LOCAL, st.lists(BANDS, max_size=3))
def test_bands_never_raise(level: Tolerance, lowest: bool, local: dict[str, int], others: list[dict[str, int]]) -> None:
    result = made_score(level, lowest=lowest, I01=2, I04=0)
    alone = run(result, local)
    together = run(result, local, *(answered(**bands) for bands in others))
    assert rank(together.level) <= rank(alone.level) <= rank(level)
    assert together.lowest_class is alone.lowest_class is lowest
    assert (together.horizon, together.product_types) == (result.horizon, result.product_types)
    assert all(reason.zh and reason.en for reason in together.reasons)
    assert Assessment.from_bytes(together.to_bytes()) == together


@pytest.mark.parametrize(
    ("bands", "level", "retest", "flag"),
    [
        ({"I12": 1}, "C1", True, "lowest-class-elsewhere"),
        ({"I09": 1}, "C2", False, "default"),
        ({"I04": 3}, "C3", False, "over-indebted"),
        ({"I04": 2}, "C4", False, "leverage-high"),
        ({"I05": 2}, "C3", False, "liquidated-twice"),
        ({"I05": 1}, "C4", False, "liquidated-once"),
        ({"I04": 3, "I05": 2}, "C2", False, "liquidated-twice"),
        ({"I06": 3}, "C4", True, "heavy-loss"),
        ({"I11": 3}, "C4", False, "lower-level-elsewhere"),
        ({"I11": 2}, "C4", True, "lower-level-elsewhere"),
        ({"I14": 3}, "C4", True, "many-retests"),
    ],
)
def test_what_bands_do(bands: dict[str, int], level: str, retest: bool, flag: str) -> None:
    outcome = run(made_score(), {}, answered(**bands))
    assert (outcome.level, outcome.retest) == (level, retest)
    assert flag in outcome.flags


def test_money_seen_elsewhere_is_a_flag_only() -> None:
    outcome = run(made_score("C2", I01=0), {"I01": 50_000}, answered(I01=6))
    assert outcome.joint["I01"] == 6
    assert (outcome.level, outcome.retest) == ("C2", False)
    assert "I01-seen-above-stated" in outcome.flags


def test_sums_use_own_amount_and_lower_bounds() -> None:
    assert joint_bands({"I01": 400_000}, [answered(I01=1), answered(I01=0)]) == {"I01": 2}
    assert joint_bands({"I01": 399_999}, [answered(I01=1)]) == {"I01": 1}
    assert joint_bands({"I17": 66}, [answered(I17=2)]) == {"I17": 1}


def test_a_silent_provider_does_not_block() -> None:
    silent = ProviderBands(provider="丙证券", status="unavailable", code="peer_unreachable")
    outcome = run(made_score(), {"I01": 1}, silent)
    assert (outcome.level, outcome.local_only) == ("C4", True)
    assert {"provider-unavailable", "local-only"} <= {reason.code for reason in outcome.reasons}
    mixed = run(made_score(), {"I01": 1}, silent, answered(I01=1))
    assert not mixed.local_only


@pytest.mark.parametrize(
    ("day", "months", "last"),
    [("2026-07-01", 12, "2027-06-30"), ("2026-01-15", 12, "2027-01-14"), ("2024-02-29", 12, "2025-02-28"),
     ("2026-03-01", 12, "2027-02-28"), ("2027-03-01", 12, "2028-02-29"), ("2026-01-01", 12, "2026-12-31")],
)  # fmt: skip
def test_validity(day: str, months: int, last: str) -> None:
    assert expiry_day(day, months) == last


@pytest.mark.parametrize(
    ("level", "product", "failing"),
    [
        ("C4", "BND-2", ()),
        ("C4", "STR-4", ()),
        ("C3", "STR-4", ("risk",)),
        ("C4", "OPT-5", ("risk", "product_type")),
        ("C5", "OPT-5", ("product_type",)),
        ("C1", "MMF-1", ()),
    ],
)
def test_matching(level: Tolerance, product: str, failing: tuple[str, ...]) -> None:
    assert match_product(run(made_score(level), {}), shipped.products()[product], DAY).failing == failing


def test_horizon_is_an_axis() -> None:
    short = made_score("C4").model_copy(update={"horizon": "short"})
    assert match_product(run(short, {}), shipped.products()["BND-2"], DAY).failing == ("horizon",)


def test_lowest_class_takes_r1_only() -> None:
    lowest = run(made_score("C1", lowest=True), {})
    assert match_product(lowest, shipped.products()["MMF-1"], DAY).fits
    for product in shipped.products().values():
        if product.risk != "R1":
            assert "lowest_class" in match_product(lowest, product, DAY).failing


def test_expired_assessments_do_not_match() -> None:
    outcome = run(made_score(), {})
    for day in ("2026-06-30", "2027-07-01"):
        with pytest.raises(LianzhengError) as caught:
            match_product(outcome, shipped.products()["MMF-1"], day)
        assert caught.value.code == "assessment_expired"


def test_profile_needs_all_nine_blocks() -> None:
    facts = tuple(
        ProfileField(block=block, name="x", value="y", source="client", time_ms=1, verified_by=None, evidence=None)
        for block in BLOCKS
    )
    assert len(BLOCKS) == 9
    require_complete(Profile(subject="c1", fields=facts))
    with pytest.raises(LianzhengError) as caught:
        require_complete(Profile(subject="c1", fields=facts[1:]))
    assert caught.value.code == "profile_incomplete"
    assert "identity" in caught.value.text
