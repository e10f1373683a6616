"""A node's life: start in order, run the workers, stop in the opposite order on SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import ssl
import sys
from collections.abc import Awaitable, Callable

import structlog

from lianzheng.adapters.transport.server import HttpServer, PeerServer, server_context
from lianzheng.api.internal.app import create_internal_app
from lianzheng.api.openid.app import create_openid_app
from lianzheng.api.peer.app import PEER_SCOPE_KEY, create_peer_app
from lianzheng.clock import Clock, SystemClock
from lianzheng.consent.model import consent_state_key
from lianzheng.encoding.binary import b64u_decode
from lianzheng.errors import ConfigError, LianzhengError
from lianzheng.flows.epochs import begin_renewals
from lianzheng.governance.model import REACHABLE
from lianzheng.limits import OUTBOX_KEEP_MS, REQUEST_SKEW_MS
from lianzheng.node.build import Parts, build
from lianzheng.node.config import InternalConfig, NodeConfig, OpenIdConfig, PeerConfig, WitnessConfig
from lianzheng.node.memory import Heap
from lianzheng.node.witness import WitnessNode

__all__ = ["Node", "run_node"]

_LOG = structlog.get_logger("lianzheng.node")
_GRANTS_S = 1 / 4
_SLOW_S = 30
_SETTLE_S = 60
_AGAIN_S = 1
"""Before a worker that should never return is started anew."""


class Node:
    """One member's node in one process."""

    def __init__(self, config: NodeConfig, clock: Clock) -> None:
        self._config = config
        self._parts: Parts = build(config, clock)
        self._servers: list[HttpServer] = []
        self._workers: list[asyncio.Task[None]] = []
        self._tls: ssl.SSLContext | None = None
        self._trusted: set[bytes] = set()

    async def start(self) -> None:
        """Database, ledger, listeners, workers. Raises ``ConfigError`` ``address_in_use`` and what the parts raise."""
        parts, config = self._parts, self._config
        await parts.database.open()
        await parts.engine.start()
        parts.services.node_keys.name()  # names a key store that is older than the DID, before the first act does
        await parts.services.clients.open()
        await parts.dataset_store.abandon_unfinished()
        restored = await parts.uses.open()
        await parts.services.views.resume()
        if restored:  # GATE-8: what was counted since the backup is lost; those keys must answer nothing more
            ended = await parts.services.views.end_all()
            _LOG.warning("database_restored", code="epochs_ended", epochs=len(ended))
        trusted = self._certificates()
        self._trusted = set(trusted)
        self._tls = server_context(config.peer.certificate, config.peer.private_key, trusted)
        peer_app, internal_app = create_peer_app(parts.services), create_internal_app(parts.services)
        peer = PeerServer(peer_app, config.peer.host, config.peer.port, self._tls, self._authorise, PEER_SCOPE_KEY)
        await self._listen(peer, "peer", config.peer)
        await self._listen(
            HttpServer(internal_app, config.internal.host, config.internal.port), "internal", config.internal
        )
        await self._listen_openid()
        self._workers = [
            asyncio.create_task(_repeat("evidence", _AGAIN_S, parts.services.evidence.run), name="evidence"),
            asyncio.create_task(_repeat("asks", _AGAIN_S, parts.services.alliance.resume), name="asks"),
            asyncio.create_task(_repeat("grants", _GRANTS_S, parts.services.consents.flush_due), name="grants"),
            asyncio.create_task(_repeat("explorer", _AGAIN_S, parts.services.explorer.run), name="explorer"),
            asyncio.create_task(
                _repeat("statuses", _SLOW_S, parts.services.credentials.publish_statuses), name="statuses"
            ),
            asyncio.create_task(parts.services.views.warm(), name="warm"),
            asyncio.create_task(_repeat("members", _AGAIN_S, self._watch_members), name="members"),
            asyncio.create_task(_repeat("checkpoints", _SLOW_S, parts.services.checkpoints.run_due), name="cosigned"),
            asyncio.create_task(_repeat("slow", _SLOW_S, self._slow), name="slow"),
            asyncio.create_task(_repeat("withdrawals", _AGAIN_S, self._watch_withdrawals), name="withdrawals"),
        ]
        _LOG.info("node_started", did=config.did, internal=config.internal.port, peer=config.peer.port)

    async def _listen_openid(self) -> None:
        desk, at = self._parts.services.openid, self._config.openid
        if desk is not None and at is not None:
            await self._listen(HttpServer(create_openid_app(desk), at.host, at.port), "openid", at)

    async def _listen(self, server: HttpServer, section: str, at: InternalConfig | PeerConfig | OpenIdConfig) -> None:
        try:
            await server.start()
        except OSError as error:
            option = {"internal": ", or give --port", "peer": ", or give --peer-port"}.get(section, "")
            raise ConfigError(
                "address_in_use",
                f"The node cannot listen on {at.host}:{at.port}: another program does, or it is no address of this "
                "machine.",
                next_step=f"Change host or port under [{section}] in node.toml{option}.",
            ) from error
        self._servers.append(server)

    async def stop(self) -> None:
        """Stop listening, then working, then writing."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        await self._parts.services.jobs.stop()
        for server in self._servers:
            await server.stop()
        await asyncio.to_thread(self._parts.gate_workers.close)
        await self._parts.peers.close()
        await self._parts.engine.stop()
        await self._parts.services.explorer.index.close()
        self._parts.uses.close()
        await self._parts.database.close()
        _LOG.info("node_stopped", did=self._config.did)

    async def _watch_withdrawals(self) -> None:
        """What the ledger says is withdrawn is erased here, even where no message told this node (AUTH-4, AUTH-6)."""
        parts = self._parts
        height = parts.engine.status().height
        held = await parts.services.consent_store.held()
        state = parts.engine.state
        revoked = [cid for cid in held if (state.get(consent_state_key(cid)) or {}).get("status") == "revoked"]
        if revoked:
            await parts.services.consent_desk.forget(revoked)
        async for event in parts.engine.events(height + 1):
            gone = [b64u_decode(one["cid"], 32) for one in event["events"] if one["type"] == "consent.revoked"]
            if gone:
                await parts.services.consent_desk.forget(gone)

    async def _slow(self) -> None:
        now_ms = self._parts.services.clock.now_ms()
        await self._parts.services.views.expire()
        await begin_renewals(self._parts.services.jobs, self._parts.services.views)
        await self._parts.uses.forget_nonces(now_ms - 2 * REQUEST_SKEW_MS)
        await self._parts.peer_tables.forget(now_ms)
        await self._parts.asks.forget(now_ms)
        await self._parts.outbox.forget(now_ms - OUTBOX_KEEP_MS)
        await self._parts.services.revocations.retry_unposted()
        self._trust_members()

    async def _watch_members(self) -> None:
        """Whoever is admitted, or has a new certificate, can connect as soon as the ledger says so."""
        engine = self._parts.engine
        height = engine.status().height
        self._trust_members()
        async for event in engine.events(height + 1):
            if event["code"] == "ok" and event["kind"].startswith("member."):
                self._trust_members()

    def _trust_members(self) -> None:
        for der in self._certificates():
            if der not in self._trusted and self._tls is not None:
                # New certificates join the trust store; old ones are refused by their fingerprint at once.
                self._tls.load_verify_locations(cadata=der)
                self._trusted.add(der)

    def _certificates(self) -> list[bytes]:
        members = [member.certificate for member in self._parts.services.directory.reachable()]
        return members + [witness.certificate for witness in self._parts.witnesses.values()]

    def _authorise(self, fingerprint: bytes) -> str | None:
        for name, witness in self._parts.witnesses.items():
            if witness.fingerprint == fingerprint:
                return name
        member = self._parts.services.directory.by_fingerprint(fingerprint)
        return None if member is None or member.phase not in REACHABLE else member.did


async def run_node(config: NodeConfig | WitnessConfig) -> None:
    """Serve until SIGTERM or SIGINT; what :meth:`Node.start` raises is raised here after everything was closed."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(ensure_ascii=False),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stdout),
    )
    stopping = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stopping.set)
    clock = SystemClock()
    node = Node(config, clock) if isinstance(config, NodeConfig) else WitnessNode(config, clock)
    heap = Heap(clock.now_ms())
    heap.load()
    told = asyncio.create_task(stopping.wait(), name="signals")
    starting = asyncio.create_task(node.start(), name="start")
    try:
        # A signal counts from the first moment on: a start may take long, such as replaying many blocks.
        await asyncio.wait((starting, told), return_when=asyncio.FIRST_COMPLETED)
        if starting.done():
            await starting
            while not stopping.is_set():
                heap.settle(clock.now_ms())
                await asyncio.wait((told,), timeout=_SETTLE_S)
    finally:
        heap.close()
        for task in (starting, told):
            task.cancel()
        await asyncio.gather(starting, told, return_exceptions=True)
        with contextlib.suppress(asyncio.CancelledError):
            await node.stop()


async def _repeat(name: str, every_s: float, work: Callable[[], Awaitable[object]]) -> None:
    while True:
        try:
            await work()
        except LianzhengError as error:
            _LOG.warning("worker_failed", worker=name, code=error.code)
        except Exception as error:
            # One fault must not end a worker for the rest of the node's life. The type alone: a text may quote data.
            _LOG.error("worker_failed", worker=name, type=type(error).__name__)
        await asyncio.sleep(every_s)
