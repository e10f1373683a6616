"""What the investor reads: versioned templates, and the one rendering that is hashed (B14, AUTH-1).

text in the terms:  SHA-256(tag ``consent-text`` ‖ salt ‖ rendered text as UTF-8 in NFC)
template digest:    SHA-256(tag ``consent-template`` ‖ id ‖ template text)
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass

from lianzheng.crypto.digest import sha256
from lianzheng.errors import RefusedError

__all__ = ["TEMPLATES", "ConsentTemplate", "render", "salted_text", "template_digest", "template_of"]


@dataclass(frozen=True, slots=True)
class ConsentTemplate:
    """One version of the text in one language. A change is a new id; old ids stay."""

    id: str
    language: str
    items: tuple[str, ...]
    """What has to be ticked, each by itself, none preset (PIPL 14, 23, 29)."""
    text: str


_ITEMS = ("sharing", "sensitive", "automated", "withdrawal")

_ZH = ConsentTemplate(
    "sharing-zh-1",
    "zh-CN",
    _ITEMS,
    """投资者适当性联合评估单独同意书

一、向谁同意
请求机构：{requester}（统一社会信用代码 {requester_uscc}，联系方式 {requester_contact}）
提供机构：{providers}
受托处理方：{processors}

二、为什么、用什么
目的：{purpose}
内容（只以档位回答，不含持仓、金额、电话和住址）：
{indicators}
回溯期：{look_back_months}个月；方式：匿踪查询，提供机构不知道查询的是谁；频次：共不超过{queries}次查询（{max_uses}个计次单位）。

三、敏感个人信息
金融资产和交易情况属于敏感个人信息。不使用这些信息，请求机构只能依据您在本机构的情况评估；使用后，评估结果可能被下调或提示复核，不会因此被调高。

四、自动化决策
档位只作为评估依据之一，由工作人员复核；您有权要求说明，并有权拒绝仅以自动化方式作出的决定。

五、期限与保存
有效期：{not_before}至{not_after}；结果保存{retention_days}天后删除或限制处理。

六、您的权利
您可以随时查阅、复制、更正、投诉或撤回。投诉渠道：{complaints}。
撤回与给予同样方便：在钱包中一步完成，撤回后各机构停止新的使用；撤回不影响此前已经进行的处理。不同意不影响开户和本机构单独评估。

七、分别确认
1. 向列明机构查询上述内容；2. 处理敏感个人信息；3. 知悉自动化处理；4. 知悉撤回方式及其效果。
""",
)
_EN = ConsentTemplate(
    "sharing-en-1",
    "en",
    _ITEMS,
    """Separate consent to a joint assessment of investor suitability

1. Who
Requesting institution: {requester} (unified social credit code {requester_uscc}, contact {requester_contact})
Providing institutions: {providers}
Processors: {processors}

2. Why and what
Purpose: {purpose}
Content (answers in bands only; no holdings, amounts, telephone numbers or addresses):
{indicators}
Looking back {look_back_months} months; method: hidden query, the providers do not learn who is asked about; at \
most {queries} queries ({max_uses} counted uses).

3. Sensitive personal information
Financial assets and trading are sensitive personal information. Without them the requesting institution \
assesses you from its own records only; with them the result may be lowered or flagged for review, and is never \
raised.

4. Automated decisions
Bands are one basis of the assessment and a person reviews it; you may ask for an explanation and refuse a \
decision made by automated means alone.

5. Validity and retention
Valid from {not_before} to {not_after}; results are deleted or restricted after {retention_days} days.

6. Your rights
You may see, copy, correct, complain or withdraw at any time. Complaints: {complaints}.
Withdrawing is as easy as giving: one step in the wallet, after which no institution makes new use; earlier \
processing is not affected. Refusing affects neither opening an account nor a local assessment.

7. Separate confirmations
(1) The query at the institutions named; (2) processing of sensitive personal information; (3) automated \
processing; (4) how to withdraw and its effect.
""",
)
TEMPLATES: dict[str, ConsentTemplate] = {template.id: template for template in (_ZH, _EN)}


def template_of(template_id: str) -> ConsentTemplate:
    """The template. Raises ``RefusedError`` ``consent_template_unknown``."""
    found = TEMPLATES.get(template_id)
    if found is None:
        raise RefusedError("consent_template_unknown", "The consent text is of an unknown template.")
    return found


def template_digest(template: ConsentTemplate) -> bytes:
    """32 bytes naming the template's very words."""
    return sha256("consent-template", template.id, template.text)


def render(template: ConsentTemplate, facts: Mapping[str, str | int]) -> str:
    """The text as shown, in NFC; no cid stands in it (B14)."""
    return unicodedata.normalize("NFC", template.text.format_map(dict(facts)))


def salted_text(salt: bytes, text: str) -> bytes:
    """``text`` of the terms (AUTH-1)."""
    return sha256("consent-text", salt, text)
