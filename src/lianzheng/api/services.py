"""What the routers call; ``node`` fills it in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lianzheng.clock import Clock
from lianzheng.compute.datasets.service import DatasetService
from lianzheng.compute.gate.model import GateRequest
from lianzheng.compute.gate.service import GateService
from lianzheng.compute.ports import ReceiptStore
from lianzheng.compute.tasks.service import TaskService
from lianzheng.compute.views.service import ViewService
from lianzheng.consent.ports import ConsentStore
from lianzheng.consent.revocation import RevocationService
from lianzheng.consent.service import ConsentService
from lianzheng.encoding.model import Record
from lianzheng.errors import LianzhengError
from lianzheng.evidence.service import EvidenceService
from lianzheng.flows.accesses import AccessDesk
from lianzheng.flows.acts import ActRecorder
from lianzheng.flows.alliance import AllianceAssessment
from lianzheng.flows.checkpoints import CheckpointDesk
from lianzheng.flows.clients import ClientBook
from lianzheng.flows.consent_desk import ConsentDesk
from lianzheng.flows.credentials import CredentialDesk
from lianzheng.flows.explorer import Explorer
from lianzheng.flows.intake import Intake
from lianzheng.flows.jobs import Jobs
from lianzheng.flows.node_keys import NodeKeys
from lianzheng.flows.openid import OpenIdDesk
from lianzheng.flows.task_desk import TaskDesk
from lianzheng.governance.service import MemberDirectory
from lianzheng.identity.resolution.resolver import Resolver
from lianzheng.identity.service import IssuerService
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import LedgerEngine, Receipt
from lianzheng.ledger.sender import TransactionSender
from lianzheng.suitability.service import SuitabilityService

__all__ = ["GateLog", "HeadWitness", "LoggedUse", "NodeServices", "Orderer"]


class Orderer(Protocol):
    """What the ordering node serves to the others."""

    async def submit_bytes(self, transaction: bytes) -> Receipt: ...

    async def blocks(self, from_height: int, limit: int) -> list[bytes]: ...

    async def snapshot_description(self) -> bytes | None: ...

    async def snapshot_chunk(self, height: int, index: int) -> bytes: ...


class HeadWitness(Protocol):
    """What every node serves: how far it is, signed (GATE-4)."""

    async def head_statement(self, nonce: bytes) -> Record: ...


@dataclass(frozen=True, slots=True)
class LoggedUse:
    """One line of the provider's log: everything that this node knows of a question."""

    time_ms: int
    peer: str
    task: str
    cid: str
    views: tuple[str, ...]
    outcome: str


class GateLog:
    """The last uses in memory, for the operator's screen; the durable record are the receipts."""

    def __init__(self, clock: Clock, keep: int = 10_000) -> None:
        self._clock = clock
        self._keep = keep
        self._lines: list[LoggedUse] = []

    def answered(self, peer: str, request: GateRequest) -> None:
        """Note an answer."""
        self._add(peer, request, "answered")

    def refused(self, peer: str, request: GateRequest, error: LianzhengError) -> None:
        """Note a refusal with its code."""
        self._add(peer, request, error.code)

    def lines(self) -> list[LoggedUse]:
        """Newest last."""
        return list(self._lines)

    def _add(self, peer: str, request: GateRequest, outcome: str) -> None:
        members = request.to_json()
        views = tuple(f"{view.view}@{view.epoch}" for view in request.views)
        line = LoggedUse(self._clock.now_ms(), peer, members["task"], members["cid"], views, outcome)
        self._lines = [*self._lines[-self._keep + 1 :], line]


@dataclass(frozen=True, slots=True)
class NodeServices:
    """One member's node, as its API sees it."""

    did: str
    genesis: Genesis
    api_token: str = field(repr=False)
    clock: Clock
    engine: LedgerEngine
    explorer: Explorer
    orderer: Orderer | None
    """None at nodes that follow."""
    witness: HeadWitness
    checkpoints: CheckpointDesk
    sender: TransactionSender
    node_keys: NodeKeys
    directory: MemberDirectory
    issuer: IssuerService
    resolver: Resolver
    credentials: CredentialDesk
    clients: ClientBook
    test_network: bool
    jobs: Jobs
    intake: Intake
    datasets: DatasetService
    views: ViewService
    tasks: TaskService
    task_desk: TaskDesk
    acts: ActRecorder
    gate: GateService
    gate_log: GateLog
    consents: ConsentService
    consent_desk: ConsentDesk
    revocations: RevocationService
    consent_store: ConsentStore
    receipts: ReceiptStore
    accesses: AccessDesk
    suitability: SuitabilityService
    alliance: AllianceAssessment
    evidence: EvidenceService
    openid: OpenIdDesk | None = None
    """None where outside wallets are not served."""
