"""Purposes and functions. Nothing here serves sales: there is no marketing purpose, and the table is closed."""

from __future__ import annotations

from lianzheng.registry.model import Function, Purpose

__all__ = ["FUNCTIONS", "PURPOSES"]

_QUERY = ("hidden-query", "joint-banding", "intersection")

PURPOSES: dict[str, Purpose] = {
    purpose.code: purpose
    for purpose in (
        Purpose(
            "suitability-assessment",
            1,
            "投资者适当性评估（首次）",
            "Suitability assessment, first",
            ("wealth", "experience", "conduct", "level", "history", "consistency"),
            _QUERY,
        ),
        Purpose(
            "suitability-reassessment",
            1,
            "投资者适当性重新评估",
            "Suitability assessment, on expiry or change",
            ("wealth", "experience", "conduct", "level", "history", "consistency"),
            _QUERY,
        ),
        Purpose(
            "suitability-matching",
            1,
            "产品或服务的适当性匹配",
            "Matching a product or service before one transaction",
            ("wealth", "conduct", "level", "history"),
            _QUERY,
        ),
        Purpose(
            "professional-status",
            1,
            "专业投资者认定与复核",
            "Recognising or reviewing a professional investor",
            ("wealth", "experience", "level"),
            ("hidden-query", "professional-proof"),
        ),
        Purpose(
            "suitability-statistics",
            1,
            "适当性管理的联合统计（不含个人）",
            "Joint statistics on suitability, no persons",
            (),
            ("joint-statistics",),
        ),
    )
}

FUNCTIONS: dict[str, Function] = {
    function.code: function
    for function in (
        Function(
            "hidden-query",
            1,
            "匿踪查询",
            "Hidden query",
            2,
            "To the requester: the bands of its own consenting customer at one provider.",
        ),
        Function(
            "intersection",
            1,
            "隐私求交",
            "Private set intersection",
            2,
            "To the receiver of the contract: the number of common consenting customers, or the set.",
        ),
        Function(
            "joint-statistics",
            1,
            "联合统计",
            "Joint statistics over all members' customers",
            3,
            "To everybody: sums of registered cells over all members.",
        ),
        Function(
            "joint-banding",
            1,
            "联合分档",
            "Joint banding of the requester's consenting customers",
            4,
            "To the requester: one band a person over all providers, not who contributed.",
        ),
        Function(
            "professional-proof",
            1,
            "专业投资者资产证明",
            "Proof of assets above a threshold",
            2,
            "To the verifier: the sum reaches a registered threshold; issuers and day.",
        ),
    )
}
