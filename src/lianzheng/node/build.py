"""Wiring: which adapter stands behind which port. Nothing here decides anything."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import structlog

from lianzheng import __version__
from lianzheng.adapters.consensus.embedded import EmbeddedSequencer
from lianzheng.adapters.keystore.passphrase import load_passphrase
from lianzheng.adapters.resolution.web import GuardedFetcher
from lianzheng.adapters.sources.file import FileFormat, SourceFile, open_source
from lianzheng.adapters.sources.spool import Spool
from lianzheng.adapters.storage.accesses import AccessRepository
from lianzheng.adapters.storage.asks import AskRepository
from lianzheng.adapters.storage.checkpoints import SqlCheckpointStore
from lianzheng.adapters.storage.compute import DatasetRepository, EpochRepository, PeerTableRepository
from lianzheng.adapters.storage.consent import SqlConsentStore, SqlRefusalStore
from lianzheng.adapters.storage.database import Database, sqlite_url
from lianzheng.adapters.storage.epoch_builds import EpochBuildRepository
from lianzheng.adapters.storage.evidence import SqlEvidenceRepository
from lianzheng.adapters.storage.explorer import SqliteTransactionIndex
from lianzheng.adapters.storage.gate import ReceiptRepository, UseRepository
from lianzheng.adapters.storage.identity import SqlEnrolmentStore
from lianzheng.adapters.storage.outbox import SqlOutbox
from lianzheng.adapters.storage.status import SqlStatusStore
from lianzheng.adapters.storage.suitability import SqlCustomerStore, SqlSuitabilityStore
from lianzheng.adapters.storage.usemark import UseMark
from lianzheng.adapters.transport.client import PeerAddress, PeerClient
from lianzheng.adapters.transport.links import PeerCosignLink, PeerRevocationRelay
from lianzheng.adapters.transport.status import StatusListFetcher
from lianzheng.api.services import GateLog, NodeServices
from lianzheng.clock import Clock
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.gate.ports import GateWorkers
from lianzheng.compute.gate.requester import GateClient
from lianzheng.compute.gate.service import GateService
from lianzheng.compute.gate.workers import LocalGateWorkers, ProcessGateWorkers
from lianzheng.compute.protocols.hidden_query.retrieval import RetrievalClient
from lianzheng.compute.tasks.model import TASK_DECISIONS
from lianzheng.compute.tasks.service import TaskService
from lianzheng.compute.views.service import ViewService
from lianzheng.consent.revocation import RevocationService
from lianzheng.consent.service import ConsentService, RequesterIdentity
from lianzheng.crypto.keystore import KeyStore
from lianzheng.encoding.multikey import ED25519_PUB
from lianzheng.errors import ConfigError, FormatError, NotFoundError
from lianzheng.evidence.model import CaptureContext
from lianzheng.evidence.service import EvidenceService
from lianzheng.flows.accesses import AccessDesk
from lianzheng.flows.acts import ActRecorder
from lianzheng.flows.alliance import AllianceAssessment
from lianzheng.flows.checkpoints import CheckpointDesk, Cosigner, members_as_cosigners
from lianzheng.flows.clients import ClientBook
from lianzheng.flows.consent_desk import ConsentDesk
from lianzheng.flows.credential_keys import CredentialKeys
from lianzheng.flows.credentials import CredentialDesk
from lianzheng.flows.explorer import Explorer
from lianzheng.flows.intake import Intake
from lianzheng.flows.jobs import Jobs
from lianzheng.flows.keyring import KeyFinder
from lianzheng.flows.node_keys import NodeKeys
from lianzheng.flows.openid import Allowance, IssuanceDesk, OpenIdDesk, PresentationDesk
from lianzheng.flows.status_check import LedgerStatusChecker
from lianzheng.flows.status_lists import StatusDesk
from lianzheng.flows.task_desk import TaskDesk
from lianzheng.flows.verification import CredentialVerifier
from lianzheng.governance.service import MemberDirectory
from lianzheng.identity.credentials.keys import ProofSigner
from lianzheng.identity.resolution.did_key import KeyDriver
from lianzheng.identity.resolution.did_lz import LedgerDriver
from lianzheng.identity.resolution.did_web import WebDriver
from lianzheng.identity.resolution.resolver import Resolver
from lianzheng.identity.service import IssuerIdentity, IssuerService
from lianzheng.ids import chain_of_did
from lianzheng.ledger.context import StateView
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.sender import TransactionSender
from lianzheng.limits import GENESIS_BYTES_MAX, STATUS_DOCUMENT_BYTES_MAX
from lianzheng.node.config import NodeConfig
from lianzheng.node.engines import Engine, build_engine
from lianzheng.node.gateways import LiveMembers, TokenBucket
from lianzheng.node.keys import NODE_KEY, open_keystore
from lianzheng.node.witnesses import Witness, load_witnesses
from lianzheng.suitability.service import SuitabilityService

__all__ = ["Parts", "build", "load_genesis", "read_genesis"]

_LOG = structlog.get_logger("lianzheng.node")
_CLIENT_KEY = "client-references"


@dataclass(frozen=True, slots=True)
class Parts:
    """What the node's lifecycle starts, runs and stops."""

    services: NodeServices
    engine: Engine
    database: Database
    peers: PeerClient
    dataset_store: DatasetRepository
    uses: UseRepository
    peer_tables: PeerTableRepository
    asks: AskRepository
    outbox: SqlOutbox
    gate_workers: LocalGateWorkers | ProcessGateWorkers
    witnesses: Mapping[str, Witness]


