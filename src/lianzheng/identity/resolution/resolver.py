"""Resolution and dereferencing over the drivers (DID Resolution §4 and §5)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urljoin, urlsplit

from lianzheng.encoding.canonical import JsonObject
from lianzheng.errors import FormatError, NotFoundError, RefusedError
from lianzheng.identity.resolution.model import Dereferenced, Driver, Options, Resolved, read_date_time
from lianzheng.identity.resolution.url import DidUrl, parse_did

__all__ = ["RELATIONSHIPS", "Request", "Resolver", "read_request"]

RELATIONSHIPS = ("assertionMethod", "authentication", "capabilityDelegation", "capabilityInvocation", "keyAgreement")
_FLAGS = {"proof": "proof", "noCache": "no_cache", "enableEncryptionKeyDerivation": "derive_encryption_key"}
_SELECTORS = {"service", "serviceType", "relativeRef", "verificationRelationship"}
_KNOWN = {*_FLAGS, *_SELECTORS, "versionId", "versionTime", "expandRelativeUrls"}
_ENDPOINT = re.compile(r"https?://[!-~]{1,2048}\Z")
"""What may stand in a ``Location`` header: a web URL of visible ASCII."""


@dataclass(frozen=True, slots=True)
class Request:
    """Parameters and options of one call, read and checked."""

    options: Options
    expand: bool = False
    service: str | None = None
    service_type: str | None = None
    relative_ref: str | None = None
    relationship: str | None = None

    @property
    def selects_services(self) -> bool:
        """Whether services are asked for, not the document."""
        return self.service is not None or self.service_type is not None


def read_request(parameters: Mapping[str, str]) -> Request:
    """Raises ``did_options_invalid``; ``RefusedError`` ``did_feature_unsupported`` for an option that nobody knows.

    In the order of §4.4: what is not known is refused before what is not valid.
    """
    if not all(one.isascii() for one in (*parameters, *parameters.values())):
        raise FormatError("did_options_invalid", "The name and value of an option are ASCII.")
    if not {*parameters} <= _KNOWN:
        raise RefusedError("did_feature_unsupported", "The request has an option that this resolver does not know.")
    rest = dict(parameters)
    flags = {name: _flag(rest.pop(option, "false")) for option, name in _FLAGS.items()}
    time = rest.pop("versionTime", None)
    options = Options(
        version_id=rest.pop("versionId", None),
        version_time_ms=None if time is None else read_date_time(time),
        **flags,
    )
    request = Request(
        options,
        expand=_flag(rest.pop("expandRelativeUrls", "false")),
        service=rest.pop("service", None),
        service_type=rest.pop("serviceType", None),
        relative_ref=rest.pop("relativeRef", None),
        relationship=rest.pop("verificationRelationship", None),
    )
    if request.relationship is not None and request.relationship not in RELATIONSHIPS:
        raise FormatError("did_options_invalid", "verificationRelationship is not one of DID 1.1.")
    if request.relative_ref is not None and not request.selects_services:
        raise FormatError("did_options_invalid", "relativeRef comes with service or serviceType.")
    return request


class Resolver:
    """One function a specification: :meth:`resolve`, :meth:`dereference`."""

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        self._drivers = dict(drivers)

    @property
    def methods(self) -> tuple[str, ...]:
        """The DID methods that can be resolved."""
        return tuple(sorted(self._drivers))

    def driver(self, did: DidUrl) -> Driver:
        """The driver of the DID's method; raises ``RefusedError`` ``did_method_unsupported``."""
        found = self._drivers.get(did.method)
        if found is None:
            raise RefusedError("did_method_unsupported", "This resolver has no driver for the DID's method.")
        return found

    async def resolve(self, did: str, request: Request | None = None) -> Resolved:
        """The DID's document; of a DID without one the result says so in ``error``.

        Raises ``did_invalid``, ``did_method_unsupported``, ``did_feature_unsupported`` and those of the driver.
        """
        request = request or Request(Options())
        url = parse_did(did)
        found = await self.driver(url).resolve(url, request.options)
        if request.expand and found.document is not None:
            return replace(found, document=_expanded(found.document, did))
        return found

    async def dereference(self, url: DidUrl, request: Request) -> Dereferenced:
        """What the DID URL names: a document, a part of one, or services.

        Raises as :meth:`resolve`, and ``did_resource_unknown``, ``did_url_invalid``, ``verification_method_invalid``,
        ``verification_relationship_invalid``.
        """
        found = await self.resolve(url.did, request)
        if found.error is not None:
            raise found.error
        if found.document is None:
            return Dereferenced(None, found.document_metadata, found.resolution_metadata)
        if url.path:
            raise NotFoundError("did_resource_unknown", "No method here gives a path of a DID URL a meaning.")
        if request.selects_services:
            return _services(found, url, request)
        if url.fragment is None:
            if request.relationship is not None:
                raise FormatError("verification_method_invalid", "The DID URL names no verification method.")
            return Dereferenced(found.document, found.document_metadata, found.resolution_metadata)
        part = _part(found.document, url, request.relationship)
        return Dereferenced(part, found.document_metadata, found.resolution_metadata)


