"""Header, commit and validator set of CometBFT v0.38 as canonical JSON, for statements and bundles (GATE-4, EV-4)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lianzheng.encoding.canonical import JsonObject
from lianzheng.encoding.model import Bytes, Bytes32, Bytes64, Natural, Record, Seq
from lianzheng.ids import ChainId, Did
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.statement import Statement
from lianzheng.limits import VALIDATORS_MAX

__all__ = [
    "BlockId",
    "CometHead",
    "CometHeader",
    "CometStatement",
    "CommitSignature",
    "CommitVotes",
    "Time",
    "Validator",
    "parse_head",
]

Hash = Annotated[Bytes, Field(max_length=32)]
"""32 bytes, or none where the engine has none (before the first block)."""
Address = Annotated[Bytes, Field(min_length=20, max_length=20)]


class Time(Record):
    """The engine's time; only whole milliseconds of it reach the state machine (B31)."""

    seconds: Natural
    nanos: Annotated[int, Field(ge=0, le=999_999_999)]

    @property
    def ms(self) -> int:
        """Milliseconds UTC, floored."""
        return self.seconds * 1000 + self.nanos // 1_000_000


class BlockId(Record):
    """What a vote names: the header's hash and the root over the block's parts."""

    hash: Hash
    parts_total: Annotated[int, Field(ge=0, le=2**32 - 1)]
    parts_hash: Hash


class CometHeader(Record):
    """All that the block hash covers; ``app_hash`` is of the block before (EV-4)."""

    version_block: Natural
    version_app: Natural
    chain_id: ChainId
    height: Annotated[int, Field(ge=1, le=2**53 - 1)]
    time: Time
    last_block_id: BlockId
    last_commit_hash: Hash
    data_hash: Hash
    validators_hash: Bytes32
    next_validators_hash: Bytes32
    consensus_hash: Hash
    app_hash: Hash
    last_results_hash: Hash
    evidence_hash: Hash
    proposer_address: Address


class CommitSignature(Record):
    """One precommit for the block; ``validator`` is its place in the validator set."""

    validator: Annotated[int, Field(ge=0, lt=VALIDATORS_MAX)]
    time: Time
    signature: Bytes64


class CommitVotes(Record):
    """Precommits in validator order, nil and absent left out, ending with the one that first exceeds 2/3 (EV-4)."""

    round: Annotated[int, Field(ge=0, le=2**31 - 1)]
    block_id: BlockId
    signatures: Annotated[tuple[CommitSignature, ...], Seq, Field(min_length=1, max_length=VALIDATORS_MAX)]


class Validator(Record):
    """One validator; the set's order is the engine's: most power first, then by address."""

    key: Bytes32
    power: Annotated[int, Field(ge=1, le=2**40)]


class CometHead(Record):
    """A header with the commit that makes it final, and the validators that made it."""

    header: CometHeader
    commit: CommitVotes
    validators: Annotated[tuple[Validator, ...], Seq, Field(min_length=1, max_length=VALIDATORS_MAX)]


def parse_head(value: JsonObject) -> SignedHead | CometHead:
    """The head of either engine; which one, its shape says. Raises ``FormatError`` ``field_invalid``."""
    return CometHead.from_json(value) if "header" in value else SignedHead.from_json(value)


class CometStatement(Record):
    """A node's answer to "how far are you?" under this engine: the commit is carried (GATE-4, B32).

    ``head`` is null at height 0 only.
    """

    statement: Statement
    signer: Did
    signature: Bytes64
    head: CometHead | None
