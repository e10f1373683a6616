"""The operator's bearer token, compared in constant time before anything else of a request is read."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import HTTPBearer

from lianzheng.api.body import BoundedRoute
from lianzheng.api.following import LedgerServices
from lianzheng.errors import LianzhengError

__all__ = ["UnauthenticatedError", "operator_router", "raw_operator_router"]

_SCHEME = HTTPBearer(auto_error=False, description="The token in the node's file `api-token`.")
"""For the OpenAPI document; the check itself is :func:`_check`."""


class UnauthenticatedError(LianzhengError):
    """No or a wrong bearer token."""

    status = 401


def operator_router(services: LedgerServices, tag: str) -> APIRouter:
    """A router under ``/api/v1`` whose every route needs the operator's token.

    The token is looked at before body and parameters, so that nobody without it learns or costs anything.
    Refuses with ``token_missing``, ``token_wrong``.
    """
    return APIRouter(
        prefix="/api/v1", tags=[tag], dependencies=[Security(_SCHEME)], route_class=_route_class(services.api_token)
    )


def raw_operator_router(services: LedgerServices, tag: str) -> APIRouter:
    """As :func:`operator_router` for hot routes that take the request and nothing else, and answer with a response.

    FastAPI's own handling would look for parameters and dependencies, of which there are none: a fifth of a request's
    time.
    """
    return APIRouter(
        prefix="/api/v1", tags=[tag], dependencies=[Security(_SCHEME)], route_class=_raw_class(services.api_token)
    )


def _raw_class(token: str) -> type[APIRoute]:
    expected = token.encode()

    class RawRoute(APIRoute):
        """One route of the operator that reads its body itself, under its own bound."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            endpoint: Callable[[Request], Coroutine[Any, Any, Response]] = self.endpoint

            async def guarded(request: Request) -> Response:
                _check(request.headers.get("authorization", ""), expected)
                return await endpoint(request)

            return guarded

    return RawRoute


def _route_class(token: str) -> type[APIRoute]:
    expected = token.encode()

    class OperatorRoute(BoundedRoute):
        """One route of the operator."""

        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            answer = super().get_route_handler()

            async def guarded(request: Request) -> Response:
                _check(request.headers.get("authorization", ""), expected)
                return await answer(request)

            return guarded

    return OperatorRoute


def _check(authorization: str, expected: bytes) -> None:
    scheme, _, given = authorization.partition(" ")
    if scheme.lower() != "bearer" or not given.strip():
        raise UnauthenticatedError(
            "token_missing", "This route needs the operator's token.", next_step="Send `Authorization: Bearer …`."
        )
    if not hmac.compare_digest(given.strip().encode(), expected):
        raise UnauthenticatedError("token_wrong", "The operator's token is not this node's.")
