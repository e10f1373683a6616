"""Questionnaire, local data and other members' bands become one level. Bands never raise it.

    level = min(score's level, caps of the rules that apply) − steps of the rules that apply, at least C1

A rule of the table can only cap, step down, flag or ask for a retest; there is nothing in it that could raise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from lianzheng.encoding.model import Day, Natural, Record, Seq, Text
from lianzheng.registry import INDICATORS, band_bounds, band_of, combine
from lianzheng.suitability.model import Horizon, Reason, Tolerance, rank, tolerance
from lianzheng.suitability.policy import Policy, expiry_day
from lianzheng.suitability.questionnaire import Score

__all__ = ["Adjustment", "AdjustmentTable", "Assessment", "ProviderBands", "assess", "joint_bands"]


class ProviderBands(Record):
    """What one provider gave. ``bands`` is empty unless ``answered``; band 0 means lowest, or nothing known."""

    provider: Text
    status: Literal["answered", "refused", "unavailable", "not_asked"]
    bands: dict[str, Natural] = Field(default_factory=dict)
    code: Text | None = None
    """Reason code of a refusal or failure."""


class Adjustment(Record):
    """From ``band`` of ``indicator`` on: hold at ``cap``, go down ``steps``, perhaps ask for a retest; always flag."""

    id: Text
    indicator: Text
    band: Natural
    cap: Tolerance | None
    steps: Annotated[int, Field(ge=0, le=4)]
    retest: bool
    zh: Text
    en: Text


class AdjustmentTable(Record):
    """One version of the rules; of those on one indicator only the highest band reached applies."""

    version: Natural
    rules: Annotated[tuple[Adjustment, ...], Seq]


class Assessment(Record):
    """A level with everything that led to it. ``local_only`` where no provider answered."""

    level: Tolerance
    lowest_class: bool
    horizon: Horizon
    product_types: Natural
    retest: bool
    local_only: bool
    flags: Annotated[tuple[Text, ...], Seq]
    joint: dict[str, Natural]
    """Combined bands, own and others'."""
    providers: Annotated[tuple[ProviderBands, ...], Seq]
    score: Score
    policy_version: Natural
    adjustment_version: Natural
    day: Day
    valid_until: Day
    reasons: Annotated[tuple[Reason, ...], Seq]


def joint_bands(local_amounts: Mapping[str, int], providers: Sequence[ProviderBands]) -> dict[str, int]:
    """Bands over own amounts and others' bands.

    Sums take the own amount and the *lower bounds* of the others, so they never overstate; every other
    indicator is combined by its registered function.
    """
    joint: dict[str, int] = {}
    for code in INDICATORS:
        others = [entry.bands[code] for entry in providers if entry.status == "answered" and code in entry.bands]
        if code not in local_amounts and not others:
            continue
        own = local_amounts.get(code, 0)
        if INDICATORS[code].combine == "sum":
            joint[code] = band_of(code, own + sum(band_bounds(code, band)[0] for band in others))
        else:
            joint[code] = combine(code, [band_of(code, own), *others])
    return joint


def assess(
    result: Score,
    local_amounts: Mapping[str, int],
    providers: Sequence[ProviderBands],
    *,
    table: AdjustmentTable,
    policy: Policy,
    day: str,
) -> Assessment:
    """The level of an investor on ``day``. Without any answer the local assessment stands, and says so.

    Never above ``result.level``, whatever the bands. Raises ``FormatError`` ``band_unknown``.
    """
    joint = joint_bands(local_amounts, providers)
    applied = _applying(table, joint)
    level = min([rank(result.level)] + [rank(rule.cap) for rule in applied if rule.cap is not None])
    level -= sum(rule.steps for rule in applied)
    reasons = [*result.reasons, *(Reason(code=rule.id, zh=rule.zh, en=rule.en) for rule in applied)]
    findings = _findings(result, joint)
    silent = _silent(providers)
    return Assessment(
        level=tolerance(level),
        lowest_class=result.lowest_class,
        horizon=result.horizon,
        product_types=result.product_types,
        retest=any(rule.retest for rule in applied) or any(finding[0] for finding in findings),
        local_only=all(entry.status != "answered" for entry in providers),
        flags=tuple([rule.id for rule in applied] + [finding[1].code for finding in findings]),
        joint=joint,
        providers=tuple(providers),
        score=result,
        policy_version=policy.version,
        adjustment_version=table.version,
        day=day,
        valid_until=expiry_day(day, policy.validity_months),
        reasons=(*reasons, *(finding[1] for finding in findings), *silent),
    )


def _applying(table: AdjustmentTable, joint: Mapping[str, int]) -> list[Adjustment]:
    best: dict[str, Adjustment] = {}
    for rule in table.rules:
        if joint.get(rule.indicator, 0) < rule.band:
            continue
        known = best.get(rule.indicator)
        if known is None or rule.band > known.band:
            best[rule.indicator] = rule
    return [rule for rule in table.rules if best.get(rule.indicator) is rule]


def _findings(result: Score, joint: Mapping[str, int]) -> list[tuple[bool, Reason]]:
    """Contradictions between words and records: (asks for a retest, reason)."""
    found = []
    for code, stated in result.states.items():
        seen = joint.get(code)
        if seen is None or seen == stated:
            continue
        entry = INDICATORS[code]
        if seen < stated:  # members need not know everything (money may lie in a bank): a flag, never a verdict
            zh, en = f"{entry.title_zh}：自述高于各机构所见", f"{entry.title_en}: more stated than members see"
            found.append((False, Reason(code=f"{code}-stated-above-seen", zh=zh, en=en)))
        else:
            zh = f"{entry.title_zh}：各机构所见高于自述；不会因此上调等级"
            en = f"{entry.title_en}: members see more than stated; this never raises a level"
            found.append((code == "I04", Reason(code=f"{code}-seen-above-stated", zh=zh, en=en)))
    elsewhere = joint.get("I11", 0)
    if 0 < elsewhere < rank(result.level):
        zh, en = f"其他机构评定为C{elsewhere}，低于本次结果", f"Level C{elsewhere} elsewhere, below this result"
        found.append((rank(result.level) - elsewhere >= 2, Reason(code="lower-level-elsewhere", zh=zh, en=en)))
    for code in ("I17", "I18"):
        if joint.get(code, 0) and INDICATORS[code].combine == "differ":
            entry = INDICATORS[code]
            zh, en = f"{entry.title_zh}：各机构记录不一致", f"{entry.title_en}: records disagree"
            found.append((True, Reason(code=f"{code}-differs", zh=zh, en=en)))
    return found


def _silent(providers: Sequence[ProviderBands]) -> list[Reason]:
    reasons = [
        Reason(
            code=f"provider-{entry.status}",
            zh=f"{entry.provider}未提供结果，评估照常进行",
            en=f"{entry.provider} gave no answer ({entry.code or entry.status}); the assessment went on without it",
        )
        for entry in providers
        if entry.status != "answered"
    ]
    if all(entry.status != "answered" for entry in providers):
        reasons.append(Reason(code="local-only", zh="仅依据本机构信息评估", en="Local assessment only"))
    return reasons
