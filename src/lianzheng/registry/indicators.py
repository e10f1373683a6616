"""I01 … I18: what may cross a member's border, and nothing else (``domain.md`` §2).

Band 0 is always "lowest, or nothing known" (PIR-1), so that absence shows nothing. I10 (blacklists)
needs a legal basis of its own; it is reserved and has no bands.
"""

from __future__ import annotations

from lianzheng.registry.model import Indicator

__all__ = ["INDICATORS", "RESERVED"]

RESERVED: dict[str, str] = {"I10": "Blacklists need a legal basis of their own; off until one is registered."}

_OWNER = "suitability committee of the alliance"
_KEEP = "with the assessment it served; the opened bands until that assessment expires"
_RULE = "Measures on the suitability of investors (CSRC order 130)"
_YES_NO = ((0, 1), ("否或无记录", "是"), ("no, or nothing known", "yes"))


def _indicator(
    number: str,
    titles: tuple[str, str],
    unit: str,
    bands: tuple[tuple[int, ...], tuple[str, ...], tuple[str, ...]],
    combine: str,
    purpose: str,
    why: str,
) -> Indicator:
    lowers, labels_zh, labels_en = bands
    return Indicator(
        number, 1, titles[0], titles[1], unit, lowers, labels_zh, labels_en, combine, _OWNER, purpose, _RULE, _KEEP, why
    )


