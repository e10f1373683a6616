"""The OpenAPI page, made of three files of our own: a broker's network reaches no content delivery network."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter
from fastapi.responses import Response

__all__ = ["create_router"]

_TYPES = {"docs.html": "text/html", "docs.css": "text/css", "docs.js": "text/javascript"}
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",  # which default-src does not cover
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def create_router() -> APIRouter:
    """``/docs`` and its two assets."""
    router = APIRouter(include_in_schema=False)

    @router.get("/docs")
    async def page() -> Response:
        """The page."""
        return _file("docs.html")

    @router.get("/docs/docs.css")
    async def style() -> Response:
        """Its style."""
        return _file("docs.css")

    @router.get("/docs/docs.js")
    async def script() -> Response:
        """Its script."""
        return _file("docs.js")

    return router


def _file(name: str) -> Response:
    data = files("lianzheng.api.internal").joinpath("static", name).read_bytes()
    return Response(data, media_type=f"{_TYPES[name]}; charset=utf-8", headers=_HEADERS)
