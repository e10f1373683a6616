"""Scenes of evidence (EV-1) and types of identity documents (ID-1)."""

from __future__ import annotations

from lianzheng.registry.model import DocumentType, Scene

__all__ = ["DOCUMENT_TYPES", "SCENES"]

SCENES: dict[str, Scene] = {
    scene.code: scene
    for scene in (
        Scene("suitability-test", 1, "适当性测评", "Suitability test"),
        Scene("risk-confirmation", 1, "风险揭示与确认", "Risk warning and confirmation"),
        Scene("business-handling", 1, "业务办理", "Handling of a transaction"),
        Scene("agreement-signing", 1, "协议签署", "Signing of an agreement"),
        Scene("consent", 1, "授权同意", "Consent"),
        Scene("task", 1, "联合计算任务", "Joint task"),
        Scene("governance", 1, "联盟治理", "Governance of the alliance"),
    )
}

_FREE = r"[A-Z0-9]{5,20}"

DOCUMENT_TYPES: dict[str, DocumentType] = {
    kind.code: kind
    for kind in (
        DocumentType(
            "RESIDENT_ID", 1, "居民身份证", "Resident identity card", "CN", "gb11643", r"[0-9]{17}[0-9X]", True
        ),
        DocumentType(
            "USCC",
            1,
            "统一社会信用代码",
            "Unified social credit code",
            "CN",
            "gb32100",
            r"[0-9A-HJ-NPQRTUWXY]{2}[0-9]{6}[0-9A-HJ-NPQRTUWXY]{10}",
            False,
        ),
        DocumentType("PASSPORT", 1, "护照", "Passport", "", "none", _FREE, True),
        DocumentType(
            "HKMO_PERMIT",
            1,
            "港澳居民来往内地通行证",
            "Mainland travel permit, Hong Kong and Macao",
            "CN",
            "none",
            _FREE,
            True,
        ),
        DocumentType(
            "TW_PERMIT", 1, "台湾居民来往大陆通行证", "Mainland travel permit, Taiwan", "CN", "none", _FREE, True
        ),
        DocumentType(
            "FOREIGN_PR", 1, "外国人永久居留身份证", "Foreign permanent resident card", "CN", "none", _FREE, True
        ),
    )
}
