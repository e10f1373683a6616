"""OpenID4VCI and OpenID4VP over HTTP (docs/spec/openid.md): paths below the base URL, errors in OAuth's form.

Nobody proves who he is here: every secret is in the message, every answer is ``no-store``, and the requests of an
address are counted before anything of them is read.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse
from starlette.datastructures import MutableHeaders

from lianzheng import __version__
from lianzheng.api.body import read_body
from lianzheng.api.problem import ProblemApp, problem
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import LianzhengError, NotFoundError, RefusedError, UnavailableError
from lianzheng.flows.openid import OpenIdDesk
from lianzheng.identity.openid.verifier import REQUEST_TYP
from lianzheng.limits import OPENID_BODY_BYTES_MAX, OPENID_FORM_FIELDS_MAX

__all__ = ["create_openid_app"]

_FORM = "application/x-www-form-urlencoded"
_CODES = frozenset(
    {
        "credential_request_denied",
        "invalid_authorization_details",
        "invalid_credential_request",
        "invalid_encryption_parameters",
        "invalid_grant",
        "invalid_nonce",
        "invalid_proof",
        "invalid_request",
        "invalid_token",
        "unknown_credential_configuration",
        "unknown_credential_identifier",
        "unsupported_grant_type",
    }
)
"""Reason codes that are error codes of the texts."""
_UNSAID = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")
"""What ``error_description`` must not hold (RFC 6749, section 5.2)."""


def create_openid_app(desk: OpenIdDesk) -> FastAPI:
    """The application of the wallets' listener."""
    app = ProblemApp(
        title="Lianzheng 联证 OpenID", version=__version__, docs_url=None, redoc_url=None, openapi_url=None
    )
    app.add_exception_handler(LianzhengError, _refused)
    app.add_middleware(_Door, allowance=desk.allowance)
    prefix = urlsplit(desk.base_url).path
    _add_issuer(app, desk, prefix)
    _add_verifier(app, desk, prefix)
    return app


def _add_issuer(app: FastAPI, desk: OpenIdDesk, prefix: str) -> None:
    issuance = desk.issuance

    @app.get(f"/.well-known/openid-credential-issuer{prefix}")
    async def issuer_metadata() -> Response:
        """OpenID4VCI 12.2.2."""
        return JSONResponse(issuance.metadata())

    @app.get(f"/.well-known/oauth-authorization-server{prefix}")
    async def server_metadata() -> Response:
        """RFC 8414, section 3."""
        return JSONResponse(issuance.server_metadata())

    @app.get(f"{prefix}/offers/{{reference}}")
    async def offer(reference: str) -> Response:
        """OpenID4VCI 4.1.3."""
        found = issuance.offer_object(reference)
        if found is None:
            raise NotFoundError("invalid_request", "There is no such offer, or it was used or has expired.")
        return JSONResponse(found)

    @app.post(f"{prefix}/token")
    async def token(request: Request) -> Response:
        """OpenID4VCI 6."""
        return JSONResponse(issuance.token(await _form(request)))

    @app.post(f"{prefix}/nonce")
    async def nonce() -> Response:
        """OpenID4VCI 7."""
        return JSONResponse(issuance.nonce())

    @app.post(f"{prefix}/credential")
    async def credential(request: Request) -> Response:
        """OpenID4VCI 8."""
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not bearer.strip():
            return JSONResponse({}, 401, headers={"www-authenticate": "Bearer"})  # RFC 6750, section 3.1
        return JSONResponse(await issuance.credential(bearer.strip(), await _json(request)))


def _add_verifier(app: FastAPI, desk: OpenIdDesk, prefix: str) -> None:
    presentation = desk.presentation

    async def request_object(reference: str, wallet_nonce: str | None) -> Response:
        found = presentation.request_object(reference, wallet_nonce)
        if found is None:
            raise NotFoundError("invalid_request", "There is no such request, or it was answered or has expired.")
        return Response(found, media_type=f"application/{REQUEST_TYP}")

    @app.get(f"{prefix}/requests/{{reference}}")
    async def fetched(reference: str) -> Response:
        """RFC 9101, section 5.2.3."""
        return await request_object(reference, None)

    @app.post(f"{prefix}/requests/{{reference}}")
    async def posted(reference: str, request: Request) -> Response:
        """OpenID4VP 5.10."""
        return await request_object(reference, (await _form(request)).get("wallet_nonce"))

    @app.post(f"{prefix}/response")
    async def response(request: Request) -> Response:
        """OpenID4VP 8.2."""
        return JSONResponse(await presentation.respond(await _form(request)))


async def _form(request: Request) -> dict[str, str]:
    """The parameters of a form, each once. Raises ``RefusedError`` ``invalid_request``; ``too_large``."""
    data = await read_body(request, OPENID_BODY_BYTES_MAX)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != _FORM and data:
        raise RefusedError("invalid_request", "The parameters come as a form.")
    try:
        pairs = parse_qsl(
            data.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=OPENID_FORM_FIELDS_MAX,
        )
    except ValueError as error:
        raise RefusedError("invalid_request", "The form is malformed, or has too many parameters.") from error
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedError("invalid_request", "A parameter stands twice.")
    return found


async def _json(request: Request) -> JsonObject:
    data = await read_body(request, OPENID_BODY_BYTES_MAX)
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise RefusedError("invalid_credential_request", "The request is no application/json.")
    return parse_w3c(data, OPENID_BODY_BYTES_MAX)


async def _refused(request: Request, error: Exception) -> Response:
    """An error of RFC 6749, 6750, OpenID4VCI 8.3.1: a code of the text, and ours in the description."""
    if not isinstance(error, LianzhengError):
        raise error
    if isinstance(error, UnavailableError):
        return _error(503, "temporarily_unavailable", error)
    if error.code == "invalid_token":
        return _error(401, "invalid_token", error, {"www-authenticate": 'Bearer error="invalid_token"'})
    status = 404 if isinstance(error, NotFoundError) and request.method == "GET" else 400
    code = error.code
    if code not in _CODES:
        code = "invalid_credential_request" if request.url.path.endswith("/credential") else "invalid_request"
    return _error(status, code, error)


def _error(status: int, code: str, error: LianzhengError, headers: dict[str, str] | None = None) -> Response:
    said = _UNSAID.sub("'", f"{error.text} [{error.code}]")
    return JSONResponse({"error": code, "error_description": said}, status, headers=headers)


class _Door:
    """Counts requests by address, and marks every answer as not to be stored."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]], allowance: Any) -> None:
        self._app = app
        self._allowance = allowance

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        address = (scope.get("client") or ("",))[0]
        if not self._allowance.take(address):
            busy = problem(429, "rate_limited", "Too many requests from this address.", headers={"retry-after": "60"})
            await busy(scope, receive, send)
            return

        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["cache-control"] = "no-store"
                headers["referrer-policy"] = "no-referrer"
            await send(message)

        await self._app(scope, receive, sending)
