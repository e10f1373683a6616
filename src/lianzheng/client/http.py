"""Requests to a node, its problem+json turned back into the typed errors they came from."""

from __future__ import annotations

from typing import Any, Self

import httpx

from lianzheng.errors import (
    ConflictError,
    FormatError,
    LianzhengError,
    NotFoundError,
    RefusedError,
    UnavailableError,
    VerificationError,
)

__all__ = ["NodeClient", "error_of"]

_CLASSES: dict[int, type[LianzhengError]] = {
    400: FormatError,
    401: RefusedError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
    422: VerificationError,
    503: UnavailableError,
}


def error_of(response: httpx.Response) -> LianzhengError:
    """The error that a problem+json answer carries; ``http_error`` where it carries none."""
    kind = _CLASSES.get(response.status_code, LianzhengError)
    try:
        body: dict[str, Any] = response.json()
        return kind(str(body["code"]), str(body["title"]), next_step=str(body.get("next_step", "")))
    except (ValueError, KeyError, TypeError):
        return kind("http_error", f"The node answered with status {response.status_code}.")


class NodeClient:
    """One node. ``token`` opens the operator's routes; the wallets' routes need none."""

    def __init__(self, base_url: str, token: str | None = None, timeout_s: int = 60) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._http = httpx.AsyncClient(base_url=base_url, headers=headers, timeout=timeout_s, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(self, path: str, **params: str | int) -> Any:
        """Parsed JSON of a GET; raises what the node's problem says, or ``node_unreachable``."""
        return (await self._send("GET", path, params=params)).json()

    async def post(self, path: str, body: Any = None) -> Any:
        """Parsed JSON of a POST."""
        return (await self._send("POST", path, json=body)).json()

    async def post_bytes(self, path: str, body: bytes, content_type: str) -> Any:
        """Parsed JSON of a POST of raw bytes."""
        return (await self._send("POST", path, content=body, headers={"content-type": content_type})).json()

    async def get_bytes(self, path: str) -> bytes:
        """The exact bytes of a document such as a bundle."""
        return (await self._send("GET", path)).content

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **arguments)
        except httpx.TransportError as error:
            raise UnavailableError(
                "node_unreachable", "The node does not answer.", next_step="Is `lianzheng node run` running there?"
            ) from error
        if response.is_error:
            raise error_of(response)
        return response
