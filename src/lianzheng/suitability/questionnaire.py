"""Questionnaire templates and their score: integers only, so that (template version, answers) reproduces for 20 years.

points  = Σ weight(item) · score(chosen option)
percent = floor(100 · points / Σ weight(item) · highest score(item))
level   = the last band whose percent is reached, then held down by the caps of chosen options
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal

from pydantic import Field

from lianzheng.crypto.digest import sha256
from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, Text
from lianzheng.errors import FormatError, RefusedError
from lianzheng.suitability.model import Horizon, Reason, Tolerance, horizon_rank, rank

__all__ = ["Answers", "Item", "Option", "Score", "Template", "check_answers", "inconsistencies", "score"]

Answers = Mapping[str, str]
"""Item id to option id."""
ShortId = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]


class Option(Record):
    """One answer. ``states`` are the bands of indicators that the investor claims by choosing it."""

    id: ShortId
    zh: Text
    en: Text
    score: Annotated[int, Field(ge=0, le=100)]
    lowest_class: bool = False
    """Veto: whoever chooses this is of the lowest class."""
    cap: Tolerance | None = None
    """Veto: whoever chooses this is not above this level."""
    horizon: Horizon | None = None
    product_types: Annotated[int, Field(ge=0, le=5)] = 0
    states: dict[str, Natural] = Field(default_factory=dict)


class Item(Record):
    """One question with exactly one answer."""

    id: ShortId
    section: ShortId
    weight: Annotated[int, Field(ge=1, le=100)]
    zh: Text
    en: Text
    options: Annotated[tuple[Option, ...], Seq, Field(min_length=2, max_length=10)]


class Section(Record):
    """A heading."""

    id: ShortId
    zh: Text
    en: Text


class Band(Record):
    """``level`` from ``percent`` on."""

    level: Tolerance
    percent: Annotated[int, Field(ge=0, le=100)]


class Choice(Record):
    """Any of some options of one item."""

    item: ShortId
    options: Annotated[tuple[ShortId, ...], Seq]


class ConsistencyRule(Record):
    """Answers that do not fit together: ``warn`` until the investor confirms, or ``disable`` the second choice."""

    id: ShortId
    kind: Literal["warn", "disable"]
    first: Choice
    second: Choice
    zh: Text
    en: Text


class Template(Record):
    """One version of a questionnaire. A change of anything is a new version."""

    id: ShortId
    version: Natural
    zh: Text
    en: Text
    sections: Annotated[tuple[Section, ...], Seq]
    items: Annotated[tuple[Item, ...], Seq, Field(min_length=1, max_length=60)]
    bands: Annotated[tuple[Band, ...], Seq, Field(min_length=5, max_length=5)]
    rules: Annotated[tuple[ConsistencyRule, ...], Seq]

    def digest(self) -> bytes:
        """SHA-256 under tag ``questionnaire`` of the canonical template: what a score names for ever."""
        return sha256("questionnaire", self.to_bytes())


class Score(Record):
    """What a set of answers is worth under one template version."""

    template: ShortId
    template_version: Natural
    template_digest: Bytes32
    answers: dict[str, ShortId]
    confirmed: Annotated[tuple[ShortId, ...], Seq]
    """Warnings of consistency rules that the investor has confirmed."""
    points: Natural
    percent: Annotated[int, Field(ge=0, le=100)]
    level: Tolerance
    lowest_class: bool
    horizon: Horizon
    product_types: Annotated[int, Field(ge=0, le=5)]
    states: dict[str, Natural]
    reasons: Annotated[tuple[Reason, ...], Seq]


def check_answers(template: Template, answers: Answers) -> dict[str, Option]:
    """The chosen option of every item.

    Raises ``FormatError`` ``answer_missing``, ``answer_unknown``, each naming the item.
    """
    items = {item.id: item for item in template.items}
    foreign = [key for key in answers if key not in items]
    if foreign:
        raise FormatError("answer_unknown", "An answer belongs to no item of this questionnaire.")
    chosen: dict[str, Option] = {}
    for item in template.items:
        if item.id not in answers:
            raise FormatError("answer_missing", f"Item {item.id} is not answered.")
        option = next((option for option in item.options if option.id == answers[item.id]), None)
        if option is None:
            raise FormatError("answer_unknown", f"Item {item.id} has no such option.")
        chosen[item.id] = option
    return chosen


def inconsistencies(template: Template, answers: Answers) -> tuple[ConsistencyRule, ...]:
    """Rules that these answers, complete or not, run into."""
    return tuple(
        rule
        for rule in template.rules
        if answers.get(rule.first.item) in rule.first.options and answers.get(rule.second.item) in rule.second.options
    )


def score(template: Template, answers: Answers, confirmed: Sequence[str] = ()) -> Score:
    """The same score for the same template, answers and confirmations, at any time.

    Raises ``FormatError`` of :func:`check_answers`; ``RefusedError`` ``option_disabled``, ``answers_inconsistent``
    (whose text names the rules to confirm).
    """
    chosen = check_answers(template, answers)
    found = inconsistencies(template, answers)
    _require_consistent(found, confirmed)
    points = sum(item.weight * chosen[item.id].score for item in template.items)
    most = sum(item.weight * max(option.score for option in item.options) for item in template.items)
    percent = 100 * points // most
    reached = max((band for band in template.bands if band.percent <= percent), key=lambda band: band.percent)
    lowest = any(option.lowest_class for option in chosen.values())
    caps = [option.cap for option in chosen.values() if option.cap is not None]
    level: Tolerance = "C1" if lowest else min([reached.level, *caps], key=rank)
    horizons = [option.horizon for option in chosen.values() if option.horizon is not None]
    return Score(
        template=template.id,
        template_version=template.version,
        template_digest=template.digest(),
        answers=dict(answers),
        confirmed=tuple(rule.id for rule in found),
        points=points,
        percent=percent,
        level=level,
        lowest_class=lowest,
        horizon=min(horizons, key=horizon_rank, default="short"),
        product_types=max(option.product_types for option in chosen.values()),
        states={code: band for option in chosen.values() for code, band in option.states.items()},
        reasons=_reasons(template, chosen, percent, reached.level),
    )


def _require_consistent(found: Sequence[ConsistencyRule], confirmed: Sequence[str]) -> None:
    disabled = [rule for rule in found if rule.kind == "disable"]
    if disabled:
        raise RefusedError("option_disabled", f"{disabled[0].second.item}: {disabled[0].en}", detail=disabled[0].id)
    open_rules = [rule for rule in found if rule.id not in confirmed]
    if open_rules:
        raise RefusedError(
            "answers_inconsistent",
            "To be confirmed: " + "; ".join(f"{rule.id}: {rule.en}" for rule in open_rules),
            next_step="Show each warning, then send the answers again with the confirmed rules named.",
        )


def _reasons(template: Template, chosen: Mapping[str, Option], percent: int, reached: Tolerance) -> tuple[Reason, ...]:
    reasons = [
        Reason(code="score", zh=f"问卷得分{percent}，对应{reached}", en=f"Questionnaire: {percent} of 100, {reached}")
    ]
    for item in template.items:
        option = chosen[item.id]
        if option.lowest_class:
            text = (f"{item.zh}{option.zh}：风险承受能力最低类别", f"{item.en} {option.en}: lowest class")
            reasons.append(Reason(code=f"lowest-class-{item.id}", zh=text[0], en=text[1]))
        elif option.cap is not None:
            text = (f"{item.zh}{option.zh}：不高于{option.cap}", f"{item.en} {option.en}: not above {option.cap}")
            reasons.append(Reason(code=f"cap-{item.id}", zh=text[0], en=text[1]))
    return tuple(reasons)
