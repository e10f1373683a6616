"""What the routes about the ledger need: a member's node has it, and so has a witness's, which has nothing else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from lianzheng.flows.checkpoints import CheckpointDesk
from lianzheng.flows.explorer import Explorer
from lianzheng.governance.service import MemberDirectory
from lianzheng.ledger.genesis import Genesis
from lianzheng.ledger.ports import LedgerEngine

__all__ = ["LedgerServices", "WitnessServices"]


class LedgerServices(Protocol):
    """The part of a node that speaks of the ledger alone."""

    @property
    def did(self) -> str: ...

    @property
    def genesis(self) -> Genesis: ...

    @property
    def api_token(self) -> str: ...

    @property
    def engine(self) -> LedgerEngine: ...

    @property
    def explorer(self) -> Explorer: ...

    @property
    def directory(self) -> MemberDirectory: ...

    @property
    def checkpoints(self) -> CheckpointDesk: ...


@dataclass(frozen=True, slots=True)
class WitnessServices:
    """``LedgerServices`` of a witness's node; ``did`` is its name."""

    did: str
    genesis: Genesis
    api_token: str = field(repr=False)
    engine: LedgerEngine
    explorer: Explorer
    directory: MemberDirectory
    checkpoints: CheckpointDesk
