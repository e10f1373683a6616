"""DID resolution over HTTP (W3C DID Resolution §12.1): ``/1.0/identifiers/{did}``, as universal resolvers ask.

``GET`` has the options in the query, ``POST`` as a JSON object in the body; answers are the same.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response

from lianzheng.api.body import read_body
from lianzheng.api.services import NodeServices
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import FormatError, LianzhengError, NotFoundError
from lianzheng.identity.resolution import media
from lianzheng.identity.resolution.media import Media
from lianzheng.identity.resolution.model import Dereferenced, Resolved, error_object, status_of
from lianzheng.identity.resolution.resolver import read_request
from lianzheng.identity.resolution.url import DidUrl, parse_did_url, parse_query
from lianzheng.limits import DID_OPTIONS_BYTES_MAX

__all__ = ["create_router"]

_PATH = "/1.0/identifiers/"
_CUT = re.compile(r"%(?:23|3[fF])")
_RESULT_CONTEXT = "https://w3id.org/did-resolution/v1"
_OPTIONS = (
    "versionId, versionTime, proof, noCache, expandRelativeUrls, service, serviceType, relativeRef, "
    "verificationRelationship, accept."
)
_SUMMARY = f"A DID's document, or what a DID URL names. Options as query parameters: {_OPTIONS}"
_POSTED = (
    "The same, with options as members of a JSON object in the body, each a text, or true or false: "
    f"{_OPTIONS} A query is the DID URL's."
)
_BODY: dict[str, Any] = {
    "requestBody": {
        "content": {
            "application/json": {
                "schema": {"type": "object", "additionalProperties": {"type": ["string", "boolean"]}},
            }
        }
    }
}
_RESULT: dict[str, Any] = {media.RESOLUTION.name: {}, media.DEREFERENCING.name: {}}
_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "A result, or the document or part alone, as Accept asks.", "content": _RESULT},
    303: {"description": "Service endpoint, in `Location`; no body."},
    400: {"description": "INVALID_DID, INVALID_DID_URL, INVALID_OPTIONS.", "content": _RESULT},
    404: {"description": "NOT_FOUND: no such DID, version, fragment or service.", "content": _RESULT},
    406: {"description": "REPRESENTATION_NOT_SUPPORTED.", "content": _RESULT},
    410: {"description": "The DID is deactivated.", "content": _RESULT},
    500: {"description": "INTERNAL_ERROR, INVALID_DID_DOCUMENT.", "content": _RESULT},
    501: {"description": "METHOD_NOT_SUPPORTED, FEATURE_NOT_SUPPORTED.", "content": _RESULT},
}


def create_router(services: NodeServices) -> APIRouter:
    """The resolver over this node's committed state and the other methods' drivers."""
    router = APIRouter(tags=["identity"])

    @router.get("/1.0/identifiers/{did:path}", description=_SUMMARY, response_class=Response, responses=_RESPONSES)
    async def resolve(did: str, request: Request) -> Response:
        return await _answer(services, _raw_identifier(request), request)

    @router.post(
        "/1.0/identifiers/{did:path}",
        description=_POSTED,
        response_class=Response,
        responses=_RESPONSES,
        openapi_extra=_BODY,
    )
    async def resolve_posted(did: str, request: Request) -> Response:
        return await _answer(services, _raw_identifier(request), request)

    return router


async def _answer(services: NodeServices, identifier: str, http: Request) -> Response:
    shape = media.RESOLUTION
    try:
        url = parse_did_url(identifier)
        names_part = bool(url.path) or url.fragment is not None
        shape = media.DEREFERENCING if names_part else shape
        services.resolver.driver(url)  # §4.4: the method comes before the options
        parameters = await _parameters(url, http)
        accept = parameters.pop("accept", None) or http.headers.get("accept")
        wanted = {"service", "serviceType"} & {*parameters}
        shape = media.DEREFERENCING if names_part or wanted else shape
        chosen = media.choose(accept, dereferences=names_part or bool(wanted), services=bool(wanted))
        shape = media.DEREFERENCING if chosen.shape == "dereferencing" else shape
        asked = read_request(parameters)
        if shape is media.DEREFERENCING:
            return _dereferenced(await services.resolver.dereference(url, asked), chosen)
        return _resolved(await services.resolver.resolve(url.did, asked), chosen)
    except LianzhengError as error:
        # §5.4.1, step 1: only dereferencing knows of DID URLs.
        return _refused(error, media.DEREFERENCING if error.code == "did_url_invalid" else shape)


async def _parameters(url: DidUrl, http: Request) -> dict[str, str]:
    """What the DID URL, the query and the body name; raises ``FormatError`` ``did_options_invalid``."""
    named = _merged(url.parameters, parse_query(http.url.query))
    return _merged(named, await _posted(http)) if http.method == "POST" else named


async def _posted(http: Request) -> dict[str, str]:
    try:
        data = await read_body(http, DID_OPTIONS_BYTES_MAX)
        options = parse_w3c(data, DID_OPTIONS_BYTES_MAX) if data else {}
    except FormatError as error:
        raise FormatError(
            "did_options_invalid",
            f"The body is not a JSON object of options with at most {DID_OPTIONS_BYTES_MAX} bytes.",
            detail=error.code,
        ) from error
    return {name: _text(value) for name, value in options.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise FormatError("did_options_invalid", "An option in the body is a text, or true or false.")
    return value


def _resolved(found: Resolved, chosen: Media) -> Response:
    if found.error is not None:
        return _refused(found.error, media.RESOLUTION, found.resolution_metadata)
    status = 410 if found.deactivated else 200
    if chosen.shape == "document":
        return _json(found.document, status, chosen)
    body: JsonObject = {
        "didDocument": found.document,
        "didDocumentMetadata": found.document_metadata,
        "didResolutionMetadata": {"contentType": "application/did", **found.resolution_metadata},
    }
    if chosen.profile:
        body["@context"] = _RESULT_CONTEXT
    return _json(body, status, chosen)


def _dereferenced(found: Dereferenced, chosen: Media) -> Response:
    gone = found.content_metadata.get("deactivated") is True
    if found.urls and chosen.shape in ("urls", "dereferencing") and not gone:
        return Response(status_code=303, headers={"location": found.urls[0]})
    if chosen.shape == "urls" and not gone:
        raise NotFoundError("did_resource_unknown", "The service has no endpoint that is a web address.")
    status = 410 if gone else 200
    if chosen.shape == "document":
        return _json(found.content, status, chosen)
    metadata = {"contentType": "application/did", **found.metadata}
    return _json(_dereferencing_body(found.content, metadata, found.content_metadata), status, media.DEREFERENCING)


def _dereferencing_body(content: Any, metadata: JsonObject, content_metadata: JsonObject) -> JsonObject:
    """Both names of the content: the drafts' text and examples differ in them."""
    return {
        "content": content,
        "contentStream": content,
        "contentMetadata": content_metadata,
        "dereferencingMetadata": metadata,
    }