def _services(found: Resolved, url: DidUrl, request: Request) -> Dereferenced:
    """§5.4.1, step 7: the document with the selected services, and the URLs of their endpoints."""
    document = dict(found.document or {})
    wanted = None if request.service is None else _absolute(request.service, url.did)
    services = [
        one
        for one in _objects(document.get("service"))
        if (wanted is None or wanted == _absolute(str(one.get("id")), url.did))
        and (request.service_type is None or request.service_type in _texts(one.get("type")))
    ]
    if not services:
        raise NotFoundError("did_resource_unknown", "The DID document has no such service.")
    endpoints = [text for one in services for text in _texts(one.get("serviceEndpoint")) if _ENDPOINT.match(text)]
    urls = tuple(_joined(endpoint, request.relative_ref, url.fragment) for endpoint in endpoints)
    return Dereferenced(document | {"service": services}, found.document_metadata, found.resolution_metadata, urls)


def _joined(endpoint: str, relative: str | None, fragment: str | None) -> str:
    """RFC 3986 §5, never away from the endpoint's own host: a stranger could make the DID vouch for any site."""
    result = endpoint if relative is None else urljoin(endpoint, relative)
    if urlsplit(result)[:2] != urlsplit(endpoint)[:2] or not _ENDPOINT.match(result) or "\\" in result:
        raise FormatError("did_url_invalid", "relativeRef leads away from the service endpoint.")
    if fragment is None:
        return result
    if "#" in result:
        raise FormatError("did_url_invalid", "Both the service endpoint and the DID URL have a fragment.")
    return f"{result}#{fragment}"


def _part(document: JsonObject, url: DidUrl, relationship: str | None) -> JsonObject:
    """§5.4.2: the verification method or service that the fragment names."""
    wanted = f"{url.did}#{url.fragment}"
    methods = _objects(document.get("verificationMethod"))
    methods += [one for name in RELATIONSHIPS for one in _objects(document.get(name))]
    method = next((one for one in methods if _absolute(str(one.get("id")), url.did) == wanted), None)
    if relationship is not None:
        if method is None:
            raise FormatError("verification_method_invalid", "The DID URL names no verification method.")
        entries = document.get(relationship)
        ids = [one.get("id") if isinstance(one, dict) else one for one in entries] if isinstance(entries, list) else []
        if wanted not in [_absolute(str(one), url.did) for one in ids]:
            raise RefusedError(
                "verification_relationship_invalid", "The DID does not authorise the method for this purpose."
            )
    services = _objects(document.get("service"))
    part = method or next((one for one in services if _absolute(str(one.get("id")), url.did) == wanted), None)
    if part is None:
        raise NotFoundError("did_resource_unknown", "The DID document has nothing of this name.")
    return part


def _expanded(document: JsonObject, did: str) -> JsonObject:
    """Relative DID URLs of ids and references as absolute ones (``expandRelativeUrls``)."""
    expanded = dict(document)
    for name in ("verificationMethod", "service", *RELATIONSHIPS):
        entries = document.get(name)
        if isinstance(entries, list):
            expanded[name] = [_expanded_entry(one, did) for one in entries]
    return expanded


def _expanded_entry(entry: Any, did: str) -> Any:
    if isinstance(entry, dict) and isinstance(entry.get("id"), str):
        return entry | {"id": _absolute(entry["id"], did)}
    return _absolute(entry, did) if isinstance(entry, str) else entry


def _absolute(text: str, did: str) -> str:
    """A relative DID URL under its DID; a bare name is taken as a fragment, as ``?service=files`` means it."""
    if text.startswith("did:"):
        return text
    return did + text if text[:1] in ("#", "/", "?") else f"{did}#{text}"


def _objects(value: Any) -> list[JsonObject]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [one for one in value if isinstance(one, str)] if isinstance(value, list) else []


def _flag(text: str) -> bool:
    if text not in ("true", "false"):
        raise FormatError("did_options_invalid", "An option of two values is true or false.")
    return text == "true"
