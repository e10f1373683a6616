"""RFC 9457 problem details; the member ``code`` is the stable reason code in snake_case."""

from __future__ import annotations

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from lianzheng.errors import LianzhengError

__all__ = ["install_problem_handlers", "problem"]

_LOG = structlog.get_logger("lianzheng.api")


def problem(status: int, code: str, text: str, next_step: str = "") -> JSONResponse:
    """An ``application/problem+json`` answer."""
    body = {"type": f"urn:lianzheng:problem:{code}", "title": text, "status": status, "code": code}
    if next_step:
        body["next_step"] = next_step
    return JSONResponse(body, status_code=status, media_type="application/problem+json")


def install_problem_handlers(app: FastAPI) -> None:
    """Every error of ``app`` becomes problem+json; nothing internal reaches the client."""

    async def ours(_: Request, error: Exception) -> JSONResponse:
        if not isinstance(error, LianzhengError):
            raise error
        if error.status >= 500:
            _LOG.warning("request_failed", code=error.code, detail=error.detail)
        return problem(error.status, error.code, error.text, error.next_step)

    async def invalid(_: Request, error: Exception) -> JSONResponse:
        where = ""
        if isinstance(error, RequestValidationError) and error.errors():
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
        return problem(400, "field_invalid", f"Member {where} is missing, unknown or malformed.")

    async def http(_: Request, error: Exception) -> JSONResponse:
        status = error.status_code if isinstance(error, HTTPException) else 500
        return problem(
            status, {404: "route_unknown", 405: "method_not_allowed"}.get(status, "http_error"), "No such route."
        )

    async def unexpected(_: Request, error: Exception) -> JSONResponse:
        # The type alone is logged: an exception's text may quote data.
        _LOG.error("unexpected_error", type=type(error).__name__)
        return problem(500, "internal_error", "The node met an unexpected error.", "See the node's log by time.")

    app.add_exception_handler(LianzhengError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, unexpected)
