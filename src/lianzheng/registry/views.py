"""Bundles and forms: the two closed halves of a view (GATE-0)."""

from __future__ import annotations

from lianzheng.registry.indicators import INDICATORS
from lianzheng.registry.model import Bundle, Form

__all__ = ["BUNDLES", "FORMS"]

BUNDLES: dict[str, Bundle] = {
    bundle.code: bundle
    for bundle in (
        Bundle("wealth", 1, "资产与杠杆", "Assets and leverage", ("I01", "I02", "I04")),
        Bundle("experience", 1, "投资经验", "Experience", ("I02", "I03")),
        Bundle("conduct", 1, "交易行为", "Conduct", ("I05", "I06", "I07", "I08", "I09")),
        Bundle("level", 1, "他方评级", "Level elsewhere", ("I11", "I12", "I13")),
        Bundle("history", 1, "适当性历史", "Suitability history", ("I14", "I15", "I16")),
        Bundle("consistency", 1, "信息一致性", "Consistency", ("I17", "I18")),
    )
}


def _threshold(indicator: str, band: int) -> Form:
    entry = INDICATORS[indicator]
    return Form(
        f"{indicator.lower()}-ge-{band}",
        1,
        indicator,
        band,
        f"{entry.title_zh}不低于第{band}档",
        f"{entry.title_en}: band {band} or above",
    )


FORMS: dict[str, Form] = {
    form.code: form
    for form in (
        Form("bands", 1, None, 0, "分档", "Bands"),
        _threshold("I01", 2),
        _threshold("I01", 3),
        _threshold("I01", 4),
        _threshold("I01", 5),
        _threshold("I02", 1),
        _threshold("I02", 2),
        _threshold("I04", 3),
        _threshold("I05", 1),
        _threshold("I09", 1),
        _threshold("I12", 1),
        _threshold("I13", 1),
    )
}