@dataclass(frozen=True, slots=True)
class _Base:
    """What nearly every service needs."""

    config: NodeConfig
    clock: Clock
    genesis: Genesis
    keystore: KeyStore
    database: Database
    peers: PeerClient
    engine: Engine
    outbox: SqlOutbox
    sender: TransactionSender
    directory: MemberDirectory
    capture: CaptureContext
    witnesses: Mapping[str, Witness]
    node_keys: NodeKeys

    @property
    def sign(self) -> Callable[[bytes], bytes]:
        return self.node_keys.sign


def load_genesis(config: NodeConfig) -> Genesis:
    """The network's genesis.

    Raises ``ConfigError``: ``genesis_missing``, ``genesis_invalid``, ``genesis_foreign``.
    """
    path = config.ledger.genesis
    genesis = read_genesis(path)
    if chain_of_did(config.did) != genesis.chain_id:  # founder or not: who came later stands in the state
        raise ConfigError(
            "genesis_foreign",
            f"{path} is of another network than this node's member.",
            next_step="Copy the genesis.json of the network that the member's home was made for.",
        )
    return genesis


def read_genesis(path: Path) -> Genesis:
    """The genesis in ``path``. Raises ``ConfigError``: ``genesis_missing``, ``genesis_invalid``."""
    try:
        return Genesis.from_bytes(path.read_bytes(), GENESIS_BYTES_MAX)
    except OSError as error:
        raise ConfigError(
            "genesis_missing", f"{path} cannot be read.", next_step="Copy the network's genesis.json there."
        ) from error
    except FormatError as error:
        raise ConfigError(
            "genesis_invalid",
            f"{path} is no genesis: {error.text}",
            next_step="Copy the network's genesis.json there again and compare its digest with the others'.",
        ) from error


def build(config: NodeConfig, clock: Clock) -> Parts:
    """The node's parts, connected and not started. Raises ``ConfigError`` and what the key store raises."""
    base = _base(config, clock)
    evidence = _evidence(base)
    customers, dataset_store = SqlCustomerStore(base.database), DatasetRepository(base.database)
    clients = ClientBook(customers, _client_key(base.keystore))
    datasets = DatasetService(dataset_store, base.sender, clock)
    suitability = _suitability(base, evidence)
    consent_store, refusals = SqlConsentStore(base.database), SqlRefusalStore(base.database)
    consents = _consents(base, consent_store, clients)
    uses = UseRepository(base.database, UseMark(config.data_dir / "gate.mark"))
    receipts = ReceiptRepository(base.database)
    views, tasks = _views(base, dataset_store), TaskService(base.sender, uses)
    peer_tables, asks = PeerTableRepository(base.database), AskRepository(base.database)
    acts = ActRecorder(evidence, base.capture, clock)
    consent_desk = ConsentDesk(consents, consent_store, acts)
    gate_log, gate_workers = GateLog(clock), _gate_workers(base)
    test_network, resolver = _is_test_network(base.genesis), _resolver(base)
    credentials = _credentials(base, resolver)
    services = NodeServices(
        did=config.did,
        genesis=base.genesis,
        api_token=load_passphrase(config.internal.token_file).decode(),
        clock=clock,
        engine=base.engine,
        explorer=Explorer(SqliteTransactionIndex(config.data_dir / "explorer.db"), base.engine),
        orderer=base.engine if isinstance(base.engine, EmbeddedSequencer) else None,
        witness=base.engine,
        checkpoints=_checkpoints(base),
        sender=base.sender,
        node_keys=base.node_keys,
        directory=base.directory,
        issuer=_issuer(base, clients, test_network, credentials),
        resolver=resolver,
        credentials=credentials,
        clients=clients,
        test_network=test_network,
        jobs=Jobs(clock, _log_failed_job),
        intake=_intake(base, customers, datasets, clients, test_network),
        datasets=datasets,
        views=views,
        tasks=tasks,
        task_desk=TaskDesk(config.did, tasks, acts, lambda: base.engine.state),
        acts=acts,
        gate=_gate(base, views, uses, refusals, gate_log, gate_workers),
        gate_log=gate_log,
        consents=consents,
        consent_desk=consent_desk,
        revocations=_revocations(base, refusals, consent_desk),
        consent_store=consent_store,
        receipts=receipts,
        accesses=AccessDesk(config.did, base.genesis.chain_id, AccessRepository(base.database), base.sign, clock),
        suitability=suitability,
        alliance=_alliance(base, consent_store, receipts, asks, peer_tables, suitability, clients),
        evidence=evidence,
        openid=_openid(base, credentials, resolver),
    )
    return Parts(
        services,
        base.engine,
        base.database,
        base.peers,
        dataset_store,
        uses,
        peer_tables,
        asks,
        base.outbox,
        gate_workers,
        base.witnesses,
    )


