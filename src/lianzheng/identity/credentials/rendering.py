"""What a person reads of a credential: titled rows in Chinese and English, the same for every screen.

Pure: a credential in, rows out. Nothing is verified here; a screen shows rows of verified credentials, or says that
these are not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lianzheng.encoding.canonical import JsonObject
from lianzheng.identity.credentials.datamodel import issuer_of, listed, types_of
from lianzheng.identity.credentials.kinds import kind_of
from lianzheng.registry import INDICATORS, PURPOSES

__all__ = ["Language", "Rendering", "Row", "render_credential"]

Language = Literal["zh", "en"]


@dataclass(frozen=True)
class Row:
    """One line: the claim's name in the document, its title, its value in words."""

    name: str
    title: str
    value: str


@dataclass(frozen=True)
class Rendering:
    """A credential for people."""

    title: str
    rows: tuple[Row, ...]


_TITLES: Mapping[str, tuple[str, str]] = {
    "issuer": ("签发机构", "Issuer"),
    "id": ("持有人", "Holder"),
    "validFrom": ("生效时间", "Valid from"),
    "validUntil": ("失效时间", "Valid until"),
    "status": ("状态登记", "Status list"),
    "documentType": ("证件类型", "Document type"),
    "country": ("签发国家", "Country"),
    "checkedOn": ("核验日期", "Checked on"),
    "checkMethod": ("核验方式", "Method"),
    "credentialKey": ("凭证密钥", "Credential key"),
    "level": ("风险承受能力等级", "Risk tolerance"),
    "lowestClass": ("最低风险类别", "Lowest class"),
    "productLine": ("业务条线", "Product line"),
    "policy": ("适用规则", "Policy"),
    "assessedOn": ("评估日期", "Assessed on"),
    "expiresOn": ("到期日期", "Expires on"),
    "investorClass": ("专业投资者类别", "Class"),
    "grounds": ("认定依据", "Grounds"),
    "recognisedOn": ("认定日期", "Recognised on"),
    "indicator": ("指标", "Indicator"),
    "indicatorVersion": ("指标版本", "Version of the indicator"),
    "band": ("区间", "Band"),
    "currency": ("币种", "Currency"),
    "asOf": ("截至日期", "As of"),
    "consentId": ("授权编号", "Consent"),
    "requester": ("使用机构", "Used by"),
    "providers": ("提供机构", "Provided by"),
    "purpose": ("使用目的", "Purpose"),
    "notBefore": ("授权起始", "From"),
    "notAfter": ("授权截止", "Until"),
    "namedConsent": ("授权书摘要", "Digest of the consent"),
    "alliance": ("联盟", "Alliance"),
    "name": ("名称", "Name"),
    "uscc": ("统一社会信用代码", "Unified social credit code"),
    "roles": ("角色", "Roles"),
    "admittedOn": ("加入日期", "Admitted on"),
    "principal": ("被代理人", "Principal"),
    "acts": ("可代理事项", "Acts"),
    "capacity": ("代理身份", "Capacity"),
    "furtherDelegation": ("可否转委托", "May be passed on"),
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "RESIDENT_ID": ("居民身份证", "resident identity card"),
    "document-against-customer-record": ("证件与客户资料比对", "document against the customer record"),
    "A": ("A 类(机构)", "A (institution)"),
    "B": ("B 类", "B"),
    "C": ("C 类(申请转化)", "C (converted on request)"),
    "institution": ("金融机构或产品", "institution"),
    "net-assets": ("净资产", "net assets"),
    "financial-assets": ("金融资产", "financial assets"),
    "mean-income": ("三年年均收入", "mean income of three years"),
    "experience": ("投资经历", "experience"),
    "qualification": ("从业资格", "qualification"),
    "conversion": ("自愿转化", "conversion on request"),
    "guardian": ("监护人", "guardian"),
    "agent": ("代理人", "agent"),
    "staff": ("工作人员", "staff"),
    "subsidiary": ("子公司", "subsidiary"),
    "CNY": ("人民币", "CNY"),
}
"""Codes in words. A code that is not here is shown as it stands: nothing is hidden for want of a word."""
_SEPARATOR = {"zh": "、", "en": ", "}


def render_credential(document: JsonObject, language: Language = "zh") -> Rendering:
    """Rows of ``document``: issuer, every claim of its subjects in their order, validity, status.

    Claims without a title are shown under their own name. Raises as ``issuer_of`` and ``kind_of``.
    """
    kind = kind_of(document)
    if kind is None:
        title = _SEPARATOR[language].join(one for one in types_of(document) if one != "VerifiableCredential")
    else:
        title = kind.title_zh if language == "zh" else kind.title_en
    rows = [_row("issuer", issuer_of(document), language)]
    for subject in listed(document.get("credentialSubject", [])):
        if isinstance(subject, dict):
            rows += [_row(name, _value(name, value, subject, language), language) for name, value in subject.items()]
    rows += [_row(name, str(document[name]), language) for name in ("validFrom", "validUntil") if name in document]
    if "credentialStatus" in document:
        entries = [one for one in listed(document["credentialStatus"]) if isinstance(one, dict)]
        purposes = [str(one.get("statusPurpose", "-")) for one in entries]
        rows.append(_row("status", _SEPARATOR[language].join(purposes), language))
    return Rendering(title, tuple(rows))


def _row(name: str, value: str, language: Language) -> Row:
    titles = _TITLES.get(name, (name, name))
    return Row(name, titles[0] if language == "zh" else titles[1], value)


def _value(name: str, value: Any, subject: JsonObject, language: Language) -> str:
    if isinstance(value, list):
        return _SEPARATOR[language].join(_value(name, one, subject, language) for one in value)
    if isinstance(value, bool):
        return {"zh": ("否", "是"), "en": ("no", "yes")}[language][value]
    if name == "band" and isinstance(value, int):
        return _band(subject, value, language)
    if not isinstance(value, str):
        return str(value)
    if name == "indicator" and value in INDICATORS:
        entry = INDICATORS[value]
        return f"{entry.id} {entry.title_zh if language == 'zh' else entry.title_en}"
    if name == "purpose" and value in PURPOSES:
        purpose = PURPOSES[value]
        return purpose.title_zh if language == "zh" else purpose.title_en
    words = _WORDS.get(value)
    return value if words is None else words[0 if language == "zh" else 1]


def _band(subject: JsonObject, band: int, language: Language) -> str:
    entry = INDICATORS.get(str(subject.get("indicator")))
    labels = () if entry is None else entry.labels_zh if language == "zh" else entry.labels_en
    return labels[band] if 0 <= band < len(labels) else str(band)
