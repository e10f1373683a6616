"""Three axes: risk, horizon, types of product. Any that fails is a mismatch; the lowest class takes R1 only, always."""

from __future__ import annotations

from typing import Annotated, Literal

from lianzheng.encoding.model import Day, Record, Seq, Text
from lianzheng.errors import RefusedError
from lianzheng.suitability.assessment import Assessment
from lianzheng.suitability.model import Product, ProductRisk, Reason, Tolerance, horizon_rank, rank

__all__ = ["Match", "match_product"]

Axis = Literal["lowest_class", "risk", "horizon", "product_type"]


class Match(Record):
    """``failing`` is empty where the product fits on every axis."""

    product: Text
    product_risk: ProductRisk
    level: Tolerance
    lowest_class: bool
    day: Day
    failing: Annotated[tuple[Axis, ...], Seq]
    reasons: Annotated[tuple[Reason, ...], Seq]

    @property
    def fits(self) -> bool:
        return not self.failing


def match_product(assessment: Assessment, product: Product, day: str) -> Match:
    """How ``product`` fits. Raises ``RefusedError`` ``assessment_expired``."""
    if not assessment.day <= day <= assessment.valid_until:
        raise RefusedError("assessment_expired", "The assessment is not valid on this day.", next_step="Assess again.")
    failing: list[tuple[Axis, Reason]] = []
    level, risk = rank(assessment.level), rank(product.risk)
    if assessment.lowest_class and risk > 1:
        zh, en = "风险承受能力最低类别只能购买R1产品", "The lowest class takes R1 only"
        failing.append(("lowest_class", Reason(code="lowest_class", zh=zh, en=en)))
    if risk > level:
        zh, en = f"产品{product.risk}高于投资者{assessment.level}", f"{product.risk} is above {assessment.level}"
        failing.append(("risk", Reason(code="risk", zh=zh, en=en)))
    if horizon_rank(product.horizon) > horizon_rank(assessment.horizon):
        zh, en = "产品期限长于拟投资期限", "The product's horizon is longer than the investor's"
        failing.append(("horizon", Reason(code="horizon", zh=zh, en=en)))
    if product.product_type > assessment.product_types:
        zh, en = "产品品种超出拟投资品种", "The product's type is beyond those the investor means to use"
        failing.append(("product_type", Reason(code="product_type", zh=zh, en=en)))
    fits = Reason(code="fits", zh="产品与投资者匹配", en="The product fits the investor")
    return Match(
        product=product.id,
        product_risk=product.risk,
        level=assessment.level,
        lowest_class=assessment.lowest_class,
        day=day,
        failing=tuple(axis for axis, _ in failing),
        reasons=tuple(reason for _, reason in failing) or (fits,),
    )
