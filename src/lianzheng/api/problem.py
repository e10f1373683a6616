"""RFC 9457 problem details; the member ``code`` is the stable reason code in snake_case.

Texts name members and parts, never values: neither an answer nor the log quotes what was sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lianzheng.encoding.model import member_path
from lianzheng.errors import LianzhengError

__all__ = ["ProblemApp", "problem"]

_LOG = structlog.get_logger("lianzheng.api")
_SCHEMA = {
    "type": "object",
    "description": "RFC 9457; `code` is a stable reason code (docs/spec/reason-codes.md).",
    "required": ["type", "title", "status", "code"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "pattern": "^[a-z][a-z0-9]*(_[a-z0-9]+)*$"},
        "next_step": {"type": "string"},
    },
}
_RESPONSE = {
    "description": "What is wrong, by reason code.",
    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
}


def problem(
    status: int, code: str, text: str, next_step: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """An ``application/problem+json`` answer."""
    body = {"type": f"urn:lianzheng:problem:{code}", "title": text, "status": status, "code": code}
    if next_step:
        body["next_step"] = next_step
    if status == 401:
        headers = {**(headers or {}), "www-authenticate": "Bearer"}  # RFC 9110, section 11.6.1
    return JSONResponse(body, status_code=status, media_type="application/problem+json", headers=headers)


class ProblemApp(FastAPI):
    """An application whose every error is problem+json; nothing internal reaches the client."""

    def __init__(self, **options: Any) -> None:
        super().__init__(responses={"default": _RESPONSE}, **options)
        self.add_exception_handler(LianzhengError, _ours)
        self.add_exception_handler(RequestValidationError, _invalid)
        self.add_exception_handler(HTTPException, _http)
        self.add_middleware(_Unforeseen)

    def openapi(self) -> dict[str, Any]:
        """FastAPI's document with the schema that the routes' problems refer to."""
        document = super().openapi()
        document.setdefault("components", {}).setdefault("schemas", {})["Problem"] = _SCHEMA
        return document


async def _ours(_: Request, error: Exception) -> JSONResponse:
    if not isinstance(error, LianzhengError):
        raise error
    if error.status >= 500:
        _LOG.warning("request_failed", code=error.code, detail=error.detail)
    return problem(error.status, error.code, error.text, error.next_step)


async def _invalid(_: Request, error: Exception) -> JSONResponse:
    first = error.errors()[0] if isinstance(error, RequestValidationError) and error.errors() else {}
    if first.get("loc") == ("body",):
        return problem(400, "field_invalid", "The body must be a JSON object, sent as application/json.")
    path = member_path(first.get("loc", ()))
    return problem(400, "field_invalid", f"Member {path} is missing, unknown or malformed.")


async def _http(_: Request, error: Exception) -> JSONResponse:
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    if status == 404:
        return problem(404, "route_unknown", "No such route.")
    if status == 405:
        return problem(405, "method_not_allowed", "The route does not take this method.", headers=headers)
    return problem(status, "http_error", f"The request failed with status {status}.", headers=headers)


class _Unforeseen:
    """Answers what no handler foresaw, and ends it here: the server would log the exception's text, which may quote
    data. The log gets its type alone."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        started = False

        async def sending(message: Any) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            _LOG.error("unexpected_error", type=type(error).__name__, place=_place(error))
            if not started:
                answer = problem(
                    500, "internal_error", "The node met an unexpected error.", "See the node's log by time."
                )
                await answer(scope, receive, send)


def _place(error: Exception) -> str:
    """Where in this project's code it happened."""
    place, trace = "", error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if "lianzheng" in file:
            place = f"{file[file.rindex('lianzheng') :]}:{trace.tb_lineno}"
        trace = trace.tb_next
    return place
