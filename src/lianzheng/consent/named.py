"""The named consent: a Verifiable Credential by the investor's DID with everything that was agreed (AUTH-3, domain §3).

It lists for each token (provider, cid, salt), so requester, investor and a court can tie the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from lianzheng.clock import end_of_day_ms
from lianzheng.consent.model import Code, RealDay
from lianzheng.consent.text import render, template_digest, template_of
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Bytes32, Natural, Record, Seq, Text, TimeMs
from lianzheng.errors import FormatError, RefusedError, VerificationError
from lianzheng.identity.credentials import CONTEXT, rfc3339, sign_credential, verify_credential
from lianzheng.ids import ChainId, Did, ViewId
from lianzheng.limits import CONSENT_TOKENS_MAX, QUERY_VIEWS_MAX
from lianzheng.registry import INDICATORS, PURPOSES, check_view

__all__ = [
    "NAMED_TYPE",
    "ConsentOffer",
    "IndicatorLine",
    "NamedConsent",
    "OfferedProvider",
    "Presentation",
    "Proxy",
    "RequesterInfo",
    "Tick",
    "TokenLink",
    "consent_text",
    "indicator_lines",
    "name_consent",
    "sign_named_consent",
    "verify_named_consent",
]

NAMED_TYPE = "NamedConsent"
ConsentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{22}$")]
Providers = Annotated[tuple["OfferedProvider", ...], Seq, Field(min_length=1, max_length=CONSENT_TOKENS_MAX)]
Names = Annotated[tuple[Text, ...], Seq, Field(max_length=64)]


class RequesterInfo(Record):
    """Who asks: legal name, unified social credit code, contact, DID."""

    did: Did
    name: Text
    uscc: Text
    contact: Text


class OfferedProvider(Record):
    """One provider by name, the views asked of it and the number of counted uses."""

    did: Did
    name: Text
    views: Annotated[tuple[ViewId, ...], Seq, Field(min_length=1, max_length=QUERY_VIEWS_MAX)]
    max_uses: Annotated[Natural, Field(ge=1)]


class ConsentOffer(Record):
    """What the requester puts before the investor; all of it is shown, and stands in the named consent."""

    v: Literal[1] = 1
    chain_id: ChainId
    consent_id: ConsentId
    client_reference: Text
    requester: RequesterInfo
    providers: Providers
    processors: Names
    purpose: Code
    function: Code
    queries: Annotated[Natural, Field(ge=1)]
    look_back_months: Natural
    retention_days: Annotated[Natural, Field(ge=1)]
    complaints: Text
    template: Code


class IndicatorLine(Record):
    """One indicator and its bands, as the investor reads them."""

    id: Text
    version: Natural
    title: Text
    bands: Names


class Tick(Record):
    """One item ticked by itself; nothing is preset."""

    item: Code
    time_ms: TimeMs


class Proxy(Record):
    """Who consents on the investor's behalf, how far, and by which proof."""

    agent: Text
    scope: Text
    proof: Text


class Presentation(Record):
    """How the text was shown, read and signed."""

    shown_ms: TimeMs
    scrolled_to_end: bool
    ticks: Annotated[tuple[Tick, ...], Seq, Field(max_length=16)]
    authentication: Text
    channel: Text
    terminal: Text
    staff_id: Text | None
    """Set where a broker's device or clerk assisted the signing (AUTH-7)."""
    proxy: Proxy | None


class TokenLink(Record):
    """Ties one anonymous token to this consent (AUTH-3)."""

    provider: Did
    cid: Bytes32
    salt: Bytes32


class Status(Record):
    """One entry of the status history."""

    status: Literal["presented", "signed"]
    time_ms: TimeMs


class NamedConsent(Record):
    """``credentialSubject`` of the named consent."""

    id: Did
    version: Literal[1] = 1
    offer: ConsentOffer
    purpose_text: Text
    indicators: Annotated[tuple[IndicatorLine, ...], Seq, Field(min_length=1)]
    not_before: RealDay
    not_after: RealDay
    language: Text
    template_digest: Bytes32
    text: Annotated[str, Field(min_length=1, max_length=32_768)]
    """The whole text as shown: sensitive-data notice, necessity and impact, method, automated decisions, rights,
    complaint channels, withdrawal and its effect."""
    presentation: Presentation
    status_history: Annotated[tuple[Status, ...], Seq, Field(min_length=1, max_length=16)]
    tokens: Annotated[tuple[TokenLink, ...], Seq, Field(min_length=1, max_length=CONSENT_TOKENS_MAX)]


def indicator_lines(offer: ConsentOffer) -> tuple[IndicatorLine, ...]:
    """The indicators that the offer's views reveal, in the template's language.

    Raises ``RefusedError`` as ``registry.check_view``; a threshold form shows its one indicator.
    """
    zh = template_of(offer.template).language.startswith("zh")
    found: dict[str, None] = {}
    for provider in offer.providers:
        for view in provider.views:
            _, bundle, form = view.split("/")
            indicators, entry = check_view(bundle, form)
            found |= dict.fromkeys(indicators if entry.indicator is None else (entry.indicator,))
    return tuple(
        IndicatorLine(
            id=entry.id,
            version=entry.version,
            title=entry.title_zh if zh else entry.title_en,
            bands=entry.labels_zh if zh else entry.labels_en,
        )
        for entry in (INDICATORS[name] for name in sorted(found))
    )


