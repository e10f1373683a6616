"""The node of a regulator or auditor: it replays every block, has no vote and no business, and cosigns checkpoints."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from functools import partial

import structlog

from lianzheng.adapters.consensus.cometbft import CometEngine
from lianzheng.adapters.consensus.embedded import EmbeddedFollower
from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.adapters.storage.checkpoints import SqlCheckpointStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.explorer import SqliteTransactionIndex
from lianzheng.adapters.transport.client import PeerAddress, PeerClient
from lianzheng.adapters.transport.links import PeerCosignLink, PeerLedgerLink
from lianzheng.adapters.transport.server import HttpServer, PeerServer, server_context
from lianzheng.api.following import WitnessServices
from lianzheng.api.internal.app import create_witness_app
from lianzheng.api.peer.app import PEER_SCOPE_KEY, create_witness_peer_app
from lianzheng.clock import Clock
from lianzheng.contracts.machine import Machine
from lianzheng.errors import ConfigError, LianzhengError
from lianzheng.flows.checkpoints import CheckpointDesk, Cosigner, members_as_cosigners
from lianzheng.flows.explorer import Explorer
from lianzheng.governance.model import REACHABLE
from lianzheng.governance.service import MemberDirectory
from lianzheng.identity.model import CreationOperation, did_of
from lianzheng.ledger.genesis import Genesis
from lianzheng.node.build import read_genesis
from lianzheng.node.config import WitnessConfig
from lianzheng.node.engines import comet_engine, require_engine
from lianzheng.node.keys import NODE_KEY, open_keystore

__all__ = ["WitnessNode"]

_LOG = structlog.get_logger("lianzheng.node")
_WORK_S = 1


class WitnessNode:
    """One witness's node in one process; its lifecycle is that of ``Node``."""

    def __init__(self, config: WitnessConfig, clock: Clock) -> None:
        """Raises ``ConfigError``: ``engine_mismatch``, ``engine_missing``, those of the genesis and the key store."""
        genesis = read_genesis(config.ledger.genesis)
        require_engine(config.ledger, genesis)
        config.data_dir.mkdir(parents=True, exist_ok=True)
        config.data_dir.chmod(0o700)
        keystore = open_keystore(config)
        self._config = config
        directory = MemberDirectory(lambda: self.engine.state)
        self._peers = PeerClient(config.peer.certificate, config.peer.private_key, partial(_address, directory))
        sign = partial(keystore.sign, NODE_KEY)
        self.engine = _engine(config, genesis, clock, sign, self._peers)
        self._database = Database(sqlite_url(config.data_dir / "node.db"))
        ordering = None if genesis.ordering is None else genesis.ordering.did
        own = Cosigner(config.name, config.name, keystore.public_key(NODE_KEY))
        self.checkpoints = CheckpointDesk(
            genesis.chain_id,
            config.name,
            sign,
            self.engine.history,
            lambda: (*members_as_cosigners(directory, self.engine.state, ordering), own),
            SqlCheckpointStore(self._database),
            PeerCosignLink(self._peers),
            clock,
            config.ledger.checkpoint_hours,
        )
        self._services = WitnessServices(
            did=config.name,
            genesis=genesis,
            api_token=load_passphrase(config.internal.token_file).decode(),
            engine=self.engine,
            explorer=Explorer(SqliteTransactionIndex(config.data_dir / "explorer.db"), self.engine),
            directory=directory,
            checkpoints=self.checkpoints,
        )
        self._servers: list[HttpServer] = []
        self._workers: list[asyncio.Task[None]] = []
        self._tls: ssl.SSLContext | None = None
        self._trusted: frozenset[bytes] = frozenset()

    async def start(self) -> None:
        """Database, ledger, listeners, workers. Raises ``ConfigError`` ``address_in_use`` and what the parts raise."""
        config = self._config
        await self._database.open()
        await self.engine.start()
        self._tls = server_context(config.peer.certificate, config.peer.private_key, ())
        self._trust_members()
        peer_app, internal_app = create_witness_peer_app(self.checkpoints), create_witness_app(self._services)
        peer = PeerServer(peer_app, config.peer.host, config.peer.port, self._tls, self._authorise, PEER_SCOPE_KEY)
        for server in (peer, HttpServer(internal_app, config.internal.host, config.internal.port)):
            try:
                await server.start()
            except OSError as error:
                raise ConfigError(
                    "address_in_use",
                    "The node cannot listen where its node.toml says.",
                    next_step="Change host or port under [internal] and [peer], or end the other program.",
                ) from error
            self._servers.append(server)
        self._workers = [
            asyncio.create_task(self._services.explorer.run(), name="explorer"),
            asyncio.create_task(self._work(), name="work"),
        ]
        _LOG.info("node_started", name=config.name, internal=config.internal.port, peer=config.peer.port)

    async def stop(self) -> None:
        """Stop listening, then working, then writing."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for server in self._servers:
            await server.stop()
        await self._peers.close()
        await self.engine.stop()
        await self._services.explorer.index.close()
        await self._database.close()
        _LOG.info("node_stopped", name=self._config.name)

    async def _work(self) -> None:
        while True:
            self._trust_members()
            try:
                await self.checkpoints.run_due()
            except LianzhengError as error:
                _LOG.warning("worker_failed", worker="checkpoints", code=error.code)
            await asyncio.sleep(_WORK_S)

    def _trust_members(self) -> None:
        """Whoever is a member by now can connect; who is one no longer is refused by fingerprint."""
        found = frozenset(member.certificate for member in self._services.directory.reachable())
        for der in found - self._trusted:
            if self._tls is not None:
                self._tls.load_verify_locations(cadata=der)
        self._trusted |= found

    def _authorise(self, fingerprint: bytes) -> str | None:
        member = self._services.directory.by_fingerprint(fingerprint)
        return None if member is None or member.phase not in REACHABLE else member.did


def _address(directory: MemberDirectory, did: str) -> PeerAddress | None:
    member = directory.get(did)
    return None if member is None or not member.endpoint else PeerAddress(member.endpoint, member.certificate)


def _engine(
    config: WitnessConfig, genesis: Genesis, clock: Clock, sign: Callable[[bytes], bytes], peers: PeerClient
) -> EmbeddedFollower | CometEngine:
    """One that follows: of CometBFT a full node whose validator key no member's DID names, so it has no vote."""
    if genesis.ordering is None:
        return comet_engine(config.ledger, config.data_dir, config.name, clock, genesis, sign, peers)
    return EmbeddedFollower(
        Machine(genesis),
        genesis,
        PeerLedgerLink(peers, genesis.ordering.did),
        did=config.name,
        sign=sign,
        database=config.data_dir / "ledger.db",
        height_file=config.data_dir / "ledger.height",
        clock=clock,
        witnesses=[PeerLedgerLink(peers, did) for did in _followers(genesis, genesis.ordering.did)],
    )


def _followers(genesis: Genesis, sequencer: str) -> list[str]:
    founders = ((did_of(CreationOperation.from_json(one.did_operation)), one) for one in genesis.members)
    return [did for did, one in founders if one.endpoint is not None and did != sequencer]
