"""The bundle of one case and the trust file that anchors it (EV-4, B34): exact JCS bytes, no final newline.

Every member is needed by the verification of ``lianzheng.verify``, and none can be changed unnoticed.
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, StringConstraints

from lianzheng.encoding.model import Bytes32, Natural, Record
from lianzheng.evidence.model.anchor import LogEntry
from lianzheng.evidence.model.record import CaseId, EvidenceRecord, LeafPair
from lianzheng.ids import ChainId
from lianzheng.ledger.block import SignedHead
from lianzheng.ledger.cometbft import CometHead, Validator
from lianzheng.ledger.cometbft.powers import genesis_validators
from lianzheng.ledger.genesis import Genesis, genesis_digest
from lianzheng.limits import (
    BUNDLE_RECORDS_MAX,
    MERKLE_PATH_MAX,
    NOTE_BYTES_MAX,
    NOTE_SIGNATURES_MAX,
    SIGNER_CHANGES_MAX,
    VALIDATORS_MAX,
)

__all__ = [
    "AnchorItem",
    "Bundle",
    "BundleBody",
    "CaseHead",
    "CheckpointBundle",
    "LedgerItem",
    "Network",
    "RecordItem",
    "TrustFile",
    "TrustedWitness",
    "WitnessTrust",
]

Multikey = Annotated[str, StringConstraints(pattern=r"^z[1-9A-HJ-NP-Za-km-z]{40,60}$")]
Path = Annotated[tuple[Bytes32, ...], Field(strict=False, max_length=MERKLE_PATH_MAX)]
Signers = (
    Annotated[tuple[Multikey, ...], Field(strict=False, min_length=1, max_length=1)]
    | Annotated[tuple[Validator, ...], Field(strict=False, min_length=1, max_length=VALIDATORS_MAX)]
)
"""Who signed heads at genesis: the embedded engine's one key, or CometBFT's validators in its order."""


NoteText = Annotated[str, StringConstraints(min_length=1, max_length=NOTE_BYTES_MAX)]
"""A signed note, as text (C2SP signed-note)."""


class Network(Record):
    """Which ledger a bundle speaks of; equal to the trust file's members of the same names."""

    chain_id: ChainId
    genesis_digest: Bytes32
    signers: Signers


class CaseHead(Record):
    """The head of the bundle: a dropped or added record contradicts it."""

    case_id: CaseId
    count: Annotated[int, Field(ge=1, le=BUNDLE_RECORDS_MAX)]
    last_leaf: LeafPair


class RecordItem(Record):
    """A record, its salt, and its place in the batch of ``anchors[anchor]``: one index, two paths."""

    record: EvidenceRecord
    salt: Bytes32
    anchor: Natural
    index: Natural
    path_sha256: Path
    path_sm3: Path


class AnchorItem(Record):
    """One entry of the evidence log and its inclusion under the bundle's log root."""

    entry: LogEntry
    log_index: Natural
    log_path: Path


class LedgerItem(Record):
    """What ``app_hash`` is made of (B29), the signed head that carries it, and the changes of signers before it."""

    schema_version: Annotated[int, Field(ge=1, le=2**16)]
    log_root: Bytes32
    log_size: Annotated[int, Field(ge=1, le=2**53 - 1)]
    state_root: Bytes32
    head: SignedHead | CometHead
    head_chain: Annotated[tuple[SignedHead | CometHead, ...], Field(strict=False, max_length=SIGNER_CHANGES_MAX)]
    """One signed head per change of signers since genesis, oldest first; empty if there was none."""


class BundleBody(Record):
    """What a bundle holds, with or without a checkpoint."""

    network: Network
    case: CaseHead
    records: Annotated[tuple[RecordItem, ...], Field(strict=False, min_length=1, max_length=BUNDLE_RECORDS_MAX)]
    anchors: Annotated[tuple[AnchorItem, ...], Field(strict=False, min_length=1, max_length=BUNDLE_RECORDS_MAX)]
    """Ascending by log index; each used by a record, in the records' order."""
    ledger: LedgerItem


class Bundle(BundleBody):
    """All records of one case, in order."""

    v: Literal[1] = 1


class CheckpointBundle(BundleBody):
    """The same under a cosigned checkpoint: ``ledger`` is that of its height (EV-6, B33)."""

    v: Literal[2] = 2
    checkpoint: NoteText


class TrustFile(Record):
    """What a verifier takes on trust: handed over by a party it believes, never taken from the bundle."""

    v: Literal[1] = 1
    chain_id: ChainId
    genesis_digest: Bytes32
    signers: Signers

    @classmethod
    def of_genesis(cls, genesis: Genesis) -> Self:
        """The trust file of the network that ``genesis`` starts."""
        signers = genesis_validators(genesis) if genesis.ordering is None else (genesis.ordering.key,)
        return cls(chain_id=genesis.chain_id, genesis_digest=genesis_digest(genesis), signers=signers)

    def network(self) -> Network:
        """The same members as a bundle names them."""
        return Network(chain_id=self.chain_id, genesis_digest=self.genesis_digest, signers=self.signers)


class TrustedWitness(Record):
    """Whose cosignatures count, and for whom (CON-7)."""

    control_group: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    key: Annotated[str, StringConstraints(min_length=1, max_length=400)]
    """Verifier key of signed-note: name, key id, public key."""


class WitnessTrust(Record):
    """A trust file that believes cosigners, beside the network's signers or in their place (EV-4, EV-6)."""

    v: Literal[2] = 2
    chain_id: ChainId
    genesis_digest: Bytes32
    signers: Signers | None
    """Null: only what stands under a checkpoint is believed."""
    witnesses: Annotated[tuple[TrustedWitness, ...], Field(strict=False, min_length=1, max_length=NOTE_SIGNATURES_MAX)]
    cosignatures: Annotated[int, Field(ge=1, le=NOTE_SIGNATURES_MAX)]
    """Distinct control groups that must have cosigned."""
    checkpoint: NoteText | None
    """The one note whose text is believed; null: any that enough of them cosigned."""