def _base(config: NodeConfig, clock: Clock) -> _Base:
    genesis = load_genesis(config)
    config.data_dir.mkdir(parents=True, exist_ok=True)
    config.data_dir.chmod(0o700)
    keystore = open_keystore(config)
    directory = MemberDirectory(lambda: engine.state)

    witnesses = load_witnesses(config.ledger.witness)

    def address(did: str) -> PeerAddress | None:
        if did in witnesses:
            return witnesses[did].address
        member = directory.get(did)
        return None if member is None or not member.endpoint else PeerAddress(member.endpoint, member.certificate)

    peers = PeerClient(config.peer.certificate, config.peer.private_key, address)
    node_keys = NodeKeys(keystore, config.did, lambda: engine.state)
    sign = node_keys.sign
    engine = build_engine(config, clock, genesis, sign, peers)
    database = Database(sqlite_url(config.data_dir / "node.db"))
    outbox = SqlOutbox(database)
    sender = TransactionSender(
        engine, sign, genesis.chain_id, config.did, "#node", clock, outbox=outbox, once=TASK_DECISIONS
    )
    capture = CaptureContext(system="lianzheng-node", software_version=__version__, channel="internal", local_time_ms=0)
    return _Base(
        config,
        clock,
        genesis,
        keystore,
        database,
        peers,
        engine,
        outbox,
        sender,
        directory,
        capture,
        witnesses,
        node_keys,
    )


def _evidence(base: _Base) -> EvidenceService:
    repository = SqlEvidenceRepository(base.database)
    return EvidenceService(repository, base.engine, base.sender, base.sign, base.clock, base.genesis, base.config.did)


def _suitability(base: _Base, evidence: EvidenceService) -> SuitabilityService:
    store, line = SqlSuitabilityStore(base.database), base.config.suitability.product_line
    return SuitabilityService(store, evidence, base.clock, base.capture, product_line=line)


def _checkpoints(base: _Base) -> CheckpointDesk:
    ordering = base.genesis.ordering

    def cosigners() -> tuple[Cosigner, ...]:
        members = members_as_cosigners(base.directory, base.engine.state, None if ordering is None else ordering.did)
        return (*members, *(one.cosigner for one in base.witnesses.values()))

    return CheckpointDesk(
        base.genesis.chain_id,
        base.config.did,
        base.sign,
        base.engine.history,
        cosigners,
        SqlCheckpointStore(base.database),
        PeerCosignLink(base.peers),
        base.clock,
        base.config.ledger.checkpoint_hours,
    )


def _views(base: _Base, datasets: DatasetRepository) -> ViewService:
    return ViewService(
        datasets,
        EpochRepository(base.database),
        EpochBuildRepository(base.database),
        base.keystore,
        base.sender,
        lambda: base.engine.state,
        base.clock,
        base.genesis.chain_id,
        base.config.did,
    )


def _resolver(base: _Base) -> Resolver:
    ledger = LedgerDriver(base.engine, base.genesis.chain_id)
    return Resolver({"lz": ledger, "key": KeyDriver(), "web": WebDriver(GuardedFetcher(), base.clock)})


def _credentials(base: _Base, resolver: Resolver) -> CredentialDesk:
    me, clock, engine = base.config.did, base.clock, base.engine
    signer = ProofSigner(f"{me}#{NODE_KEY}", ED25519_PUB, base.sign)
    store = SqlStatusStore(base.database)

    def base_url() -> str:
        member = base.directory.get(me)
        endpoint = "" if member is None else member.endpoint or ""
        return base.config.credentials.status_url or f"{endpoint or 'https://status.invalid'}/peer/v1"

    lists = StatusDesk(me, base_url, store, engine, base.sender, signer, clock)
    web = GuardedFetcher(bytes_max=STATUS_DOCUMENT_BYTES_MAX)
    keys = KeyFinder(engine, resolver, clock)
    checker = LedgerStatusChecker(engine, keys, StatusListFetcher(me, lists.document, base.peers, web), clock)
    verifier = CredentialVerifier(me, engine, keys, checker, clock)
    own = CredentialKeys(signer, base.keystore, engine, base.sender)
    return CredentialDesk(me, own, verifier, lists, store, engine, clock)


