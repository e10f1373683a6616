"""Two listeners in one process: plain HTTP inside the house, mutual TLS towards the members.

uvicorn hides the client certificate from applications, so the protocol class reads it from the TLS object as the
connection is made: a peer whose certificate is not an active member's is cut off before any route (GATE-1).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lianzheng.adapters.transport.certificates import fingerprint

__all__ = ["HttpServer", "PeerServer", "server_context"]

_LOG = structlog.get_logger("lianzheng.transport")
Authorise = Callable[[bytes], str | None]
"""The DID of the active member whose certificate has this SHA-256, or None."""
_STOP_S = 3


class HttpServer:
    """One uvicorn server as a task of the node's own loop; it leaves the process's signals alone."""

    def __init__(self, app: Any, host: str, port: int) -> None:
        self._server = _Server(_config(app, host, port))
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Return once the port is bound; raises ``OSError`` where it is taken."""
        self._task = asyncio.create_task(self._serve(), name="http-server")
        while not self._server.started:
            if self._task.done():
                await self._task
                raise OSError("the server ended before it listened")
            await asyncio.sleep(1 / 100)

    async def stop(self) -> None:
        """Finish what is in flight, then close."""
        self._server.should_exit = True
        if self._task is not None:
            await self._task

    async def _serve(self) -> None:
        try:
            await self._server.serve()
        except SystemExit as error:  # uvicorn's way of saying that the port is taken
            raise OSError("cannot listen on the configured address") from error


class PeerServer(HttpServer):
    """The members' listener. ``scope["state"][state_key]`` is the DID of the peer on every request."""

    def __init__(
        self, app: Any, host: str, port: int, context: ssl.SSLContext, authorise: Authorise, state_key: str
    ) -> None:
        config = _config(app, host, port)
        config.http_protocol_class = _protocol(authorise, state_key)
        config.ssl = context
        self._server = _Server(config)
        self._task = None


def server_context(certificate: Path, private_key: Path, trusted: Iterable[bytes]) -> ssl.SSLContext:
    """TLS 1.3 that demands a client certificate out of ``trusted`` (DER); trust nothing else."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    context.load_cert_chain(certificate, private_key)
    context.verify_mode = ssl.CERT_REQUIRED
    for der in trusted:
        context.load_verify_locations(cadata=der)
    return context


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def _config(app: Any, host: str, port: int) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_STOP_S,
    )
    config.load()
    return config


def _protocol(authorise: Authorise, state_key: str) -> type[H11Protocol]:
    class PeerProtocol(H11Protocol):
        """Knows the peer's certificate, and the member it belongs to."""

        def connection_made(self, transport: Any) -> None:
            tls = transport.get_extra_info("ssl_object")
            der = None if tls is None else tls.getpeercert(binary_form=True)
            member = None if der is None else authorise(fingerprint(der))
            if der is None or member is None:
                _LOG.warning("peer_refused", code="peer_unknown")
                transport.abort()
                self._refused = True
                return
            self._certificate = fingerprint(der)
            self.app_state = {**self.app_state, state_key: member}
            super().connection_made(transport)

        def data_received(self, data: bytes) -> None:
            if getattr(self, "_refused", False):
                return
            # A connection outlives a change on the ledger; the member may have been suspended since.
            if authorise(self._certificate) != self.app_state[state_key]:
                self.transport.abort()
                return
            super().data_received(data)

        def connection_lost(self, exc: Exception | None) -> None:
            if not getattr(self, "_refused", False):
                super().connection_lost(exc)

        def eof_received(self) -> None:
            if not getattr(self, "_refused", False):
                super().eof_received()

    return PeerProtocol
