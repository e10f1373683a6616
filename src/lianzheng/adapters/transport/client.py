"""Requests to other members' peer APIs; each connection trusts exactly one certificate, the one on the ledger."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from lianzheng.limits import TABLE_BYTES_MAX

__all__ = ["PeerAddress", "PeerClient"]

_CLASSES: dict[int, type[LianzhengError]] = {
    400: FormatError,
    403: RefusedError,
    404: NotFoundError,
    409: ConflictError,
    422: VerificationError,
    503: UnavailableError,
}


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a member's node listens, and the DER of its certificate."""

    endpoint: str
    certificate: bytes


class PeerClient:
    """Implements ``compute.gate.ports.Transport`` and the links of the follower."""

    def __init__(
        self,
        certificate: Path,
        private_key: Path,
        resolve: Callable[[str], PeerAddress | None],
        timeout_s: int = 20,
    ) -> None:
        """``resolve`` gives the ledger's present address of a member."""
        self._certificate = certificate
        self._private_key = private_key
        self._resolve = resolve
        self._timeout_s = timeout_s
        self._clients: dict[PeerAddress, httpx.AsyncClient] = {}

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def post_bytes(self, did: str, path: str, body: bytes) -> bytes:
        """The peer's answer. Raises ``UnavailableError`` ``peer_unreachable``, ``peer_unknown``, or its own problem."""
        return await self._send(did, "POST", path, content=body, headers={"content-type": "application/json"})

    async def get_bytes(self, did: str, path: str) -> bytes:
        """As :meth:`post_bytes`, for a GET."""
        return await self._send(did, "GET", path)

    async def _send(self, did: str, method: str, path: str, **arguments: Any) -> bytes:
        try:
            async with self._client(did).stream(method, path, **arguments) as response:
                data = bytearray()
                async for chunk in response.aiter_bytes():
                    data += chunk
                    if len(data) > TABLE_BYTES_MAX:
                        raise FormatError("too_large", "A peer's answer is longer than any that is expected.")
        except (httpx.TransportError, ssl.SSLError) as error:
            raise UnavailableError(
                "peer_unreachable", "The other member's node does not answer.", detail=type(error).__name__
            ) from error
        if response.is_error:
            raise _problem(response, bytes(data))
        return bytes(data)

    def _client(self, did: str) -> httpx.AsyncClient:
        address = self._resolve(did)
        if address is None:
            raise UnavailableError("peer_unknown", "The ledger names no node of this member.")
        if address not in self._clients:
            self._clients[address] = httpx.AsyncClient(
                base_url=address.endpoint,
                verify=self._context(address.certificate),
                timeout=self._timeout_s,
                trust_env=False,
            )
        return self._clients[address]

    def _context(self, peer: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # The one trusted certificate is the identity; the name in it adds nothing.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cadata=peer)
        context.load_cert_chain(self._certificate, self._private_key)
        return context


def _problem(response: httpx.Response, data: bytes) -> LianzhengError:
    kind = _CLASSES.get(response.status_code, UnavailableError)
    try:
        body = httpx.Response(response.status_code, content=data).json()
        return kind(str(body["code"]), str(body["title"]), next_step=str(body.get("next_step", "")))
    except (ValueError, KeyError, TypeError):
        return UnavailableError("peer_failed", f"The other member's node answered with status {response.status_code}.")
