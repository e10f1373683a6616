"""Requests to a node, its problem+json turned back into the typed errors they came from."""

from __future__ import annotations

import re
from collections.abc import AsyncIterable, Mapping
from typing import Any, Self

import httpx

from lianzheng.errors import CLASSES, LianzhengError, RefusedError, UnavailableError

__all__ = ["NodeClient", "error_from", "error_of"]

_CLASSES = {**CLASSES, 401: RefusedError}
_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}\Z")
_TEXT_CHARS_MAX = 16_384
"""A report on a source has up to a hundred lines."""


def error_of(response: httpx.Response) -> LianzhengError:
    """The error that a problem+json answer carries; ``http_error`` where it carries none.

    What is no reason code is not taken for one, and texts are cut to length: not every answer is a node's.
    """
    try:
        body = response.json()
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        body = {}
    kind = _CLASSES.get(response.status_code, LianzhengError)
    resolved = body.get("didResolutionMetadata")
    if isinstance(resolved, dict):  # DID resolution has its errors in its own result
        if response.status_code == 410:
            return RefusedError("did_deactivated", "The DID is deactivated for good.")
        error = resolved.get("error")
        body = {**error, "next_step": error.get("detail", "")} if isinstance(error, dict) else {}
    return _error(kind, body, "title") or kind("http_error", f"The node answered with status {response.status_code}.")


def error_from(error: Mapping[str, Any]) -> LianzhengError:
    """The error that a failed job carries; its class is not told."""
    return _error(LianzhengError, error, "text") or LianzhengError("job_failed", "The job failed.")


def _error(kind: type[LianzhengError], body: Mapping[str, Any], text: str) -> LianzhengError | None:
    code = body.get("code")
    if not isinstance(code, str) or not _CODE.match(code):
        return None
    title, next_step = body.get(text, ""), body.get("next_step", "")
    return kind(code, str(title)[:_TEXT_CHARS_MAX], next_step=str(next_step)[:_TEXT_CHARS_MAX])


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
        """Parsed JSON of a GET.

        Raises what the node's problem says; ``UnavailableError`` ``node_unreachable``, ``node_answer_invalid``.
        """
        return _json(await self._send("GET", path, params=params))

    async def post(self, path: str, body: Any = None) -> Any:
        """Parsed JSON of a POST."""
        return _json(await self._send("POST", path, json=body))

    async def delete(self, path: str) -> Any:
        """Parsed JSON of a DELETE."""
        return _json(await self._send("DELETE", path))

    async def post_bytes(self, path: str, body: bytes | AsyncIterable[bytes], content_type: str) -> Any:
        """Parsed JSON of a POST of raw bytes, all at once or as they come."""
        return _json(await self._send("POST", path, content=body, headers={"content-type": content_type}))

    async def get_bytes(self, path: str) -> bytes:
        """The exact bytes of a document such as a bundle."""
        return (await self._send("GET", path)).content

    async def _send(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = await self._http.request(method, path, **arguments)
        except (httpx.TransportError, httpx.DecodingError, httpx.InvalidURL) as error:
            raise UnavailableError(
                "node_unreachable", "The node does not answer.", next_step="Is `lianzheng node run` running there?"
            ) from error
        if not response.is_success:
            raise error_of(response)
        return response


def _json(response: httpx.Response) -> Any:
    try:
        return response.json()
    except (ValueError, RecursionError) as error:
        raise UnavailableError(
            "node_answer_invalid",
            "What answers at the node's address is no node: its answer is not JSON.",
            next_step="Check host and port.",
        ) from error
