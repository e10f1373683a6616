"""Credentials of data model 2.0 as OpenID's two format identifiers carry them, and as DCQL sees them."""

from __future__ import annotations

from typing import Any

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError
from lianzheng.identity.credentials.contexts import CREDENTIALS_V2
from lianzheng.identity.credentials.datamodel import types_of
from lianzheng.identity.credentials.enveloped import ENVELOPED_CREDENTIAL, ENVELOPED_PRESENTATION, is_enveloped
from lianzheng.identity.credentials.linked_data import expand
from lianzheng.identity.openid.dcql import Held

__all__ = ["FORMATS", "JWT_VC", "LDP_VC", "held_of", "packed", "unpacked_credential", "unpacked_presentation"]

JWT_VC = "jwt_vc_json"
LDP_VC = "ldp_vc"
FORMATS = (JWT_VC, LDP_VC)
_MEDIA = {ENVELOPED_CREDENTIAL: "vc+jwt", ENVELOPED_PRESENTATION: "vp+jwt"}


def packed(document: JsonObject) -> str | JsonObject:
    """As it is sent: of an envelope its compact JWS, anything else as it is."""
    if not is_enveloped(document):
        return document
    return str(document["id"]).partition(",")[2]


def unpacked_credential(value: Any, form: str) -> JsonObject:
    """The document of a credential that came as ``form``. Raises ``FormatError`` ``openid_format_mismatch``."""
    return _unpacked(value, form, ENVELOPED_CREDENTIAL)


def unpacked_presentation(value: Any, form: str) -> JsonObject:
    """The same of a presentation."""
    return _unpacked(value, form, ENVELOPED_PRESENTATION)


def held_of(document: JsonObject, form: str) -> Held:
    """A credential's content as DCQL sees it (OpenID4VP 1.0, appendix B.1).

    Types are expanded under the document's contexts; of ``jwt_vc_json``, which needs no JSON-LD, the plain ones count
    too.
    """
    plain = frozenset(types_of(document))
    try:
        nodes = expand({"@context": document.get("@context"), "id": "urn:x", "type": sorted(plain)})
        expanded = frozenset(nodes[0].get("@type", [])) if nodes else frozenset()
    except FormatError:
        expanded = frozenset()
    return Held(form, document, expanded | plain if form == JWT_VC else expanded)


def _unpacked(value: Any, form: str, kind: str) -> JsonObject:
    if form == JWT_VC and isinstance(value, str):
        return {"@context": CREDENTIALS_V2, "id": f"data:application/{_MEDIA[kind]},{value}", "type": kind}
    if form == LDP_VC and isinstance(value, dict) and not is_enveloped(value):
        return value
    raise FormatError("openid_format_mismatch", "A credential or presentation is not of the format that was agreed.")