def _openid(base: _Base, credentials: CredentialDesk, resolver: Resolver) -> OpenIdDesk | None:
    config = base.config.openid
    if config is None or not config.enabled:
        return None
    signer = ProofSigner(f"{base.config.did}#{NODE_KEY}", ED25519_PUB, base.sign)
    issuance = IssuanceDesk(config.base_url, credentials, KeyFinder(base.engine, resolver, base.clock), base.clock)
    presentation = PresentationDesk(config.base_url, signer, credentials, base.clock)
    return OpenIdDesk(config.base_url, issuance, presentation, Allowance(config.requests_per_minute, base.clock))


def _issuer(base: _Base, clients: ClientBook, test_network: bool, credentials: CredentialDesk) -> IssuerService:
    identity = IssuerIdentity(
        did=base.config.did,
        chain_id=base.genesis.chain_id,
        genesis_time_ms=base.genesis.time_ms,
        test_network=test_network,
        key_id="#node",
        sign=base.sign,
    )
    store = SqlEnrolmentStore(base.database)
    allocate = credentials.allocate_status
    return IssuerService(identity, base.keystore, clients, store, base.engine, base.clock, allocate)


def _consents(base: _Base, store: SqlConsentStore, clients: ClientBook) -> ConsentService:
    identity = RequesterIdentity(base.config.did, base.genesis.chain_id, base.genesis.time_ms)
    members = LiveMembers(lambda: base.engine.state)
    return ConsentService(identity, base.engine, members, clients, store, base.sender, base.clock)


def _intake(
    base: _Base, customers: SqlCustomerStore, datasets: DatasetService, clients: ClientBook, test_network: bool
) -> Intake:
    spool = Spool(base.config.data_dir / "spool")
    spool.clear()

    def opened(path: Path, form: FileFormat, mapping: bytes | None, as_of: str) -> SourceFile:
        return open_source(path, form, mapping, as_of=as_of, test_network=test_network)

    return Intake(opened, spool, customers, datasets, clients, base.clock)


def _revocations(base: _Base, store: SqlRefusalStore, desk: ConsentDesk) -> RevocationService:
    def others() -> list[str]:
        active = base.directory.active()
        return [member.did for member in active if member.endpoint is not None and member.did != base.config.did]

    relay = PeerRevocationRelay(base.peers, others)
    return RevocationService(base.genesis.chain_id, store, base.engine, relay, base.clock, desk.forget)


def _gate_workers(base: _Base) -> LocalGateWorkers | ProcessGateWorkers:
    count, chain_id = base.config.gate.workers, base.genesis.chain_id
    return ProcessGateWorkers(chain_id, count) if count else LocalGateWorkers(chain_id)


def _gate(
    base: _Base,
    views: ViewService,
    uses: UseRepository,
    refusals: SqlRefusalStore,
    log: GateLog,
    workers: GateWorkers,
) -> GateService:
    return GateService(
        base.config.did,
        base.genesis.chain_id,
        base.genesis.time_ms,
        base.engine,
        views.keys,
        uses,
        refusals,
        TokenBucket(base.config.gate.requests_per_minute, base.clock),
        log,
        base.sign,
        base.clock,
        workers=workers,
    )


def _alliance(
    base: _Base,
    consents: SqlConsentStore,
    receipts: ReceiptRepository,
    asks: AskRepository,
    peer_tables: PeerTableRepository,
    suitability: SuitabilityService,
    clients: ClientBook,
) -> AllianceAssessment:
    def state() -> StateView:
        return base.engine.state

    gate = GateClient(base.config.did, base.genesis.chain_id, base.sign, base.peers, state, base.clock, asks=asks)
    tables = RetrievalClient(base.genesis.chain_id, base.peers, peer_tables, state)
    book = AccessRepository(base.database)
    return AllianceAssessment(consents, gate, tables, receipts, suitability, clients, state, base.clock, asks, book)


def _client_key(keystore: KeyStore) -> bytes:
    try:
        return keystore.get_secret(_CLIENT_KEY)
    except NotFoundError:
        keystore.put_secret(_CLIENT_KEY, secrets.token_bytes(32))
        return keystore.get_secret(_CLIENT_KEY)


def _log_failed_job(kind: str, error: BaseException) -> None:
    # The type alone: a text may quote data.
    _LOG.error("job_failed", kind=kind, type=type(error).__name__)


def _is_test_network(genesis: Genesis) -> bool:
    return genesis.parameters.get("test_network", 0) == 1