def _refused(error: LianzhengError, shape: Media, metadata: JsonObject | None = None) -> Response:
    described = {**(metadata or {}), "error": error_object(error)}
    if shape.shape == "dereferencing":
        return _json(_dereferencing_body(None, described, {}), status_of(error), media.DEREFERENCING)
    body = {"didDocument": None, "didDocumentMetadata": {}, "didResolutionMetadata": described}
    return _json(body, status_of(error), media.RESOLUTION)


def _json(body: Any, status: int, chosen: Media) -> Response:
    return JSONResponse(body, status_code=status, headers={"content-type": chosen.header, "vary": "accept"})


def _raw_identifier(request: Request) -> str:
    """The identifier as it was sent: a percent sign may be the DID's own (did:web ports) or the transport's.

    One that starts with ``did:`` was not encoded for transport, save for the two characters that cut a URL off.
    """
    raw = request.scope.get("raw_path", b"").decode("ascii", "replace").partition("?")[0]
    sent = raw.partition(_PATH)[2]
    if sent.startswith("did:"):
        return _CUT.sub(lambda found: unquote(found.group()), sent)
    return unquote(sent)


def _merged(own: dict[str, str], options: dict[str, str]) -> dict[str, str]:
    if any(own[name] != options[name] for name in {*own} & {*options}):
        raise FormatError("did_options_invalid", "The DID URL and the request name different values for an option.")
    return own | options
