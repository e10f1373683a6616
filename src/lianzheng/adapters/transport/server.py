"""Two listeners in one process: plain HTTP inside the house, mutual TLS towards the members.

uvicorn hides the client certificate from applications, so the protocol class reads it from the TLS object as the
connection is made. TLS admits only certificates that are or were the ledger's; a peer whose certificate is not an
active member's now gets 403 ``peer_unknown`` before any route (GATE-1).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from lianzheng.adapters.transport.certificates import fingerprint, load_identity
from lianzheng.adapters.transport.patience import PatientProtocol
from lianzheng.encoding.canonical import encode

__all__ = ["HttpServer", "PeerServer", "server_context"]

_LOG = structlog.get_logger("lianzheng.transport")
Authorise = Callable[[bytes], str | None]
"""The DID of the active member whose certificate has this SHA-256, or None."""
_STOP_S = 3
_KEEP_ALIVE_S = 60
"""Longer than a client keeps an idle connection, so that it is never closed under a request on its way."""


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

    @property
    def port(self) -> int:
        """The port listened on; the system's choice where 0 was asked for."""
        return int(self._server.servers[0].sockets[0].getsockname()[1])

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
    """TLS 1.3 that demands a client certificate out of ``trusted`` (DER); trusts nothing else.

    Certificates may be added to it while it is in use. Raises ``ConfigError`` ``certificate_unusable``.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    load_identity(context, certificate, private_key)
    context.verify_mode = ssl.CERT_REQUIRED
    # The certificate itself is what is trusted, whoever may have issued it; and it is looked at in every handshake.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.num_tickets = 0
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
        http=PatientProtocol,
        ws="none",
        lifespan="off",
        interface="asgi3",
        proxy_headers=False,  # nothing in a request may change who sent it
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
    )
    config.load()
    return config


def _protocol(authorise: Authorise, state_key: str) -> type[H11Protocol]:
    class PeerProtocol(PatientProtocol):
        """Knows the peer's certificate; each request is answered by the application only for an active member."""

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            tls = transport.get_extra_info("ssl_object")
            der = None if tls is None else tls.getpeercert(binary_form=True)
            self._fingerprint = None if der is None else fingerprint(der)
            self._application = self.app

        def handle_events(self) -> None:
            if self.conn.their_state is h11.IDLE:
                # Asked for each request: a connection outlives a change on the ledger, such as a suspension.
                member = None if self._fingerprint is None else authorise(self._fingerprint)
                if member is None:
                    _LOG.warning("peer_refused", code="peer_unknown")
                self.app_state = {**self.app_state, state_key: member}
                self.app = _refuse if member is None else self._application
            super().handle_events()

        def shutdown(self) -> None:
            # Closing TLS politely would wait for a peer that keeps the connection for later and reads nothing now.
            if getattr(self.cycle, "response_complete", True):
                self.transport.abort()
            else:
                super().shutdown()

    return PeerProtocol


async def _refuse(scope: Any, receive: Any, send: Any) -> None:
    """Stands in the application's place for a peer that the ledger does not name; reads nothing of the request."""
    body = {"code": "peer_unknown", "status": 403, "title": "The ledger names no active member with this certificate."}
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": encode({**body, "type": "urn:lianzheng:problem:peer_unknown"})})
