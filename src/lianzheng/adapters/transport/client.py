"""Requests to other members' peer APIs; each connection trusts exactly one certificate, the one on the ledger."""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from lianzheng.adapters.transport.certificates import load_identity
from lianzheng.errors import CLASSES, FormatError, LianzhengError, UnavailableError
from lianzheng.limits import (
    MESSAGE_BYTES_MAX,
    PEER_ANSWER_S,
    PEER_CONNECT_S,
    PEER_CONNECTIONS_MAX,
    PEER_TRANSFER_S,
    PROBLEM_BYTES_MAX,
    TABLE_BYTES_MAX,
)

__all__ = ["PeerAddress", "PeerClient"]

_CODE = re.compile(r"[a-z][a-z0-9_]{0,63}")
_IDLE_S = 30  # shorter than the server's keep-alive: a request never meets a connection that is being closed
_TEXT_CHARS_MAX = 300


@dataclass(frozen=True, slots=True)
class PeerAddress:
    """Where a member's node listens, and the DER of its certificate."""

    endpoint: str
    certificate: bytes


class PeerClient:
    """Implements ``compute.gate.ports.Transport`` and the links of the follower.

    Every request raises ``UnavailableError`` ``peer_address_unknown`` (the ledger names no node), ``peer_unreachable``
    (nothing there, died, too slow, or its TLS refuses this node's certificate), ``peer_certificate_wrong`` (another key
    answers there), ``peer_failed``; ``FormatError`` ``answer_too_large``; or the peer's own problem under the peer's
    own code, such as ``RefusedError`` ``peer_unknown``.
    """

    def __init__(
        self,
        certificate: Path,
        private_key: Path,
        resolve: Callable[[str], PeerAddress | None],
        timeout_s: float = PEER_ANSWER_S,
    ) -> None:
        """``resolve`` gives the ledger's present address of a member; ``timeout_s`` bounds each silence of a peer."""
        self._certificate = certificate
        self._private_key = private_key
        self._resolve = resolve
        self._timeout = httpx.Timeout(timeout_s, connect=min(timeout_s, PEER_CONNECT_S))
        self._clients: dict[PeerAddress, httpx.AsyncClient] = {}

    async def close(self) -> None:
        """Close all connections."""
        clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            await client.aclose()

    async def post_bytes(self, did: str, path: str, body: bytes, size_max: int = MESSAGE_BYTES_MAX) -> bytes:
        """The peer's answer to one message, at most ``size_max`` bytes of it."""
        headers = {"content-type": "application/json"}
        return await self._send(did, "POST", path, size_max, content=body, headers=headers)

    async def get_bytes(self, did: str, path: str, size_max: int = TABLE_BYTES_MAX) -> bytes:
        """What the peer keeps under ``path``, at most ``size_max`` bytes of it."""
        return await self._send(did, "GET", path, size_max)

    async def _send(self, did: str, method: str, path: str, size_max: int, **arguments: Any) -> bytes:
        client = self._client(did)
        try:
            async with asyncio.timeout(PEER_TRANSFER_S), client.stream(method, path, **arguments) as response:
                if response.status_code != httpx.codes.OK:
                    raise _problem(response.status_code, await _read(response, PROBLEM_BYTES_MAX))
                return await _read(response, size_max)
        except (httpx.HTTPError, ssl.SSLError, TimeoutError) as error:
            raise _failure(error) from error

    def _client(self, did: str) -> httpx.AsyncClient:
        address = self._resolve(did)
        if address is None:
            raise UnavailableError("peer_address_unknown", "The ledger names no node of this member.")
        if address not in self._clients:
            self._clients[address] = httpx.AsyncClient(
                base_url=address.endpoint,
                verify=self._context(address.certificate),
                timeout=self._timeout,
                limits=httpx.Limits(max_connections=PEER_CONNECTIONS_MAX, keepalive_expiry=_IDLE_S),
                headers={"accept-encoding": "identity"},
                trust_env=False,
            )
        return self._clients[address]

    def _context(self, peer: bytes) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        # The one trusted certificate is the identity, whoever may have issued it; the name in it adds nothing.
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_verify_locations(cadata=peer)
        load_identity(context, self._certificate, self._private_key)
        return context


async def _read(response: httpx.Response, size_max: int) -> bytes:
    data = bytearray()
    # Raw: an answer that claims to be compressed is not unpacked, however small it looks.
    async for chunk in response.aiter_raw():
        data += chunk
        if len(data) > size_max:
            raise FormatError("answer_too_large", "A peer's answer is longer than any that is expected.")
    return bytes(data)


def _failure(error: Exception) -> UnavailableError:
    """What went wrong below HTTP, from the TLS error at the bottom of the chain if there is one."""
    detail, link = type(error).__name__, error.__cause__ or error.__context__ or error
    seen: list[BaseException] = [error]
    while link not in seen:
        seen.append(link)
        link = link.__cause__ or link.__context__ or link
    if any(isinstance(one, ssl.SSLCertVerificationError) for one in seen):
        return UnavailableError(
            "peer_certificate_wrong",
            "What answers at the other member's address does not hold the certificate on the ledger.",
            next_step="Do not go on by hand: ask that member whether its certificate was changed on the ledger.",
            detail=detail,
        )
    # A server that refuses this node's certificate just closes: under TLS 1.3 that looks as if it had died.
    return UnavailableError(
        "peer_unreachable",
        "The other member's node does not answer.",
        next_step="If it runs: is the certificate in this node's node.toml the one on the ledger?",
        detail=detail,
    )


def _problem(status: int, data: bytes) -> LianzhengError:
    """The peer's problem+json as the error it came from; its words are cut to length, its code must look like one."""
    try:
        body = httpx.Response(status, content=data).json()  # problem+json needs no canonical form: nothing is signed
    except (ValueError, RecursionError):
        body = None
    if not isinstance(body, dict):
        body = {}
    code, title, next_step = body.get("code"), body.get("title"), body.get("next_step", "")
    kind = CLASSES.get(status)
    if kind is None or not isinstance(code, str) or not _CODE.fullmatch(code):
        return UnavailableError("peer_failed", f"The other member's node answered with status {status}.")
    return kind(code, _words(title), next_step=_words(next_step))


def _words(text: object) -> str:
    return "".join(one for one in str(text) if one.isprintable())[:_TEXT_CHARS_MAX]