def consent_text(offer: ConsentOffer, not_before: str, not_after: str) -> str:
    """The text that the investor reads for this offer (B14).

    Raises ``RefusedError``: ``purpose_unknown``, ``consent_template_unknown``, and as :func:`indicator_lines`.
    """
    lines = [f"- {line.id} {line.title}: {' | '.join(line.bands)}" for line in indicator_lines(offer)]
    return render(
        template_of(offer.template),
        {
            "requester": offer.requester.name,
            "requester_uscc": offer.requester.uscc,
            "requester_contact": offer.requester.contact,
            "providers": "; ".join(provider.name for provider in offer.providers),
            "processors": "; ".join(offer.processors) or "–",
            "purpose": _purpose_text(offer),
            "indicators": "\n".join(lines),
            "look_back_months": offer.look_back_months,
            "queries": offer.queries,
            "max_uses": sum(provider.max_uses for provider in offer.providers),
            "retention_days": offer.retention_days,
            "complaints": offer.complaints,
            "not_before": not_before,
            "not_after": not_after,
        },
    )


def name_consent(
    offer: ConsentOffer,
    subject: str,
    validity: tuple[str, str],
    presentation: Presentation,
    links: Sequence[TokenLink],
    now_ms: int,
) -> NamedConsent:
    """Everything that was agreed, ready to sign. Raises as :func:`consent_text`."""
    template = template_of(offer.template)
    return NamedConsent(
        id=subject,
        offer=offer,
        purpose_text=_purpose_text(offer),
        indicators=indicator_lines(offer),
        not_before=validity[0],
        not_after=validity[1],
        language=template.language,
        template_digest=template_digest(template),
        text=consent_text(offer, *validity),
        presentation=presentation,
        status_history=(
            Status(status="presented", time_ms=presentation.shown_ms),
            Status(status="signed", time_ms=now_ms),
        ),
        tokens=tuple(links),
    )


def sign_named_consent(named: NamedConsent, key_id: str, now_ms: int, sign: Callable[[bytes], bytes]) -> JsonObject:
    """The Verifiable Credential: the investor's DID is issuer and subject."""
    unsigned = {
        "@context": [CONTEXT[0], dict(CONTEXT[1])],
        "id": f"urn:lianzheng:consent:{named.offer.consent_id}",
        "type": ["VerifiableCredential", NAMED_TYPE],
        "issuer": named.id,
        "validFrom": rfc3339(now_ms),
        "validUntil": rfc3339(end_of_day_ms(named.not_after)),
        "credentialSubject": named.to_json(),
    }
    return sign_credential(unsigned, named.id + key_id, now_ms, sign)


def verify_named_consent(document: JsonObject, resolve_key: Callable[[str], bytes], now_ms: int) -> NamedConsent:
    """What the investor agreed to: signed by the investor, read to the end, each item ticked, text and facts in accord.

    Raises ``VerificationError``: those of ``verify_credential``, ``consent_document_malformed``,
    ``consent_subject_mismatch``, ``consent_text_mismatch``; ``RefusedError``: ``consent_not_read``,
    ``consent_item_unticked``, ``purpose_unknown``, ``consent_template_unknown``.
    """
    verify_credential(document, resolve_key, now_ms)
    if NAMED_TYPE not in document["type"]:
        raise VerificationError("consent_document_malformed", "The credential is no named consent.")
    try:
        named = NamedConsent.from_json(document.get("credentialSubject"))
    except FormatError as error:
        raise VerificationError("consent_document_malformed", error.text, detail=error.detail) from error
    expected_id = f"urn:lianzheng:consent:{named.offer.consent_id}"
    if document["issuer"] != named.id or document.get("id") != expected_id:
        raise VerificationError("consent_subject_mismatch", "The consent is signed by somebody else than its subject.")
    template = template_of(named.offer.template)
    same_text = (
        named.text == consent_text(named.offer, named.not_before, named.not_after)
        and named.indicators == indicator_lines(named.offer)
        and named.purpose_text == _purpose_text(named.offer)
        and named.template_digest == template_digest(template)
        and named.language == template.language
    )
    if not same_text:
        raise VerificationError("consent_text_mismatch", "The text shown does not say what the fields say.")
    _check_presentation(named.presentation, template.items)
    return named


def _check_presentation(presentation: Presentation, items: Sequence[str]) -> None:
    if not presentation.scrolled_to_end:
        raise RefusedError("consent_not_read", "The text was not shown to its end.")
    ticked = [tick.item for tick in presentation.ticks if tick.time_ms >= presentation.shown_ms]
    if sorted(ticked) != sorted(items) or len(presentation.ticks) != len(items):
        raise RefusedError("consent_item_unticked", "Not every item was ticked by itself after the text was shown.")


def _purpose_text(offer: ConsentOffer) -> str:
    purpose = PURPOSES.get(offer.purpose)
    if purpose is None:
        raise RefusedError("purpose_unknown", "The purpose is not in the registry; there is no marketing purpose.")
    return purpose.title_zh if template_of(offer.template).language.startswith("zh") else purpose.title_en
