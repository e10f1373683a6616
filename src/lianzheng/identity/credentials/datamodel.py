"""Every property of the Verifiable Credentials Data Model 2.0 has the form that the Recommendation asks for.

Checked before any proof is made or read: a proof over a document that says nothing definite is worth nothing.
Sections in brackets are the Recommendation's. All refusals are ``FormatError`` ``credential_malformed``,
``presentation_malformed`` or ``related_resource_mismatch``; the text names the property, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.linked_data import to_dataset
from lianzheng.identity.credentials.resources import check_resource
from lianzheng.identity.credentials.times import xsd_time_ms
from lianzheng.identity.credentials.urls import is_url
from lianzheng.limits import PRESENTED_MAX

__all__ = ["check_credential", "check_presentation", "issuer_of", "listed", "types_of"]

_LANGUAGE = re.compile(r"[A-Za-z]{1,8}(-[A-Za-z0-9]{1,8})*\Z")
_TYPED = {
    # property: whether an id is required beside the type
    "credentialStatus": False,  # [4.10]
    "credentialSchema": True,  # [4.11]
    "refreshService": False,  # [5.4]
    "termsOfUse": False,  # [5.5]
    "evidence": False,  # [5.6]
    "confidenceMethod": False,
    "renderMethod": False,
}


def check_credential(document: JsonObject, *, linked: bool = True) -> None:
    """``document`` is a credential of the data model, secured or not.

    ``linked``: also that every term and type has a meaning under its contexts (4.5), which JCS proofs do not need.
    Raises ``FormatError`` as above, and those of ``to_dataset``.
    """
    _check_head(document, "VerifiableCredential", _bad)
    issuer_of(document)
    _check_texts(document, _bad)
    _check_subjects(document.get("credentialSubject"))
    _check_validity(document)
    for name, needs_id in _TYPED.items():
        if name in document:
            _check_typed(name, document[name], needs_id)
    if "relatedResource" in document:
        _check_resources(document["relatedResource"])
    if linked:
        to_dataset({name: value for name, value in document.items() if name != "proof"})


def check_presentation(document: JsonObject, *, linked: bool = True) -> list[JsonObject]:
    """``document`` is a presentation; the credentials in it, enveloped or not, of which none is checked yet.

    Raises ``FormatError`` ``presentation_malformed`` and those of ``to_dataset``.
    """
    _check_head(document, "VerifiablePresentation", _bad_presentation)
    holder = document.get("holder")
    named = holder.get("id") if isinstance(holder, dict) else holder
    if "holder" in document and not is_url(named):
        raise _bad_presentation("holder is not a URL, nor an object with one as its id")
    inside = document.get("verifiableCredential", [])
    credentials = listed(inside)
    if len(credentials) > PRESENTED_MAX or not all(isinstance(one, dict) and one for one in credentials):
        raise _bad_presentation("verifiableCredential holds something that is no object, or too much")
    for one in credentials:
        _check_head(one, None, _bad_presentation)
    if linked:
        to_dataset({name: value for name, value in document.items() if name not in {"proof", "verifiableCredential"}})
    return credentials


def issuer_of(document: JsonObject) -> str:
    """The issuer's URL [4.7]. Raises ``FormatError`` ``credential_malformed``."""
    issuer = document.get("issuer")
    if isinstance(issuer, dict):
        _check_texts(issuer, _bad)
        issuer = issuer.get("id")
    if not isinstance(issuer, str) or not is_url(issuer):
        raise _bad("issuer is not a URL, nor an object with one as its id")
    return issuer


def types_of(value: JsonObject) -> list[str]:
    """The types of an object, as a list [4.5]; empty where there are none or they are no texts."""
    types = listed(value.get("type", []))
    return types if all(isinstance(one, str) and one for one in types) else []


def listed(value: Any) -> list[Any]:
    """One thing or a list of them, as a list."""
    return value if isinstance(value, list) else [value]


def _check_head(document: JsonObject, kind: str | None, bad: Callable[[str], FormatError]) -> None:
    context = document.get("@context")
    if kind is None:
        context = listed(context)  # inside a presentation one context may stand alone
    if not isinstance(context, list) or not context or context[0] != CREDENTIALS_V2:
        raise bad("@context is not a list that starts with the base context of version 2.0")
    if not all(isinstance(one, dict) or is_url(one) for one in context):
        raise bad("@context holds something that is neither a URL nor an object")
    if "id" in document and not is_url(document["id"]):
        raise bad("id is not a single URL")
    types = types_of(document)
    if not types or (kind is not None and kind not in types):
        raise bad("type is missing, or does not hold the type of its kind")


def _check_texts(value: JsonObject, bad: Callable[[str], FormatError]) -> None:
    """``name`` and ``description`` [4.6, 11.1]: a text, a language value object, or a list of the latter."""
    for name in ("name", "description"):
        if name not in value or isinstance(value[name], str):
            continue
        for item in listed(value[name]):
            if not _is_language_value(item):
                raise bad(f"{name} is neither a text nor a text with a language and a direction")


def _is_language_value(item: object) -> bool:
    if not isinstance(item, dict) or not isinstance(item.get("@value"), str):
        return False
    language, direction = item.get("@language", "en"), item.get("@direction", "ltr")
    if item.keys() - {"@value", "@language", "@direction"} or direction not in {"ltr", "rtl"}:
        return False
    return isinstance(language, str) and _LANGUAGE.match(language) is not None


def _check_subjects(value: Any) -> None:
    subjects = listed(value)
    if not subjects:
        raise _bad("credentialSubject is missing or empty")
    for subject in subjects:
        if not isinstance(subject, dict) or not subject:
            raise _bad("credentialSubject is missing or empty")
        if "id" in subject and not is_url(subject["id"]):
            raise _bad("credentialSubject.id is not a URL")


def _check_validity(document: JsonObject) -> None:
    times = [xsd_time_ms(document[name]) for name in ("validFrom", "validUntil") if name in document]
    if len(times) == 2 and times[1] < times[0]:
        raise _bad("validUntil lies before validFrom")
    for old in ("issuanceDate", "expirationDate"):
        if old in document:
            raise _bad(f"{old} belongs to version 1.1 of the data model")


def _check_typed(name: str, value: Any, needs_id: bool) -> None:
    for item in _objects(name, value):
        if not types_of(item):
            raise _bad(f"{name} has no type")
        if (needs_id or "id" in item) and not is_url(item.get("id")):
            raise _bad(f"{name}.id is not a URL")


def _check_resources(value: Any) -> None:
    seen: list[str] = []
    for item in _objects("relatedResource", value):
        url = item.get("id")
        if not isinstance(url, str) or not is_url(url) or url in seen:
            raise _bad("relatedResource.id is not a URL, or stands twice")
        seen.append(url)
        check_resource(url, item)


def _objects(name: str, value: Any) -> Sequence[JsonObject]:
    items = listed(value)
    if not items or not all(isinstance(item, dict) for item in items):
        raise _bad(f"{name} is neither an object nor a list of objects")
    return items


def _bad(text: str) -> FormatError:
    return FormatError("credential_malformed", f"The credential is not one of data model 2.0: {text}.")


def _bad_presentation(text: str) -> FormatError:
    return FormatError("presentation_malformed", f"The presentation is not one of data model 2.0: {text}.")
