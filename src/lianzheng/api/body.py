"""Bodies are read up to a bound, whoever sends them and however they are framed."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from lianzheng.encoding.canonical import JsonValue, parse
from lianzheng.errors import FormatError
from lianzheng.limits import FORM_BYTES_MAX

__all__ = ["BoundedRoute", "check_declared", "read_body"]


async def read_body(request: Request, size_max: int) -> bytes:
    """The body, never more than ``size_max`` bytes of it in memory. Raises ``FormatError`` ``too_large``."""
    check_declared(request, size_max)
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > size_max:
            raise _too_large(size_max)
    return bytes(data)


def check_declared(request: Request, size_max: int) -> None:
    """A body that says it is too long is refused before it is read. Raises ``FormatError`` ``too_large``."""
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:20]) > size_max:
        raise _too_large(size_max)


class BoundedRoute(APIRoute):
    """A route whose JSON body is inside the profile of CON-1 and has at most ``FORM_BYTES_MAX`` bytes.

    FastAPI by itself reads any number of bytes, of any depth. Raises ``FormatError``: ``too_large`` and those of
    ``canonical.parse``.
    """

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's handler behind the bound."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            # Routes that take raw bytes read them themselves, each under its own bound.
            if self.body_field is None:
                return await answer(request)
            data = await read_body(request, FORM_BYTES_MAX)
            return await answer(_Read(request, data, parse(data) if data else None))

        return bounded


class _Read(Request):
    """A request whose body has been read and parsed; FastAPI still decides by the content type what it takes."""

    def __init__(self, request: Request, data: bytes, value: JsonValue) -> None:
        super().__init__(request.scope, request.receive)
        self._data = data
        self._value = value

    async def body(self) -> bytes:
        return self._data

    async def json(self) -> JsonValue:
        return self._value


def _too_large(size_max: int) -> FormatError:
    return FormatError("too_large", f"A message has more than {size_max} bytes.")