_ALL = (
    _indicator(
        "I01",
        ("金融资产", "Financial assets"),
        "yuan",
        (
            (0, 100_000, 500_000, 1_000_000, 3_000_000, 5_000_000, 10_000_000),
            (
                "10万元以下或无记录",
                "10–50万元",
                "50–100万元",
                "100–300万元",
                "300–500万元",
                "500–1000万元",
                "1000万元以上",
            ),
            ("below 100k or nothing known", "100k–500k", "500k–1M", "1M–3M", "3M–5M", "5M–10M", "10M and more"),
        ),
        "sum",
        "Capacity to bear loss; thresholds of access and of professional status.",
        "The bounds are those of the rules served; a missing one would make a threshold undecidable.",
    ),
    _indicator(
        "I02",
        ("交易年限", "Trading age"),
        "months",
        (
            (0, 6, 24, 60),
            ("6个月以下或无记录", "6–24个月", "2–5年", "5年以上"),
            ("below 6 months or nothing known", "6–24 months", "2–5 years", "5 years and more"),
        ),
        "max",
        "Investment experience; access rules ask for 6 and 24 months.",
        "Two of the bounds are access rules, the third separates seasoned investors.",
    ),
    _indicator(
        "I03",
        ("交易过的品种", "Product types traded"),
        "bitmap of nested types",
        # Types are nested: who trades a type counts for all simpler ones, so the OR of bitmaps is the maximum of bands.
        (
            (0, 1, 2, 4, 8, 16),
            ("无记录", "货币与债券类", "至混合类基金", "至股票", "至融资融券", "至期货期权等衍生品"),
            (
                "nothing known",
                "money and bonds",
                "up to mixed funds",
                "up to shares",
                "up to margin",
                "up to derivatives",
            ),
        ),
        "or",
        "Knowledge and experience by type of product.",
        "Matching has an axis of product types; fewer types would merge shares with derivatives.",
    ),
    _indicator(
        "I04",
        ("杠杆使用", "Use of leverage"),
        "percent of net assets",
        (
            (0, 1, 50, 100),
            ("未使用或无记录", "50%以下", "50%–100%", "100%以上或净资产为负"),
            ("none or nothing known", "below 50 %", "50–100 %", "100 % and more, or negative net assets"),
        ),
        "max",
        "Total indebtedness limits the capacity to bear loss.",
        "Yes/no would put a small margin loan beside over-indebtedness.",
    ),
    _indicator(
        "I05",
        ("24个月内强平或追保", "Forced liquidation or margin call in 24 months"),
        "count",
        ((0, 1, 2), ("0次或无记录", "1次", "2次以上"), ("none or nothing known", "once", "twice and more")),
        "sum",
        "Realised risk.",
        "One event may be an accident of the market, two are a pattern.",
    ),
    _indicator(
        "I06",
        ("最大亏损比例", "Worst loss ratio"),
        "percent",
        (
            (0, 10, 30, 50),
            ("10%以下或无记录", "10%–30%", "30%–50%", "50%以上"),
            ("below 10 % or nothing known", "10–30 %", "30–50 %", "50 % and more"),
        ),
        "max",
        "Checks stated tolerance of loss against losses borne.",
        "The questionnaire asks in these bands.",
    ),
    _indicator(
        "I07",
        ("持仓集中度", "Concentration"),
        "percent",
        (
            (0, 30, 50, 80),
            ("30%以下或无记录", "30%–50%", "50%–80%", "80%以上"),
            ("below 30 % or nothing known", "30–50 %", "50–80 %", "80 % and more"),
        ),
        "max",
        "Risk actually taken.",
        "Three bands above the first are the fewest that a warning can name.",
    ),
    _indicator(
        "I08",
        ("年换手率", "Turnover in a year"),
        "percent",
        (
            (0, 100, 500, 2_000),
            ("1倍以下或无记录", "1–5倍", "5–20倍", "20倍以上"),
            ("below once or nothing known", "1–5 times", "5–20 times", "20 times and more"),
        ),
        "max",
        "Checks the stated horizon against conduct.",
        "Horizon has three answers; each needs a bound.",
    ),
    _indicator("I09", ("违约记录", "Default"), "yes/no", _YES_NO, "or", "Creditworthiness.", "Cannot be coarser."),
    _indicator(
        "I11",
        ("其他机构评定等级", "Level elsewhere"),
        "level",
        (
            (0, 1, 2, 3, 4, 5),
            ("无记录", "C1", "C2", "C3", "C4", "C5"),
            ("nothing known", "C1", "C2", "C3", "C4", "C5"),
        ),
        "min_known",
        "A lower level elsewhere asks for a retest.",
        "The levels are the rule's own classes.",
    ),
    _indicator(
        "I12",
        ("其他机构认定风险承受能力最低类别", "Lowest class elsewhere"),
        "yes/no",
        _YES_NO,
        "or",
        "Protection of the lowest class.",
        "Cannot be coarser.",
    ),
    _indicator(
        "I13",
        ("其他机构认定专业投资者", "Professional status elsewhere"),
        "yes/no",
        _YES_NO,
        "or",
        "Review of a professional status.",
        "Cannot be coarser.",
    ),
    _indicator(
        "I14",
        ("12个月内重新测评次数", "Retests in 12 months"),
        "count",
        (
            (0, 1, 3, 6),
            ("0次或无记录", "1–2次", "3–5次", "6次以上"),
            ("none or nothing known", "1–2", "3–5", "6 and more"),
        ),
        "sum",
        "Repeated tests for a wished result.",
        "Policy allows 8 in 12 months; the bands lead up to it.",
    ),
    _indicator(
        "I15",
        ("超配购买次数", "Mismatch purchases"),
        "count",
        (
            (0, 1, 2, 5),
            ("0次或无记录", "1次", "2–4次", "5次以上"),
            ("none or nothing known", "once", "2–4", "5 and more"),
        ),
        "sum",
        "Pattern of purchases above level.",
        "One is an exception, several are a pattern.",
    ),
    _indicator(
        "I16",
        ("适当性投诉", "Suitability complaint"),
        "yes/no",
        _YES_NO,
        "or",
        "Review of earlier matching.",
        "Cannot be coarser.",
    ),
    _indicator(
        "I17",
        ("年龄段一致性", "Age-band consistency"),
        "years",
        (
            (0, 18, 45, 65),
            ("18岁以下或无记录", "18–44岁", "45–64岁", "65岁以上"),
            ("below 18 or nothing known", "18–44", "45–64", "65 and over"),
        ),
        "differ",
        "Special protection from 65; records that disagree.",
        "The bound at 65 is a rule's own.",
    ),
    _indicator(
        "I18",
        ("职业与学历一致性", "Occupation and education consistency"),
        "code",
        (
            tuple(range(17)),
            ("无记录", *(f"职业{o}学历{e}" for o in "甲乙丙丁" for e in "一二三四")),
            ("nothing known", *(f"occupation {o} education {e}" for o in "ABCD" for e in "1234")),
        ),
        "differ",
        "Information that disagrees between members.",
        "Two attributes of four groups each, compared at once.",
    ),
)

INDICATORS: dict[str, Indicator] = {indicator.id: indicator for indicator in _ALL}
