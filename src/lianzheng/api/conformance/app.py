"""HTTP for the public suites (VCALM paths): 201 or 200 for what holds, 400 for everything that does not.

Every path stands at the root and under each profile, ``/{profile}/credentials/issue``, so that one server is as many
implementations as it has issuers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from lianzheng.api.body import read_body
from lianzheng.api.conformance.desk import ConformanceDesk
from lianzheng.api.conformance.issuers import DEFAULT_PROFILE, Issuers
from lianzheng.clock import Clock
from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.jcs import parse_w3c
from lianzheng.errors import LianzhengError, NotFoundError
from lianzheng.limits import CONFORMANCE_BYTES_MAX

__all__ = ["create_conformance_app"]


def create_conformance_app(issuers: Issuers, clock: Clock, base_url: str) -> FastAPI:
    """The application; ``base_url`` is where it will be reached, and names its status lists."""
    desk = ConformanceDesk(issuers, clock, base_url)
    app = FastAPI(title="Lianzheng for the public suites", docs_url=None, redoc_url=None, openapi_url=None)

    @app.exception_handler(LianzhengError)
    async def refused(_: Request, error: LianzhengError) -> JSONResponse:
        return _failed(error)

    def makes(path: str, answer: Callable[[str, JsonObject], JsonObject], member: str, status: int = 201) -> None:
        async def made(request: Request) -> JSONResponse:
            body = await _body(request)
            return JSONResponse({member: await asyncio.to_thread(answer, _profile(request), body)}, status)

        _route(app, path, made)

    def checks(path: str, answer: Callable[[str | None, JsonObject], None]) -> None:
        async def checked(request: Request) -> JSONResponse:
            body, profile = await _body(request), request.path_params.get("profile")
            if profile is not None:
                issuers.find(profile)  # a wrong address is 404; whatever is wrong with the body from here on is 400
            try:
                await asyncio.to_thread(answer, profile, body)
            except NotFoundError as error:
                return _failed(error, 400)
            return JSONResponse({"verified": True, "checks": ["proof"], "warnings": [], "errors": []})

        _route(app, path, checked)

    makes("/credentials/issue", desk.issue, "verifiableCredential")
    makes("/credentials/derive", lambda _, body: desk.derive(body), "verifiableCredential")
    makes("/presentations", desk.present, "verifiablePresentation")
    checks("/credentials/verify", desk.verify)
    checks("/presentations/verify", desk.verify_presented)

    async def set_status(request: Request) -> JSONResponse:
        desk.set_status(await _body(request))
        return JSONResponse({}, 200)

    async def status_list(request: Request) -> JSONResponse:
        params = request.path_params
        answer = await asyncio.to_thread(desk.status_list, params["profile"], params["purpose"])
        return JSONResponse(answer, media_type=_list_type(request.headers.get("accept", "")))

    _route(app, "/credentials/status", set_status)
    app.add_api_route("/{profile}/status/{purpose}", status_list, methods=["GET"])
    return app


def _route(app: FastAPI, path: str, answer: Callable[[Request], Any]) -> None:
    for prefix in ("", "/{profile}"):
        app.add_api_route(prefix + path, answer, methods=["POST"], response_model=None)


def _list_type(accepted: str) -> str:
    """``application/vc``, except for who asks for JSON by name, as the status suite does, and reads nothing else."""
    return "application/json" if "json" in accepted and "application/vc" not in accepted else "application/vc"


def _profile(request: Request) -> str:
    return str(request.path_params.get("profile", DEFAULT_PROFILE))


async def _body(request: Request) -> JsonObject:
    return parse_w3c(await read_body(request, CONFORMANCE_BYTES_MAX), CONFORMANCE_BYTES_MAX)


def _failed(error: LianzhengError, status: int | None = None) -> JSONResponse:
    if status is None:
        status = 404 if error.code in {"profile_unknown", "status_list_unknown"} else 400
    found = {"type": f"urn:lianzheng:problem:{error.code}", "title": error.text, "code": error.code}
    return JSONResponse({"verified": False, "checks": [], "warnings": [], "errors": [found], **found}, status)
